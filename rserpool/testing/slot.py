"""A slot of a worker without a process: calls functions in the process that tests, which may take their time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure

from rserpool.core.compute import frames
from rserpool.core.compute.frames import Tag
from rserpool.job.telling import here

if TYPE_CHECKING:
    from rserpool.compute.slots import Asked, Owner


class MemorySlot:
    """Does what L{FunctionSlot<rserpool.compute.function_slot.FunctionSlot>} does.

    @param functions: by name. One that returns a C{Deferred} has done its job when that fires.
    @ivar task: the job that it has now.
    """

    def __init__(self, reactor: Any, owner: Owner, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._reactor = reactor
        self._owner = owner
        self._functions = functions
        self._dead = False
        self._doing: Deferred[Any] | None = None
        self.task: Asked | None = None
        reactor.callLater(0, self._ready)

    def run(self, task: Asked) -> None:
        """Do a job."""
        self.task = task
        body, length = task.body, task.header.get("state", 0)
        state, body = body[len(body) - length :], body[: len(body) - length]
        telling = here()
        telling.state = frames.unpack(task.header["state as"], state) if "state as" in task.header else None
        telling.send = self._tell
        try:
            arguments, named = frames.arguments_of(task.header.get("as"), body)
            doing = maybeDeferred(self._functions[task.header["do"]], *arguments, **named)
        except (frames.BadFrame, KeyError) as error:
            self._over(frames.failure(type(error).__name__, str(error)))
            return
        finally:
            telling.send = telling.state = None
        self._doing = doing.addCallbacks(self._done, self._failed)

    def checkpoint(self, state: Any) -> None:
        """The job that it has leaves a state, as L{rserpool.job.checkpoint} does while a function runs."""
        kind, body = frames.pack(state)
        self._tell(Tag.CHECKPOINT, frames.encode({"as": kind}, body))

    def kill(self) -> None:
        """End at once."""
        if not self._dead:
            self._dead = True
            doing, self._doing = self._doing, None
            if doing is not None:
                doing.addErrback(lambda failure: None)
                doing.cancel()
            self._reactor.callLater(0, self._owner.gone, self, "its process was killed (signal 9)", False)

    def _ready(self) -> None:
        if not self._dead:
            self._owner.ready(self, tuple(sorted(self._functions)))

    def _tell(self, tag: Tag, message: bytes) -> None:
        if self.task is not None and tag is Tag.CHECKPOINT:
            self.task.checkpoint(message)
        elif self.task is not None:
            self.task.progress(message)

    def _done(self, value: Any) -> None:
        try:
            self._over(frames.result(value))
        except (TypeError, ValueError) as error:
            self._over(frames.failure(type(error).__name__, f"what it returned cannot travel: {error}"))

    def _failed(self, failure: Failure) -> None:
        self._over(frames.failure(type(failure.value).__name__, str(failure.value), failure.getTraceback()))

    def _over(self, outcome: bytes) -> None:
        task, self.task = self.task, None
        if task is not None and not self._dead:
            self._owner.free(self)
            task.outcome(outcome)
