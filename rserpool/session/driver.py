"""The driver of one session at its user: performs what the pure session asks for, with one link and one timer.

L{rserpool.core.session.pool_session} decides; this connects, sends, asks the registrar, and tells what happened.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

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
    ProbeLink,
    Release,
    Retire,
    SayGoodbye,
    SendControl,
    SendData,
    SendRequest,
    Served,
    SessionEffect,
    Unanswered,
)
from rserpool.core.session.lateness import LATE
from rserpool.core.session.pool_session import PoolSession
from rserpool.core.user.trying import Ask, PassedOver, Report
from rserpool.core.wire import asap
from rserpool.core.wire.frames import Hello
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.session.link_to import Reach
from rserpool.session.links import Link
from rserpool.session.retired import RetiredLinks
from rserpool.user.drop import Connections, Drop, listed_by
from rserpool.user.service import PoolUserService
from rserpool.user.use import Use

Order: TypeAlias = Callable[[Sequence[PoolElementParameter]], Sequence[PoolElementParameter]]
"""Puts elements into the order in which to try them."""


class SessionDriver:
    """Drives one session.

    @param reach: how it reaches elements.
    @param order: puts the elements that were resolved into the order in which to try them; None for the policy's.
    @param delivered: called with a message that is no answer.
    @param served: called with the element that served before, if there was one, and the one that serves now.
    @param flow_changed: called when, perhaps, messages go out at once that did not, or do not any more.
    @param ended: called once, with how it ended.
    @ivar link: the connection to the element that serves, if there is one.
    """

    _log = Logger()

    def __init__(
        self,
        user: PoolUserService,
        session: PoolSession,
        *,
        reach: Reach,
        items: int | None,
        order: Order | None,
        drop: bool,
        delivered: Callable[[bytes], None],
        served: Callable[[PoolElementParameter | None, PoolElementParameter], None],
        flow_changed: Callable[[], None],
        ended: Callable[[Over], None],
    ) -> None:
        self.link: Link | None = None
        self.now = user.now
        self._user = user
        self._session = session
        self._exchange = session.exchange
        self._reach = reach
        self._items = items
        self._order = order
        self._delivered = delivered
        self._served = served
        self._flow_changed = flow_changed
        self._ended = ended
        self._dialled: Link | None = None
        self._connecting: Deferred[Any] | None = None
        self._not_dialled: Any = None
        self._resolving: Deferred[Any] | None = None
        self._listed_by: float | None = None
        self._first, self._use = 0, Use()
        self._connections = Connections()
        self._drop = Drop(user, session.handle, self._connections, dropped=self._removed) if drop else None
        self._retired = RetiredLinks(session.retirement, self.perform, self.now)
        self._reading = True
        self._timer: Any = None
        self._timer_at = math.inf

    def ask(self, answer: Deferred[bytes], data: bytes, seconds: float | None, repeat: bool | None) -> None:
        """Send a request, or let it wait.

        @raise RSerPoolError: if the session takes none.
        @raise ValueError: if the transport takes none of this length.
        """
        now = self.now()
        deadline = None if seconds is None else now + seconds
        number = self._exchange.ask(answer, data, now, deadline, repeat)
        if number and self.link is not None:
            self.link.send_request(number, data, False)
            # Else a timer is there already, and soon enough.
            if self._timer_at > now + LATE or (deadline is not None and self._timer_at > deadline):
                self._rearm()
        else:
            self.perform(self._exchange.request(answer, data, now, deadline=deadline, repeat=repeat))

    def leave(self, why: str, report: bool) -> None:
        """Go on elsewhere, as if the element had failed."""
        if self.link is not None and self._session.element is not None:
            self.hang_up()
            self._failed(why, report)

    def read(self, on: bool) -> None:
        """Whether anything is to be received."""
        self._reading = on
        if self.link is not None:
            (self.link.start_reading if on else self.link.stop_reading)()

    def hang_up(self) -> None:
        """Abort the link, or the attempt."""
        link, self.link = self.link or self._dialled, None
        self._dialled = None
        if link is not None:
            link.abort()
        if self._connecting is not None:
            self._connecting.cancel()
        if self._not_dialled is not None and self._not_dialled.active():
            self._not_dialled.cancel()

    # What links tell (LinkOwner)

    def link_up(self, link: Link, hello: Hello | None) -> None:
        if link is self._dialled:
            self.link, self._dialled = link, None
            if not self._reading:
                link.stop_reading()
            self.perform(self._session.connected(link.traits, self.now()))

    def link_data(self, link: Link, data: bytes) -> None:
        if link is self.link:
            if self._session.plain:
                self._delivered(data)
            else:
                self.perform(self._session.data(data, self.now()))

    def link_asked(self, link: Link, number: int, data: bytes, repeated: bool) -> None:
        """An element asks nothing."""

    def link_answered(self, link: Link, number: int, data: bytes) -> None:
        if link is self.link:
            now = self.now()
            answer: Any = self._session.taken(number, now)
            if answer is None:
                self.perform(self._session.reply(number, data, now))
            else:
                answer.callback(data)

    def link_control(self, link: Link, message: asap.Message) -> None:
        if link is self.link:
            self.perform(self._session.control(message, self.now()))

    def link_goodbye(self, link: Link) -> None:
        if link is self.link:
            self.link = None
            link.close()
            self._failed("it took its leave", broken=False)

    def link_paused(self, link: Link) -> None:
        if link is self.link:
            self._exchange.paused()
            self._flow_changed()

    def link_resumed(self, link: Link) -> None:
        if link is self.link:
            self.perform(self._exchange.resumed(self.now()))
            self._flow_changed()

    def link_lost(self, link: Link, reason: Failure) -> None:
        if link is self.link:
            self.link = None
        elif link is self._dialled:
            self._dialled = None
        else:
            return
        # What this machine lacks is not the element's fault; and who has a wrong certificate may be right for others.
        broken = reason.check(SctpUnavailable, CannotListenError, PassedOver) is None
        self._failed(reason.getErrorMessage() or type(reason.value).__name__, broken)

    def _removed(self, link: Any, dead: bool) -> None:
        if link is not None and link is self.link:
            self.perform(self._session.removed(self.now(), dead))
            self._flow_changed()

    def _failed(self, why: str, broken: bool = True) -> None:
        self.perform(self._session.failed(why, self.now(), broken=broken))
        self._flow_changed()

    # What the session asks for

    def perform(self, effects: list[SessionEffect]) -> None:
        """Do what the session asks for, in order, and re-arm the timer."""
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
            case Ask() | Dial() | Served() if self._exchange.over is not None:
                # What came before it made the application close the session.
                pass
            case SendData(data):
                self._send_data(data)
            case Deliver(data):
                self._delivered(data)
            case Unanswered(token, error):
                answer: Any = token
                answer.errback(Failure(error))
            case SendControl(message) if self.link is not None:
                self.link.send_control(message)
            case Ask(seconds, fresh):
                self._resolve(seconds, fresh)
            case Dial(element, resumed):
                self._dial(element, resumed)
            case HangUp():
                self.hang_up()
            case Retire(retired):
                link, self.link = self.link, None
                self._retired.keep(link, retired)
            case Release(retired):
                self._retired.release(retired)
            case SayGoodbye() if self.link is not None:
                link, self.link = self.link, None
                link.close()
            case Report(element):
                self._user.report(self._session.handle, element.identifier)
            case ProbeLink() if self.link is not None:
                self.link.probe()
            case Served(old, new):
                serving = self.link
                if serving is not None:
                    self._use.accepted(lambda: serving.over)
                    self._connections.add(new, serving, self._listed_by)
                    if self._drop is not None:
                        self._drop.watch()
                self._served(old, new)
            case Over():
                self._stop()
                self._ended(effect)
            case Notice(text) if self.link is not None:
                pool = handle_text(self._session.handle)
                self.link.complain("session with pool {pool!r}: {text}", pool=pool, text=text)

    def _send_data(self, data: bytes) -> None:
        """A message that has waited."""
        if self.link is not None:
            try:
                self.link.send_data(data)
            except ValueError as error:
                self._log.error(
                    "session with {pool!r}: {error}", pool=handle_text(self._session.handle), error=str(error)
                )

    def _send_request(self, effect: SendRequest) -> None:
        if self.link is not None:
            try:
                self.link.send_request(effect.number, effect.data, effect.repeated)
            except ValueError as error:
                self.perform(self._exchange.unsendable(effect.number, str(error)))

    def _resolve(self, seconds: float, fresh: bool) -> None:
        def resolved(answer: Any) -> None:
            self._listed_by, self._first = listed_by(self._user, answer), answer.first
            elements = answer.elements if self._order is None else self._order(answer.elements)
            self.perform(self._session.resolved(elements, self.now()))

        def failed(failure: Failure) -> None:
            if failure.check(CancelledError) is None:
                error = failure.value if isinstance(failure.value, RSerPoolError) else RSerPoolError(str(failure.value))
                self.perform(self._session.unresolved(error, self.now()))

        handle, timeout = self._session.handle, max(0.01, min(seconds, self._user.default_timeout))
        self._resolving = resolving = self._user.resolve(
            handle, items=self._items, timeout=timeout, fresh=fresh, patience=0 if fresh else seconds
        )
        self._user.in_vain.watch(resolving, handle)
        resolving.addCallbacks(resolved, failed)
        resolving.addErrback(lambda failure: self._log.failure("session with {pool}", failure, pool=handle))

    def _dial(self, element: PoolElementParameter, resumed: bool) -> None:
        self._use.end()
        self._use, self._first = self._user.begin(self._session.handle, element, self._first), 0
        try:
            link = self._dialled = self._reach.link(element, self, Hello(self._session.handle, resumed))
            self._connecting = self._reach.connect(element, link)
        except (PassedOver, RSerPoolError, OSError) as error:
            # For example no SCTP on this machine. Not at once: there may be many of them.
            self._dialled = None
            self._not_dialled = self._user.reactor.callLater(0, self._failed, str(error), False)

    def _stop(self) -> None:
        self._use.end()
        if self._resolving is not None:
            self._resolving.cancel()
        if self._drop is not None:
            self._drop.rest()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rearm(self) -> None:
        when = self._session.next_deadline()
        # A timer that comes too early does no harm, and moving it costs more.
        if when is None or self._timer_at <= when:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._user.reactor.callLater(max(0.0, when - self.now()), self._tick)

    def _tick(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self.perform(self._session.tick(self.now()))
