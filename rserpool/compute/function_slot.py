"""A slot with a process that does one job after the other: the worker's end of C{python -m rserpool.job}."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.compute.framed import adopt
from rserpool.compute.output import Output
from rserpool.compute.slots import Asked, Owner
from rserpool.core.compute import frames
from rserpool.core.compute.errors import JobFailed
from rserpool.core.compute.frames import Tag

SOCKET: Final = 3


class ProcessSlot(ProcessProtocol):
    """One process.

    @param words: what follows C{python -m}.
    """

    _log = Logger()

    def __init__(self, reactor: Any, owner: Owner, words: Sequence[str], environment: Mapping[str, str]) -> None:
        self._owner = owner
        self._task: Asked | None = None
        self._why = ""
        self._ready = False
        self._output = Output(self._log)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            command = [sys.executable, "-m", *words]
            descriptors: Any = {0: os.open(os.devnull, os.O_RDONLY), 1: "r", 2: "r", SOCKET: theirs.fileno()}
            try:
                self._process = reactor.spawnProcess(self, sys.executable, command, environment, childFDs=descriptors)
            finally:
                os.close(descriptors[0])
            # A process that ends tells how; one that says what is no message is of no use any more.
            self._link = adopt(reactor, ours, self.received, lambda wrong: self.kill() if wrong else None)

    def run(self, task: Asked) -> None:
        """Do a job."""
        self._task = task
        self._link.send(frames.encode(task.header, task.body))

    def kill(self) -> None:
        """End at once."""
        if self._process.pid is not None:
            self._process.signalProcess("KILL")

    def received(self, message: bytes) -> None:
        """The process says something."""
        tag, message = message[0], message[1:]
        task = self._task
        if tag == Tag.OUTCOME and task is not None:
            self._task = None
            self._owner.free(self)
            task.outcome(message)
        elif tag == Tag.CHECKPOINT and task is not None:
            task.checkpoint(message)
        elif tag == Tag.PROGRESS and task is not None:
            task.progress(message)
        elif tag == Tag.READY:
            self._ready = True
            self._owner.ready(self, tuple(frames.decode(message)[0]["functions"]))
        elif tag == Tag.BROKEN:
            try:
                frames.value_of(message)
            except JobFailed as error:
                self._why = f"{error}\n{error.traceback}".rstrip()

    # What the process does (ProcessProtocol)

    def outReceived(self, data: bytes) -> None:
        self._output.add(data)

    def errReceived(self, data: bytes) -> None:
        self._output.add(data)

    def processEnded(self, reason: Failure) -> None:
        self._output.end()
        self._link.close()
        why = self._why or _how(reason.value)
        self._owner.gone(self, why, not self._ready)


class FunctionSlot(ProcessSlot):
    """Calls the functions of a module.

    @param module: a name, or the path of a file.
    @param memory: bytes of address space that the process may have; 0 for as much as there is.
    """

    def __init__(
        self, reactor: Any, owner: Owner, module: str, memory: int = 0, environment: Mapping[str, str] = os.environ
    ) -> None:
        super().__init__(reactor, owner, ("rserpool.job", module, str(memory)), environment)


def _how(error: Any) -> str:
    """How a process ended."""
    signal = getattr(error, "signal", None)
    if signal is not None:
        return f"its process was killed (signal {signal})"
    return f"its process has ended (status {getattr(error, 'exitCode', 0)})"
