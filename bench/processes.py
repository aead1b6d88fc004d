"""Processes of the benchmarks: started, watched and ended by their ids, whatever happens in between."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
TWISTD = ("-c", "from twisted.scripts.twistd import run; run()", "-n", "--pidfile=")
PAGE = os.sysconf("SC_PAGE_SIZE")
PATIENCE = 60.0
"""Seconds that anything awaited may take."""


class Ended(Exception):
    """A process ended, or was silent, while something was expected of it."""


class Process:
    """One process; what it prints is read by a thread of its own."""

    def __init__(self, name: str, arguments: Sequence[str]) -> None:
        self.name = name
        self._lines: deque[str] = deque(maxlen=100_000)
        self._news = threading.Condition()
        self._over = False
        self._popen = subprocess.Popen(
            arguments,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._popen.pid

    def says(self, pattern: str, seconds: float = PATIENCE) -> re.Match[str]:
        """The next line in which the pattern occurs; lines before it are forgotten.

        @raise Ended: if there is none within so many seconds.
        """
        expression = re.compile(pattern)
        until = time.monotonic() + seconds
        passed: deque[str] = deque(maxlen=10)
        with self._news:
            while True:
                while self._lines:
                    line = self._lines.popleft()
                    if match := expression.search(line):
                        return match
                    passed.append(line)
                left = until - time.monotonic()
                if self._over or left <= 0:
                    state = "ended" if self._over else f"was silent for {seconds:g} s"
                    raise Ended("\n".join([f"{self.name} {state}, instead of saying {pattern!r}", *passed]))
                self._news.wait(left)

    def cpu(self) -> float:
        """Processor time used so far, in seconds."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def rss(self) -> int:
        """Bytes of memory resident now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def end(self) -> None:
        """End it now, if it lives."""
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            with self._news:
                self._lines.append(line.rstrip("\n"))
                self._news.notify_all()
        with self._news:
            self._over = True
            self._news.notify_all()


class Processes:
    """A context that ends every process that was started in it."""

    def __init__(self) -> None:
        self._started: list[Process] = []

    def python(self, name: str, *arguments: str, before: Sequence[str] = ()) -> Process:
        """Start Python with these arguments; C{before} is a command that runs it, such as C{ip netns exec}."""
        return self.command(name, sys.executable, *arguments, before=before)

    def command(self, name: str, *arguments: str, before: Sequence[str] = ()) -> Process:
        """Start any program, as L{python} does."""
        process = Process(name, [*before, *arguments])
        self._started.append(process)
        return process

    def registrar(self, udp: int, *options: str, before: Sequence[str] = ()) -> Process:
        """C{twistd rserpool-ns} with this UDP port of SCTP over UDP; it serves when this returns."""
        arguments = [*TWISTD, "rserpool-ns", "--udp-encapsulation", str(udp), *options]
        process = self.python("rserpool-ns", *arguments, before=before)
        process.says("serves ASAP")
        return process

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        for process in reversed(self._started):
            process.end()


def free_port(kind: socket.SocketKind) -> int:
    """A port of 127.0.0.1 that nobody has just now."""
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def end_cleanly() -> None:
    """Let SIGTERM end this process as an interrupt does, so that those that it started end with it."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
