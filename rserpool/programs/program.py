"""A program that is not Twisted's, as a service: started, started again when it ends, and ended with its parent."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.backoff import Backoff
from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import printable
from rserpool.node.reactor import clock_of

GUARD: Final = Path(__file__).with_name("guard.py")
PARENT: Final = 3
RESTARTS: Final = Backoff(0.2, 30.0)
"""Seconds until it is started again."""
STEADY: Final = 10.0
"""Who has lived for so many seconds is started again at once."""
LONGEST: Final = 4096
"""Bytes of a line of the log."""


class ProgramService(Service):
    """Runs a program while it runs itself.

    What the program prints is in the log, a line each. When the service stops the program gets SIGTERM, and SIGKILL
    after C{grace} seconds; the same happens when this process is killed. On Linux all that the program started ends
    with it.

    @param command: the program and its arguments.
    @param user: the numbers of the user and the group that it runs as; None for ours.
    @param environment: what its environment has beside ours.
    @param grace: seconds that it may take to end.
    @raise ConfigurationError: if there is no such program.
    @ivar pid: of the process that runs it; None while it does not run.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        command: Sequence[str],
        *,
        user: tuple[int, int] | None = None,
        environment: Mapping[str, str] | None = None,
        grace: float = 5.0,
    ) -> None:
        path = shutil.which(command[0])
        if path is None:
            raise ConfigurationError(f"there is no program {command[0]}")
        self._reactor = reactor
        self._now = clock_of(reactor)
        self._words = [path, *command[1:]]
        self._name = Path(path).name
        self._user = "-" if user is None else f"{user[0]}:{user[1]}"
        self._environment = {**os.environ, **(environment or {})}
        self._grace = grace
        self._process: _Process | None = None
        self._pause = 0.0
        self._began = 0.0
        self._again: Any = None
        self._stopping: Deferred[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that sees to it."""
        return None if self._process is None else self._process.pid

    def startService(self) -> None:
        """Start it."""
        super().startService()
        self._begin()

    def stopService(self) -> Deferred[None] | None:
        """End it.

        @return: fires when it has ended.
        """
        super().stopService()
        if self._again is not None and self._again.active():
            self._again.cancel()
        if self._process is None:
            return None
        self._stopping = Deferred()
        self._process.end()
        return self._stopping

    def _begin(self) -> None:
        self._began = self._now()
        arguments = ["-I", "-S", str(GUARD), f"{self._grace:g}", self._user, "--", *self._words]
        self._process = _Process(self._tell, self._ended)
        self._reactor.spawnProcess(
            self._process,
            sys.executable,
            [sys.executable, *arguments],
            self._environment,
            childFDs={0: "w", 1: "r", 2: "r", PARENT: "w"},
        )
        self._log.info("{program} was started", program=self._name)

    def _tell(self, line: bytes) -> None:
        text = printable(line[:LONGEST].decode("utf-8", "replace").rstrip(), None)
        self._log.info("{program}: {line}", program=self._name, line=text)

    def _ended(self, status: int) -> None:
        self._process = None
        stopping, self._stopping = self._stopping, None
        if stopping is not None:
            stopping.callback(None)
        if not self.running:
            return
        self._pause = 0.0 if self._now() - self._began >= STEADY else RESTARTS.after(self._pause)
        how = f"was killed (signal {status - 128})" if status > 128 else f"has ended (status {status})"
        again = f"in {self._pause:g} s" if self._pause else "at once"
        self._log.warn("{program} {how}; it is started again {again}", program=self._name, how=how, again=again)
        self._again = self._reactor.callLater(self._pause, self._begin)


class _Process(ProcessProtocol):
    """One run."""

    def __init__(self, tell: Any, ended: Any) -> None:
        self._tell = tell
        self._ended = ended
        self._rest = {1: b"", 2: b""}

    @property
    def pid(self) -> int | None:
        transport: Any = self.transport
        return None if transport is None else transport.pid

    def end(self) -> None:
        """The guard sees to it."""
        transport: Any = self.transport
        transport.closeChildFD(PARENT)

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.closeChildFD(0)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, rest = (self._rest[childFD] + data).split(b"\n")
        for line in lines:
            self._tell(line)
        while len(rest) > LONGEST:
            self._tell(rest[:LONGEST])
            rest = rest[LONGEST:]
        self._rest[childFD] = rest

    def processEnded(self, reason: Failure) -> None:
        for rest in self._rest.values():
            if rest:
                self._tell(rest)
        end: Any = reason.value
        self._ended(128 + end.signal if end.signal is not None else end.exitCode or 0)
