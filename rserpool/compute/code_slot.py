"""A slot for jobs that bring their code: a confined process for each, that has no rights; the worker's end of it.

What comes from there is believed no more than what comes from a stranger: it is bounded, and either read strictly or
passed on as bytes to the user whose job it is. The process is new for each job, and waits for it; when the job is over
all its processes are ended, and only then its outcome is told.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any, Final

from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.compute.framed import Framed, adopt
from rserpool.compute.output import Output
from rserpool.compute.slots import Asked, Owner
from rserpool.core.compute import frames
from rserpool.core.compute.errors import JobFailed
from rserpool.core.compute.frames import Tag
from rserpool.job.__main__ import SOCKET
from rserpool.job.confined import PARENT, Limits

ENVIRONMENT: Final = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
"""All that the processes find there."""
PACKAGE: Final = str(Path(__file__).resolve().parent.parent.parent)
_MAIN: Final = (
    "import sys; sys.path.append(sys.argv[2]); from rserpool.job.confined import main; sys.exit(main(sys.argv[1]))"
)
LEAVING: Final = 1.0
"""Seconds in which a job that has closed its socket has to end."""
A_SECOND: Final = 200
"""So many messages of a job are read in a second."""
PRINTED: Final = 1024 * 1024
"""So many bytes of what it prints are read in a second."""


class CodeSlot:
    """One slot.

    @param limits: those of each job.
    """

    _log = Logger()

    def __init__(self, reactor: Any, owner: Owner, limits: Limits) -> None:
        self._reactor = reactor
        self._owner = owner
        self._limits = limits
        self._task: Asked | None = None
        self._killed = self._was_ready = False
        self._room = _Room(reactor, self, limits)

    def run(self, task: Asked) -> None:
        """Do a job, as soon as the process is ready."""
        self._task = task
        self._room.give(task)

    def kill(self) -> None:
        """End at once."""
        self._killed = True
        self._room.close()

    # What the process does

    def ready(self) -> None:
        """It has given up its rights."""
        if not self._was_ready:
            self._was_ready = True
            self._owner.ready(self, ())

    def over(self, outcome: bytes | None, why: str) -> None:
        """All its processes have ended.

        @param outcome: how the job went; None if it ended without saying so.
        """
        task, self._task = self._task, None
        if self._killed or task is None or outcome is None:
            self._owner.gone(self, "it was ended" if self._killed else why, not self._was_ready)
            return
        self._room = _Room(self._reactor, self, self._limits)
        self._owner.free(self)
        task.outcome(outcome)


class _Room(ProcessProtocol):
    """The processes of one job."""

    _log = Logger()

    def __init__(self, reactor: Any, slot: CodeSlot, limits: Limits) -> None:
        self._reactor = reactor
        self._slot = slot
        self._limits = limits
        self._task: Asked | None = None
        self._outcome: bytes | None = None
        self._why = ""
        self._ready = self._given = self._ended = False
        self._heard = self._printed = 0
        self._again: Any = None
        self._leaving: Any = None
        self._output = Output(self._log)
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-I", "-c", _MAIN, limits.text(), PACKAGE]
        with ours, theirs:
            descriptors: Any = {
                0: os.open(os.devnull, os.O_RDONLY),
                1: "r",
                2: "r",
                SOCKET: theirs.fileno(),
                PARENT: "w",
            }
            try:
                reactor.spawnProcess(self, sys.executable, command, ENVIRONMENT, path="/", childFDs=descriptors)
            finally:
                os.close(descriptors[0])
            self._link: Framed = adopt(reactor, ours, self._received, self._lost)

    def give(self, task: Asked) -> None:
        """Its job."""
        self._task = task
        self._begin()

    def close(self) -> None:
        """End them all."""
        transport: Any = self.transport
        if not self._ended and transport is not None:
            transport.closeChildFD(PARENT)

    def _begin(self) -> None:
        if self._ready and self._task is not None and not self._given:
            self._given = True
            self._link.send(frames.encode(self._task.header, self._task.body))

    def _received(self, message: bytes) -> None:
        if self._outcome is not None:
            # It was its last word.
            return
        if self._given:
            self._hold_back()
            try:
                self._says(message[0], message[1:])
            except (frames.BadFrame, KeyError, TypeError, ValueError, OverflowError) as error:
                self._end(frames.failure("BadFrame", f"its process says what is no message: {error}"[:200]))
        elif message[0] == Tag.READY:
            self._ready = True
            self._slot.ready()
            self._begin()
        elif message[0] == Tag.BROKEN:
            try:
                frames.value_of(message[1:])
            except JobFailed as error:
                self._why = str(error).removeprefix(f"{error.kind}: ")

    def _says(self, tag: int, message: bytes) -> None:
        """Whatever a job's process likes to say."""
        task: Any = self._task
        if tag == Tag.OUTCOME:
            self._end(message)
        elif tag == Tag.CHECKPOINT:
            header, body = frames.decode(message)
            if len(body) > frames.LONGEST_CHECKPOINT:
                raise frames.BadFrame("a checkpoint that is too long")
            frames.unpack(header["as"], body)
            task.checkpoint(frames.encode({"as": header["as"]}, body))
        elif tag == Tag.PROGRESS:
            task.progress(frames.encode({"progress": min(1.0, max(0.0, float(frames.decode(message)[0]["progress"])))}))
        else:
            raise frames.BadFrame(f"one of kind {tag}")

    def _hold_back(self) -> None:
        """Who says very much waits."""
        self._tick()
        self._heard += 1
        if self._heard == A_SECOND:
            self._link.pause()

    def _tick(self) -> None:
        if self._again is None:
            self._heard = 0
            self._again = self._reactor.callLater(1.0, self._listen)

    def _prints(self, data: bytes) -> None:
        self._tick()
        before, self._printed = self._printed, self._printed + len(data)
        if before < PRINTED <= self._printed:
            transport: Any = self.transport
            transport.pauseProducing()
        self._output.add(data)

    def _listen(self) -> None:
        self._again = None
        self._link.resume()
        if self._printed >= PRINTED and not self._ended:
            transport: Any = self.transport
            transport.resumeProducing()
        self._printed = 0

    def _lost(self, wrong: bool) -> None:
        """It cannot say anything any more: it has ended, and how is told in a moment, or it has closed the socket."""
        if wrong:
            self.close()
        elif self._leaving is None and not self._ended:
            self._leaving = self._reactor.callLater(LEAVING, self.close)

    def _end(self, outcome: bytes) -> None:
        self._outcome = outcome
        self.close()

    # ProcessProtocol

    def outReceived(self, data: bytes) -> None:
        self._prints(data)

    def errReceived(self, data: bytes) -> None:
        self._prints(data)

    def processEnded(self, reason: Failure) -> None:
        self._ended = True
        for timer in (self._again, self._leaving):
            if timer is not None and timer.active():
                timer.cancel()
        self._output.end()
        self._link.close()
        end: Any = reason.value
        status = 128 + end.signal if end.signal else end.exitCode or 0
        if self._outcome is None and status == 128 + signal.SIGXCPU:
            says = f"it used more than the {self._limits.seconds:g} s of processor time that a job may"
            self._outcome = frames.failure("TimeLimit", says)
        how = f"was killed (signal {status - 128})" if status > 128 else f"has ended (status {status})"
        self._slot.over(self._outcome, self._why or f"its process {how}")
