"""A slot that runs a program: a job on its standard input, the result on its standard output."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.compute.output import Output
from rserpool.compute.slots import Asked, Owner
from rserpool.core.compute import frames

TAIL: Final = 4096
"""So much of what a program that fails said on standard error is told to the user."""


class ProgramSlot:
    """Runs a program for each job.

    What it gets is the job's one argument: bytes as they are, and anything else as JSON (of several arguments a list of
    them). What it prints is the result: bytes where the job was bytes, and JSON otherwise. A status that is not 0 is a
    failure of the job, and so is a signal.

    @param command: the program and its arguments.
    """

    def __init__(
        self, reactor: Any, owner: Owner, command: Sequence[str], environment: Mapping[str, str] = os.environ
    ) -> None:
        self._reactor = reactor
        self._owner = owner
        self._command = tuple(command)
        self._environment = environment
        self._run: _Run | None = None
        self._dead = False
        reactor.callLater(0, self._begin)

    def _begin(self) -> None:
        if not self._dead:
            self._owner.ready(self, (name_of(self._command),))

    def run(self, task: Asked) -> None:
        """Do a job."""
        try:
            given = _given(task)
        except frames.BadFrame as error:
            self._owner.free(self)
            task.outcome(frames.failure("BadFrame", str(error)))
            return
        self._run = _Run(self, task, given)
        try:
            self._reactor.spawnProcess(self._run, self._command[0], self._command, self._environment)
        except OSError as error:
            self._run = None
            self._owner.free(self)
            task.outcome(frames.failure(type(error).__name__, f"{self._command[0]}: {error.strerror}"))

    def kill(self) -> None:
        """End at once."""
        self._dead = True
        if self._run is not None:
            self._run.kill()
        else:
            self._reactor.callLater(0, self._owner.gone, self, "it was ended", False)

    def over(self, outcome: bytes) -> None:
        """The program has ended."""
        run, self._run = self._run, None
        assert run is not None
        if self._dead:
            self._owner.gone(self, "it was ended", False)
        else:
            self._owner.free(self)
            run.task.outcome(outcome)


def name_of(command: Sequence[str]) -> str:
    """By what name users ask for a program."""
    return Path(command[0]).name


class _Run(ProcessProtocol):
    """One job."""

    _log = Logger()

    def __init__(self, slot: ProgramSlot, task: Asked, given: bytes) -> None:
        self.task = task
        self._slot = slot
        self._given = given
        self._out: list[bytes] = []
        self._length = 0
        self._error = b""
        self._output = Output(self._log)

    def kill(self) -> None:
        if self.transport is not None and self.transport.pid is not None:
            self.transport.signalProcess("KILL")

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(self._given)
        transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        self._length += len(data)
        if self._length > frames.LONGEST:
            self.kill()
        else:
            self._out.append(data)

    def errReceived(self, data: bytes) -> None:
        self._error = (self._error + data)[-TAIL:]
        self._output.add(data)

    def processEnded(self, reason: Failure) -> None:
        self._output.end()
        self._slot.over(self._outcome(reason.value))

    def _outcome(self, end: Any) -> bytes:
        if self._length > frames.LONGEST:
            return frames.failure("TooLong", f"it printed more than {frames.LONGEST} bytes")
        if end.signal is not None or end.exitCode:
            how = f"killed by signal {end.signal}" if end.signal is not None else f"ended with status {end.exitCode}"
            return frames.failure("ProgramFailed", how, self._error.decode("utf-8", "replace"))
        printed = b"".join(self._out)
        if self.task.header.get("as") == frames.BYTES:
            return frames.result(printed)
        try:
            return frames.result(frames.unpack(frames.JSON, printed))
        except frames.BadFrame:
            return frames.failure("NotJSON", "the job was JSON, and what the program printed is none")


def _given(task: Asked) -> bytes:
    """What the program reads.

    @raise BadFrame: if the arguments are none.
    """
    arguments, named = frames.arguments_of(task.header.get("as"), task.body[: _end(task)])
    if named:
        raise frames.BadFrame("a program has no named arguments")
    if len(arguments) == 1:
        return frames.pack(arguments[0])[1]
    return frames.pack(list(arguments))[1]


def _end(task: Asked) -> int:
    return len(task.body) - int(task.header.get("state", 0))
