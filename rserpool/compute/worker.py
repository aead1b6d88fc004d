"""A worker: an element that does jobs, each session one at a time (RFC 5352 section 3.8).

The state that a job leaves by C{checkpoint} is the cookie of its session, signed by a key that all workers have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from rserpool.compute.slots import Slots
from rserpool.core.compute import frames
from rserpool.core.session.cookies import Cookies
from rserpool.session.asked import Asked
from rserpool.session.element import SessionProtocol
from rserpool.session.server import SessionFactory

if TYPE_CHECKING:
    # It loads TLS.
    from rserpool.compute.submitters import Submitters

NO_CODE = (
    "this worker takes no code: it calls functions by their names (twistd rserpool-worker --accept-code takes code)"
)


class Task:
    """A job at a worker.

    @ivar header: what is to be done.
    @ivar body: its arguments, and behind them the state of its last checkpoint.
    """

    def __init__(self, protocol: WorkerProtocol, request: Asked, header: dict[str, Any], body: bytes) -> None:
        self._protocol = protocol
        self._request = request
        self.header = header
        self.body = body
        self.number = request.number

    def outcome(self, outcome: bytes) -> None:
        """It is done, or failed."""
        self._protocol.done(self)
        self._request.reply(outcome)

    def checkpoint(self, message: bytes) -> None:
        """It left a state."""
        header, body = frames.decode(message)
        self._protocol.keep(frames.encode({"job": self.number, "as": header["as"]}, body))

    def progress(self, message: bytes) -> None:
        """It told how far it is."""
        if self._protocol.session.writable:
            # Who does not listen now hears the next one.
            self._protocol.session.send(message)

    def broke(self, why: str) -> None:
        """The slot died over it: for the user that is a worker that died, and it counts them."""
        self._protocol.done(self)
        self._protocol.session.abort()


class WorkerProtocol(SessionProtocol):
    """One session: one job at a time."""

    factory: WorkerFactory

    def __init__(self) -> None:
        self._task: Task | None = None
        self._restored: tuple[int, str, bytes] | None = None
        # The last state that the user could not take yet.
        self._held: bytes | None = None

    def sessionStarted(self, state: bytes | None) -> None:
        """Tell how many slots there are."""
        if state is not None:
            try:
                header, body = frames.decode(state)
                self._restored = int(header["job"]), str(header["as"]), body
            except (frames.BadFrame, KeyError, ValueError):
                self.factory.log.warn("{peer} brings a state that no worker left: ignored", peer=self.session.peer)
        self.session.send(frames.encode({"slots": self.factory.slots.count}))

    def messageReceived(self, data: bytes) -> None:
        """A job."""
        request = self.session.request
        if request is None:
            return
        header, body = frames.decode(data)
        if self._task is not None:
            request.reply(frames.failure("Busy", "a session does one job at a time"))
            return
        work = self._work(header, body)
        if isinstance(work, bytes):
            request.reply(work)
            return
        restored, self._restored = self._restored, None
        if restored is not None and restored[0] == request.number:
            work |= {"state as": restored[1], "state": len(restored[2])}
            body += restored[2]
        self._task = Task(self, request, work, body)
        self.factory.slots.put(self._task)

    def _work(self, header: dict[str, Any], body: bytes) -> dict[str, Any] | bytes:
        """What a slot is to do; or the answer, where it may not."""
        name, functions, submitters = header.get("do"), self.factory.slots.functions, self.factory.submitters
        if submitters is not None:
            return self._code(submitters, header, body)
        if "code" in header:
            return frames.failure("CodeRefused", NO_CODE)
        if functions is not None and name not in functions:
            offered = ", ".join(functions)
            return frames.failure("UnknownFunction", f"there is no function {name!r} here: there are {offered}")
        return {"do": name, "as": header.get("as")}

    def _code(self, submitters: Submitters, header: dict[str, Any], body: bytes) -> dict[str, Any] | bytes:
        name, length = str(header.get("do"))[: frames.LONGEST_NAME], header.get("code")
        why = submitters.refusal(self.session)
        if why:
            submitters.tell_refused(self.session, name, why)
            return frames.failure("NotAllowed", why)
        if length is None:
            return frames.failure(
                "UnknownFunction", "this worker takes code, and offers no functions: submit(function)"
            )
        if type(length) is not int or not 0 < length <= min(len(body), frames.LONGEST_CODE):
            return frames.failure("BadFrame", f"code has 1 to {frames.LONGEST_CODE} bytes")
        submitters.tell(self.session, name)
        return {"do": name, "as": header.get("as"), "code": length, "python": header.get("python")}

    def look_again(self) -> None:
        """Whether its user may still have code run."""
        task, submitters = self._task, self.factory.submitters
        why = "" if task is None or submitters is None else submitters.refusal(self.session)
        if task is not None and submitters is not None and why:
            submitters.tell_refused(self.session, task.header["do"], why)
            self.factory.slots.take_back(task)
            task.outcome(frames.failure("NotAllowed", why))

    def sendingResumed(self) -> None:
        """The user takes more: first of all where the job is."""
        state, self._held = self._held, None
        if state is not None:
            self.keep(state)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Nobody waits for the job any more."""
        task, self._task = self._task, None
        if task is not None:
            self.factory.slots.take_back(task)

    def done(self, task: Task) -> None:
        """The job is over."""
        self._task = self._held = None

    def keep(self, state: bytes) -> None:
        """Leave a state with the user."""
        if self.factory.cookies is None:
            self.factory.no_keys()
        elif self.session.writable:
            self.session.set_state(state)
        else:
            self._held = state


class WorkerFactory(SessionFactory):
    """Serves jobs.

    @param slots: those that do them.
    @param cookies: how checkpoints become cookies; None where the workers share no key: they are then dropped.
    @param submitters: whose code it takes, and no other jobs; None where it takes no code.
    """

    def __init__(
        self, slots: Slots, *, cookies: Cookies | None = None, submitters: Submitters | None = None, **options: Any
    ) -> None:
        super().__init__(self._build_one, cookies=cookies, **options)
        self.slots = slots
        self.submitters = submitters
        self._there: WeakSet[WorkerProtocol] = WeakSet()
        self._told = False

    def look_again(self, anew: bool) -> None:
        """Somebody may have lost the right to submit code.

        @param anew: whether all have to come again, since the certificates that they showed may not count any more.
        """
        for each in list(self._there):
            each.look_again()
        for session in list(self.sessions) if anew else ():
            session.abort()

    def _build_one(self) -> WorkerProtocol:
        protocol = WorkerProtocol()
        self._there.add(protocol)
        return protocol

    def no_keys(self) -> None:
        """A job left a checkpoint, and there is no key to sign it with."""
        if not self._told:
            self._told = True
            self.log.warn("checkpoints are dropped: they need a key that the workers of the pool share (--cookie-keys)")
