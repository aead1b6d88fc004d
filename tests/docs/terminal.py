"""A command in a terminal of its own: what it says, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Condition, Thread

PATIENCE = 120.0
"""Seconds for anything that is waited for; a machine may be busy."""


class Terminal:
    """One command, which runs.

    @ivar said: all it has said.
    """

    def __init__(self, command: list[str], where: Path, environment: Mapping[str, str]) -> None:
        self.command = " ".join(command)
        self.said = ""
        self._heard = 0
        self._closed = False
        self._changed = Condition()
        self._process = subprocess.Popen(
            command,
            cwd=where,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while data := os.read(self._process.stdout.fileno(), 65536):
            with self._changed:
                self.said += data.decode("utf-8", "replace")
                self._changed.notify()
        with self._changed:
            self._closed = True
            self._changed.notify()

    def shows(self, wanted: re.Pattern[str]) -> None:
        """Wait until it has said this, right behind what was seen of it before.

        @raise AssertionError: It never does, and what it said instead.
        """

        def seen() -> bool:
            if found := wanted.match(self.said, self._heard):
                self._heard = found.end()
            return bool(found)

        self._until(seen, f"to show {wanted.pattern!r}")

    def says(self, wanted: str) -> None:
        """Wait until it has said this somewhere behind what was seen of it before; all of that is still to be shown."""
        self._until(lambda: bool(re.compile(wanted, re.MULTILINE).search(self.said, self._heard)), f"to say {wanted!r}")

    def ends(self, status: int | None) -> None:
        """Wait until it has ended, with this status; None for any."""
        self._until(lambda: self._closed, "to end")
        if self._process.wait(PATIENCE) != status and status is not None:
            raise AssertionError(f"{self.command!r} ended with {self._process.returncode}:\n{self.said}")

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        with self._changed:
            while not condition():
                if self._closed or not self._changed.wait(max(0.0, end - time.monotonic())):
                    how = f"ended with {self._process.wait()}" if self._closed else "runs"
                    raise AssertionError(
                        f"{self.command!r} was {what}; it {how}, and went on from there:\n{self.said[self._heard :]}"
                        f"\n--- before that:\n{self.said[: self._heard]}"
                    )

    def leave(self) -> None:
        """Type Ctrl-C until it has ended: a program of others may miss one while its reactor starts."""
        end = time.monotonic() + PATIENCE
        with self._changed:
            while not self._closed and time.monotonic() < end:
                self._signal(signal.SIGINT)
                self._changed.wait_for(lambda: self._closed, 3.0)
        self.ends(None)

    def kill(self) -> None:
        """End it and all that it began."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass
