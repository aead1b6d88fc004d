"""The course of one session at its user: performs what the core asks for, with one link and one timer.

L{rserpool.core.session.session} decides; this connects, sends, asks the registrar, and tells what happened.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.errors import RSerPoolError, SctpUnavailable
from rserpool.core.handles import handle_text
from rserpool.core.session.effects import (
    Answered,
    Deliver,
    Dial,
    HangUp,
    Notice,
    Over,
    Probe,
    Report,
    Resolve,
    SayGoodbye,
    SendControl,
    SendData,
    SendRequest,
    Served,
    SessionEffect,
    Unanswered,
)
from rserpool.core.session.lateness import LATE
from rserpool.core.session.session import Session as Core
from rserpool.core.wire import asap
from rserpool.core.wire.frames import Hello
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.session.dialling import Dialling, NotSpoken
from rserpool.session.links import Link
from rserpool.user.drop import Connections, Drop, listed_by
from rserpool.user.service import PoolUserService

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall


class Face(Protocol):
    """Whom a course tells."""

    def delivered(self, data: bytes) -> None:
        """A message that is no answer came."""

    def served(self, old: PoolElementParameter | None, new: PoolElementParameter) -> None:
        """An element serves; C{old} served before."""

    def flow_changed(self) -> None:
        """Whether messages go out at once has changed, perhaps."""

    def ended(self, over: Over) -> None:
        """The session is over; called once."""


class Course:
    """The course of one session.

    @ivar core: who decides.
    @ivar link: the connection to the element that serves, if there is one.
    @ivar over: how the session ended, if it has.
    """

    _log = Logger()

    def __init__(
        self, user: PoolUserService, core: Core, face: Face, *, attempt: float, items: int | None, ppid: int, drop: bool
    ) -> None:
        self.core = core
        self.link: Link | None = None
        self.over: Over | None = None
        self.now = user.now
        self._user = user
        self._face = face
        self._attempt = attempt
        self._items = items
        self._ppid = ppid
        self._dialling: Dialling | None = None
        self._resolving: Deferred[Any] | None = None
        self._listed_by: float | None = None
        self._connections = Connections()
        self._drop = Drop(user, core.handle, self._connections, dropped=self._removed) if drop else None
        self._reading = True
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0

    def ask(self, answer: Deferred[bytes], data: bytes, seconds: float | None, repeat: bool | None) -> None:
        """Send a request, or let it wait.

        @raise RSerPoolError: if the session takes none.
        @raise ValueError: if the transport takes none of this length.
        """
        core, link = self.core, self.link
        now = self.now()
        deadline = None if seconds is None else now + seconds
        number = 0 if link is None else core.ask(answer, data, now, deadline, repeat)
        if number and link is not None:
            link.send_request(number, data, False)
            # Else a timer is there already, and soon enough.
            if self._timer is None or self._timer_at > min(now + LATE, deadline or math.inf):
                self._rearm()
        else:
            self.perform(core.request(answer, data, now, deadline=deadline, repeat=repeat))

    def leave(self, why: str, report: bool) -> None:
        """Go on elsewhere, as if the element had failed."""
        if self.link is not None:
            self.hang_up()
            self._failed(why, report)

    def read(self, on: bool) -> None:
        """Whether anything is to be received."""
        self._reading = on
        if self.link is not None:
            if on:
                self.link.start_reading()
            else:
                self.link.stop_reading()

    # What links tell (Owner)

    def link_up(self, link: Link, hello: Hello | None) -> None:
        if self._dialling is not None and link is self._dialling.link:
            self.link, self._dialling = link, None
            if not self._reading:
                link.stop_reading()
            self.perform(self.core.connected(link.traits, self.now()))

    def link_data(self, link: Link, data: bytes) -> None:
        if link is self.link:
            if self.core.plain:
                self._face.delivered(data)
            else:
                self.perform(self.core.data(data, self.now()))

    def link_asked(self, link: Link, number: int, data: bytes, repeated: bool) -> None:
        """An element asks nothing."""

    def link_answered(self, link: Link, number: int, data: bytes) -> None:
        if link is self.link:
            now = self.now()
            answer: Any = self.core.taken(number, now)
            if answer is None:
                self.perform(self.core.reply(number, data, now))
            else:
                answer.callback(data)

    def link_control(self, link: Link, message: asap.Message) -> None:
        if link is self.link:
            self.perform(self.core.control(message, self.now()))

    def link_goodbye(self, link: Link) -> None:
        if link is self.link:
            self.link = None
            link.close()
            self._failed("it took its leave", broken=False)

    def link_paused(self, link: Link) -> None:
        if link is self.link:
            self.core.paused()
            self._face.flow_changed()

    def link_resumed(self, link: Link) -> None:
        if link is self.link:
            self.perform(self.core.resumed(self.now()))
            self._face.flow_changed()

    def _removed(self, link: Any) -> None:
        if link is not None and link is self.link:
            self.perform(self.core.removed(self.now()))
            self._face.flow_changed()

    def link_lost(self, link: Link, reason: Failure) -> None:
        if link is self.link:
            self.link = None
        elif self._dialling is not None and link is self._dialling.link:
            self._dialling = None
        else:
            return
        # What this machine lacks is not the element's fault.
        broken = reason.check(SctpUnavailable, CannotListenError) is None
        self._failed(reason.getErrorMessage() or type(reason.value).__name__, broken)

    def _failed(self, why: str, broken: bool = True) -> None:
        self.perform(self.core.failed(why, self.now(), broken=broken))
        self._face.flow_changed()

    # What the core asks for

    def perform(self, effects: list[SessionEffect]) -> None:
        """Do what the core asks for, in order, and re-arm the timer."""
        for effect in effects:
            kind = type(effect)
            if kind is SendRequest:
                self._send_request(effect)  # type: ignore[arg-type]
            elif kind is Answered:
                effect.token.callback(effect.data)  # type: ignore[union-attr]
            else:
                self._perform_other(effect)
        self._rearm()

    def _perform_other(self, effect: SessionEffect) -> None:
        match effect:
            case SendData(data):
                self._send_data(data)
            case Deliver(data):
                self._face.delivered(data)
            case Unanswered(token, error):
                answer: Any = token
                answer.errback(Failure(error))
            case SendControl(message):
                if self.link is not None:
                    self.link.send_control(message)
            case Resolve(seconds, fresh):
                self._resolve(seconds, fresh)
            case Dial(element, resumed):
                self._dial(element, resumed)
            case HangUp():
                self.hang_up()
            case SayGoodbye():
                if self.link is not None:
                    link, self.link = self.link, None
                    link.close()
            case Report(identifier):
                self._user.report(self.core.handle, identifier)
            case Probe():
                if self.link is not None:
                    self.link.probe()
            case Served(old, new):
                self._served(new)
                self._face.served(old, new)
            case Over():
                self._ended(effect)
            case Notice(text):
                self._log.warn("session with pool {pool!r}: {text}", pool=handle_text(self.core.handle), text=text)

    def _send_data(self, data: bytes) -> None:
        """A message that has waited."""
        if self.link is not None:
            try:
                self.link.send_data(data)
            except ValueError as error:
                self._log.error("session with {pool!r}: {error}", pool=handle_text(self.core.handle), error=str(error))

    def _send_request(self, effect: SendRequest) -> None:
        if self.link is None:
            return
        try:
            self.link.send_request(effect.number, effect.data, effect.repeated)
        except ValueError as error:
            self.perform(self.core.unsendable(effect.number, str(error)))

    def _resolve(self, seconds: float, fresh: bool) -> None:
        def resolved(answer: Any) -> None:
            self._resolving = None
            self._listed_by = listed_by(self._user, answer)
            self.perform(self.core.resolved(answer.elements, self.now()))

        def failed(failure: Failure) -> None:
            self._resolving = None
            if failure.check(CancelledError) is None:
                error = failure.value if isinstance(failure.value, RSerPoolError) else RSerPoolError(str(failure.value))
                self.perform(self.core.unresolved(error, self.now()))

        seconds = max(0.01, min(seconds, self._user.default_timeout))
        resolving = self._user.resolve(self.core.handle, items=self._items, timeout=seconds, fresh=fresh)
        self._resolving = resolving
        resolving.addCallbacks(resolved, failed)
        resolving.addErrback(lambda failure: self._log.failure("session with {pool}", failure, pool=self.core.handle))

    def _dial(self, element: PoolElementParameter, resumed: bool) -> None:
        hello = Hello(self.core.handle, resumed)
        try:
            self._dialling = Dialling(self._user, element, self, hello, self._ppid)
            self._dialling.start(self._attempt)
        except (NotSpoken, RSerPoolError, OSError) as error:
            # For example no SCTP on this machine. Not at once: there may be many of them.
            self._dialling = None
            self._user.reactor.callLater(0, self._not_dialled, str(error))

    def _not_dialled(self, why: str) -> None:
        if self._dialling is None and self.link is None:
            self._failed(why, broken=False)

    def hang_up(self) -> None:
        """Abort the link, or the attempt."""
        link, self.link = self.link, None
        dialling, self._dialling = self._dialling, None
        if link is not None:
            link.abort()
        if dialling is not None:
            dialling.stop()

    def _served(self, new: PoolElementParameter) -> None:
        if self.link is not None:
            self._connections.add(new, self.link, self._listed_by)
            if self._drop is not None:
                self._drop.watch()

    def _ended(self, over: Over) -> None:
        self.over = over
        if self._resolving is not None:
            self._resolving.cancel()
        if self._drop is not None:
            self._drop.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        self._face.ended(over)

    def _rearm(self) -> None:
        if self.over is not None:
            return
        when = self.core.next_deadline()
        # A timer that comes too early does no harm, and moving it costs more.
        if when is None or (self._timer is not None and self._timer_at <= when):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._user.reactor.callLater(max(0.0, when - self.now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.perform(self.core.tick(self.now()))
