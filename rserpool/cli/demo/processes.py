"""The processes of the demonstration: real C{twistd}s, killed with real signals."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

TWISTD = """
import ctypes, os, signal, sys, threading
os.setsid()  # what is typed at the terminal is for the demonstration alone, which ends its processes
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: nobody outlives it, not even who is frozen
def alone():
    while os.read(0, 4096):  # sys.stdin has a lock, which the end of the interpreter wants
        pass
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=alone, daemon=True).start()
from twisted.scripts.twistd import run
run()
"""
HOST = "127.0.0.1"
"""Where all of it happens."""
KEPT = 200
"""So many lines of what a process printed are kept, to show them if something goes wrong."""


class Twistd(ProcessProtocol):
    """One C{twistd -n --pidfile= ...} in a process of its own.

    @ivar name: what the demonstration calls it.
    @ivar ended: fires with a sentence when the process is gone.
    @ivar heard: called with each line that it prints.
    """

    def __init__(self, name: str, arguments: list[str]) -> None:
        self.name = name
        self.lines: list[str] = []
        self.ended: Deferred[str] = Deferred()
        self.heard: Callable[[str], None] = lambda line: None
        self.alive = False
        self._arguments = [sys.executable, "-c", TWISTD, "-n", "--pidfile=", *arguments]
        self._rest = ""
        self._awaited: list[tuple[re.Pattern[str], Deferred[re.Match[str]]]] = []

    def start(self, reactor: Any, environment: dict[str, str]) -> None:
        """Spawn the process with this environment; its output is read line by line."""
        reactor.spawnProcess(self, sys.executable, self._arguments, environment)
        self.alive = True

    @property
    def pid(self) -> int | None:
        """The process id, while it lives: its output may end later than the process."""
        transport: Any = self.transport
        return transport.pid  # type: ignore[no-any-return]

    def signal(self, name: str) -> None:
        """Send it a signal: C{"KILL"}, C{"TERM"}, C{"STOP"}, C{"CONT"}."""
        if self.alive and (pid := self.pid) is not None:
            os.kill(pid, getattr(signal, f"SIG{name}"))

    def says(self, pattern: str) -> Deferred[re.Match[str]]:
        """Fires when the process has printed a line that matches; fails if it ends first."""
        expression = re.compile(pattern)
        for line in self.lines:
            match = expression.search(line)
            if match:
                found: Deferred[re.Match[str]] = Deferred()
                found.callback(match)
                return found
        awaited: Deferred[re.Match[str]] = Deferred()
        self._awaited.append((expression, awaited))
        return awaited

    def outReceived(self, data: bytes) -> None:
        self._take(data)

    def errReceived(self, data: bytes) -> None:
        self._take(data)

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data.decode("utf-8", "replace")).split("\n")
        for line in lines:
            self.lines.append(line)
            del self.lines[:-KEPT]
            self.heard(line)
            for expression, awaited in list(self._awaited):
                match = expression.search(line)
                if match:
                    self._awaited.remove((expression, awaited))
                    awaited.callback(match)

    def processEnded(self, reason: Failure) -> None:
        self.alive = False
        ending = reason.value
        if isinstance(ending, ProcessTerminated) and ending.signal is not None:
            sentence = f"{self.name} was ended by signal {ending.signal}"
        elif isinstance(ending, ProcessTerminated):
            sentence = f"{self.name} ended with status {ending.exitCode}"
        else:
            sentence = f"{self.name} ended"
        awaited, self._awaited = self._awaited, []
        for _, waiting in awaited:
            waiting.errback(RuntimeError("\n".join([sentence, *self.lines[-5:]])))
        self.ended.callback(sentence)


def free_ports(count: int, kind: socket.SocketKind) -> list[int]:
    """Ports of UDP or TCP that nobody uses now, so that the demonstration disturbs no registrar of this host."""
    sockets = [socket.socket(socket.AF_INET, kind) for _ in range(count)]
    try:
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
