"""A session with a pool, at the user's side: it goes on when the element that serves it fails (RFC 5352 section 3.8).

C{session = user.session("pool", repeat=True)}; C{await session.request(b"...", timeout=2.0)}.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.asap import session as core
from rserpool.asap.failover import Timers
from rserpool.asap.session_effects import (
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
from rserpool.errors import RSerPoolError, SessionEnded
from rserpool.service.drop import Connections, Drop, listed_by
from rserpool.service.handles import handle_of, handle_text
from rserpool.service.user import PoolUserService
from rserpool.session.dialling import Dialling, NotSpoken
from rserpool.session.links import Link
from rserpool.session.sctp import checked_ppid
from rserpool.wire import asap
from rserpool.wire.frames import Hello
from rserpool.wire.parameters import PoolElement

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

TIMEOUT = 30.0
"""Seconds that a request may take, where nothing else is said."""


class Session:
    """A connection to a pool. Make it by L{PoolUserService.session}; it begins to connect at once.

    The attributes C{received}, C{failed_over}, C{paused}, C{resumed} and C{ended} are the callbacks, and may be set at
    any time.

    @ivar received: called with each message (C{bytes}) that is no answer to a request.
    @ivar failed_over: called once for each failover, with the old and the new
        L{PoolElement<rserpool.wire.parameters.PoolElement>}. Messages that were sent without a request, and not
        answered in the application's own way, may be lost with the old one.
    @ivar paused: called when messages do not go out at once any more; C{resumed}: when they do again.
    @ivar ended: called once when the session is over, with the
        L{SessionEnded<rserpool.errors.SessionEnded>}, or None if C{close} was called.
    """

    _log = Logger()

    def __init__(
        self,
        user: PoolUserService,
        pool: bytes | str,
        *,
        received: Callable[[bytes], object] | None = None,
        failed_over: Callable[[PoolElement, PoolElement], object] | None = None,
        ended: Callable[[SessionEnded | None], object] | None = None,
        repeat: bool = False,
        timeout: float | None = TIMEOUT,
        patience: float = 30.0,
        attempt: float | None = None,
        attempts: int = 10,
        silence: float | None = None,
        drop: bool = True,
        items: int | None = None,
        ppid: int = 0,
        own_pool: bytes | str | None = None,
        own_elements: Sequence[PoolElement] = (),
    ) -> None:
        """
        @param repeat: whether a request that an element left unanswered is given to the next one. It may then be done
            twice: the next element is told. Without it such a request fails.
        @param timeout: seconds that a request may take, where the request does not say it; None for ever.
        @param patience: seconds that the session may be without an element before it ends.
        @param attempt: seconds that one element may take to accept and say hello; T1 of the profile by default.
        @param attempts: to so many elements a request is given, with C{repeat}.
        @param silence: seconds after which an element that owes an answer and says nothing has failed; None for never.
        @param drop: leave an element that the registrar removes, whatever its transport says.
        @param items: how many elements to ask the registrar for; None for all.
        @param ppid: the SCTP payload protocol identifier of our messages.
        @param own_pool: the pool in which we are an element ourselves, for our business card (section 3.9).
        @param own_elements: who goes on in our place, in order of preference.
        """
        self.received = received
        self.failed_over = failed_over
        self.ended = ended
        self.paused: Callable[[], object] | None = None
        self.resumed: Callable[[], object] | None = None
        self._user = user
        self.handle = handle_of(pool)
        self._timeout = timeout
        self._items = items
        self._ppid = checked_ppid(ppid)
        card = None if own_pool is None else asap.BusinessCard(handle_of(own_pool), tuple(own_elements))
        self._attempt = user.profile.t1_enrp_request if attempt is None else attempt
        self._core = core.Session(
            self.handle,
            Timers(self._attempt, patience),
            repeat=repeat,
            attempts=attempts,
            silence=silence,
            card=card,
        )
        self._link: Link | None = None
        self._dialling: Dialling | None = None
        self._resolving: Deferred[Any] | None = None
        self._listed_by: float | None = None
        self._connections = Connections()
        self._drop = Drop(user, self.handle, self._connections, dropped=self._removed) if drop else None
        self._waiting_ready: list[Deferred[PoolElement]] = []
        self._waiting_drained: list[Deferred[None]] = []
        self._waiting_closed: list[Deferred[None]] = []
        self._over: Over | None = None
        self._paused = False
        self._stopped_reading = False
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0
        self._now = user.now
        self._perform(self._core.open(self._now()))

    def __repr__(self) -> str:
        return f"<Session with {handle_text(self.handle)!r}: {type(self._core.state).__name__}>"

    @property
    def element(self) -> PoolElement | None:
        """Who serves the session now; None while it looks for one."""
        return self._core.element

    @property
    def peer(self) -> Any:
        """The address of the element, as its transport has it; None while there is none."""
        return None if self._link is None else self._link.transport.getPeer()

    @property
    def host(self) -> Any:
        """Our own address, as the transport has it; None while there is no element."""
        return None if self._link is None else self._link.transport.getHost()

    @property
    def cookie(self) -> bytes | None:
        """The last cookie, as it came; it is for the next element alone to read."""
        return self._core.cookie

    @property
    def writable(self) -> bool:
        """Whether messages go out at once; if not, they wait, up to L{rserpool.asap.session.LONGEST_QUEUE} bytes."""
        return self._core.flowing

    @property
    def answers_messages(self) -> bool:
        """Whether requests can be made at the present element (over a bare stream of bytes they cannot)."""
        return self._core.traits.messages

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._over is not None

    def ready(self) -> Deferred[PoolElement]:
        """Wait for an element.

        @return: a C{Deferred} that fires with the element that serves, at once if there is one; it fails with
            L{SessionEnded<rserpool.errors.SessionEnded>}.
        """
        waiting: Deferred[PoolElement] = Deferred()
        if self._over is not None:
            waiting.errback(Failure(self._error()))
        elif self._core.element is not None:
            waiting.callback(self._core.element)
        else:
            self._waiting_ready.append(waiting)
        return waiting

    def send(self, data: bytes) -> None:
        """Send a message without waiting for an answer: to the present element, or else to the next.

        @raise rserpool.errors.SessionEnded: if the session is over.
        @raise rserpool.errors.SessionFull: if too much waits; see L{drained}.
        @raise ValueError: if it is too long for the transport (65,536 bytes over SCTP, 16 MiB over TCP).
        """
        if self._link is not None and self._core.flowing:
            self._link.send_data(data)
        else:
            self._perform(self._core.send(data, self._now()))

    def request(self, data: bytes, *, timeout: float | None = None, repeat: bool | None = None) -> Deferred[bytes]:
        """Send a message and wait for its answer.

        @param timeout: seconds that it may take; that of the session by default.
        @param repeat: whether it may be repeated at another element; as the session says by default.
        @return: a C{Deferred} of the answer, that can be cancelled. It fails with
            L{RequestTimeout<rserpool.errors.RequestTimeout>}, another
            L{RequestFailed<rserpool.errors.RequestFailed>} (which says by C{perhaps_done} whether an element was given
            the request), L{SessionEnded<rserpool.errors.SessionEnded>}, or
            L{SessionFull<rserpool.errors.SessionFull>} if too much waits for an element.
        """
        answer: Deferred[bytes] = Deferred(self._core.cancel)
        now = self._now()
        seconds = self._timeout if timeout is None else timeout
        deadline = None if seconds is None else now + seconds
        link = self._link
        number = 0 if link is None else self._core.ask(answer, data, now, deadline, repeat)
        try:
            if number and link is not None:
                link.send_request(number, data, False)
                # Else a timer is there already, and soon enough.
                if self._timer is None or self._timer_at > min(now + core.LATE, deadline or math.inf):
                    self._rearm()
            else:
                self._perform(self._core.request(answer, data, now, deadline=deadline, repeat=repeat))
        except (RSerPoolError, ValueError):
            self._core.cancel(answer)
            answer.errback()
        return answer

    def drained(self) -> Deferred[None]:
        """Wait until messages go out at once (backpressure).

        @return: a C{Deferred} that fails with L{SessionEnded<rserpool.errors.SessionEnded>}.
        """
        waiting: Deferred[None] = Deferred()
        if self._over is not None:
            waiting.errback(Failure(self._error()))
        elif self._core.flowing:
            waiting.callback(None)
        else:
            self._waiting_drained.append(waiting)
        return waiting

    def stop_reading(self) -> None:
        """Receive nothing for a while: the element is held back in its turn."""
        self._stopped_reading = True
        if self._link is not None:
            self._link.stop_reading()

    def start_reading(self) -> None:
        """Receive again."""
        self._stopped_reading = False
        if self._link is not None:
            self._link.start_reading()

    def introduce(self, pool: bytes | str, elements: Sequence[PoolElement] = ()) -> None:
        """Tell the element about the pool in which we are an element ourselves (RFC 5352 section 3.9)."""
        self._perform(self._core.introduce(asap.BusinessCard(handle_of(pool), tuple(elements))))

    def fail_over(self, *, report: bool = False) -> None:
        """Leave the element that serves now, as if it had failed, and go on at the one that comes next.

        Nothing happens while there is none. It may be the same again if the pool has no other.

        @param report: whether to tell the registrar that it does not serve (RFC 5352 section 3.5).
        """
        if self._link is not None:
            self._hang_up()
            self._perform(self._core.failed("the application left it", self._now(), broken=report))

    def close(self) -> Deferred[None]:
        """End the session; requests that wait fail.

        @return: a C{Deferred} that fires when that is done.
        """
        closed: Deferred[None] = Deferred()
        self._waiting_closed.append(closed)
        if self._over is None:
            self._perform(self._core.close(self._now()))
        else:
            self._tell_closed()
        return closed

    def abort(self) -> None:
        """End the session at once; what was not sent is lost."""
        if self._over is None:
            self._hang_up()
            self.close()

    # What links tell (Owner)

    def link_up(self, link: Link, hello: Hello | None) -> None:
        if self._dialling is not None and link is self._dialling.link:
            self._link, self._dialling = link, None
            if self._stopped_reading:
                link.stop_reading()
            self._perform(self._core.connected(link.traits, self._now()))

    def link_data(self, link: Link, data: bytes) -> None:
        if link is self._link:
            if self._core.plain:
                self._deliver(data)
            else:
                self._perform(self._core.data(data, self._now()))

    def link_asked(self, link: Link, number: int, data: bytes, repeated: bool) -> None:
        """An element asks nothing."""

    def link_answered(self, link: Link, number: int, data: bytes) -> None:
        if link is self._link:
            now = self._now()
            answer: Any = self._core.taken(number, now)
            if answer is None:
                self._perform(self._core.reply(number, data, now))
            else:
                answer.callback(data)

    def link_control(self, link: Link, message: asap.Message) -> None:
        if link is self._link:
            self._perform(self._core.control(message, self._now()))

    def link_goodbye(self, link: Link) -> None:
        if link is self._link:
            self._link = None
            link.close()
            self._perform(self._core.failed("it took its leave", self._now(), broken=False))
            self._tell_flow()

    def link_paused(self, link: Link) -> None:
        if link is self._link:
            self._core.paused()
            self._tell_flow()

    def link_resumed(self, link: Link) -> None:
        if link is self._link:
            self._perform(self._core.resumed(self._now()))
            self._tell_drained()
            self._tell_flow()

    def _removed(self, link: Any) -> None:
        if link is not None and link is self._link:
            self._perform(self._core.removed(self._now()))
            self._tell_flow()

    def link_lost(self, link: Link, reason: Failure) -> None:
        if link is self._link:
            self._link = None
        elif self._dialling is not None and link is self._dialling.link:
            self._dialling = None
        else:
            return
        why = reason.getErrorMessage() or type(reason.value).__name__
        self._perform(self._core.failed(why, self._now()))
        self._tell_flow()

    # What the core asks for

    def _perform(self, effects: list[SessionEffect]) -> None:
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
                self._deliver(data)
            case Unanswered(token, error):
                answer: Any = token
                answer.errback(Failure(error))
            case SendControl(message):
                if self._link is not None:
                    self._link.send_control(message)
            case Resolve(seconds, fresh):
                self._resolve(seconds, fresh)
            case Dial(element, resumed):
                self._dial(element, resumed)
            case HangUp():
                self._hang_up()
            case SayGoodbye():
                if self._link is not None:
                    link, self._link = self._link, None
                    link.close()
            case Report(identifier):
                self._user.report(self.handle, identifier)
            case Probe():
                if self._link is not None:
                    self._link.probe()
            case Served(old, new):
                self._served(old, new)
            case Over():
                self._ended(effect)
            case Notice(text):
                self._log.warn("session with pool {pool!r}: {text}", pool=handle_text(self.handle), text=text)

    def _send_data(self, data: bytes) -> None:
        """A message that has waited."""
        if self._link is not None:
            try:
                self._link.send_data(data)
            except ValueError as error:
                self._log.error("session with {pool!r}: {error}", pool=handle_text(self.handle), error=str(error))

    def _send_request(self, effect: SendRequest) -> None:
        if self._link is None:
            return
        try:
            self._link.send_request(effect.number, effect.data, effect.repeated)
        except ValueError as error:
            self._perform(self._core.unsendable(effect.number, str(error)))

    def _resolve(self, seconds: float, fresh: bool) -> None:
        def resolved(answer: Any) -> None:
            self._resolving = None
            self._listed_by = listed_by(self._user, answer)
            self._perform(self._core.resolved(answer.elements, self._now()))

        def failed(failure: Failure) -> None:
            self._resolving = None
            if failure.check(CancelledError) is None:
                error = failure.value if isinstance(failure.value, RSerPoolError) else RSerPoolError(str(failure.value))
                self._perform(self._core.unresolved(error, self._now()))
            elif self._over is None and not self._user.running:
                self.close()

        seconds = max(0.01, min(seconds, self._user.default_timeout))
        resolving = self._user.resolve(self.handle, items=self._items, timeout=seconds, fresh=fresh)
        self._resolving = resolving
        resolving.addCallbacks(resolved, failed)
        resolving.addErrback(lambda failure: self._log.failure("session with {pool}", failure, pool=self.handle))

    def _dial(self, element: PoolElement, resumed: bool) -> None:
        hello = Hello(self.handle, resumed)
        try:
            self._dialling = Dialling(self._user, element, self, hello, self._ppid)
        except NotSpoken as error:
            self._perform(self._core.failed(str(error), self._now(), broken=False))
            return
        try:
            self._dialling.start(self._attempt)
        except Exception as error:
            # For example no SCTP on this machine.
            self._dialling = None
            self._perform(self._core.failed(str(error), self._now(), broken=False))

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        dialling, self._dialling = self._dialling, None
        if link is not None:
            link.abort()
        if dialling is not None:
            dialling.stop()

    def _served(self, old: PoolElement | None, new: PoolElement) -> None:
        if self._link is not None:
            self._connections.add(new, self._link, self._listed_by)
            if self._drop is not None:
                self._drop.watch()
        waiting, self._waiting_ready = self._waiting_ready, []
        for each in waiting:
            each.callback(new)
        self._tell_drained()
        self._tell_flow()
        if old is not None:
            self._log.info(
                "session with pool {pool!r}: element 0x{old:08x} failed, 0x{new:08x} serves",
                pool=handle_text(self.handle),
                old=old.identifier,
                new=new.identifier,
            )
            self._call(self.failed_over, old, new)

    def _ended(self, over: Over) -> None:
        self._over = over
        if self._resolving is not None:
            self._resolving.cancel()
        if self._drop is not None:
            self._drop.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        error = self._error()
        disappointed: list[Deferred[Any]] = [*self._waiting_ready, *self._waiting_drained]
        self._waiting_ready, self._waiting_drained = [], []
        for waiting in disappointed:
            waiting.errback(Failure(error))
        self._call(self.ended, over.error)
        self._user.session_ended(self)
        self._tell_closed()

    def _error(self) -> SessionEnded:
        error = self._over.error if self._over is not None else None
        return error or SessionEnded("the session is closed")

    def _deliver(self, data: bytes) -> None:
        if self.received is not None:
            try:
                self.received(data)
            except Exception:
                self._log.failure("the receiver of the session with {pool!r} failed", pool=handle_text(self.handle))

    def _call(self, callback: Callable[..., object] | None, *arguments: Any) -> None:
        if callback is not None:
            try:
                callback(*arguments)
            except Exception:
                self._log.failure("a callback of the session with {pool!r} failed", pool=handle_text(self.handle))

    def _tell_drained(self) -> None:
        if self._waiting_drained and self._core.flowing:
            waiting, self._waiting_drained = self._waiting_drained, []
            for each in waiting:
                each.callback(None)

    def _tell_flow(self) -> None:
        """Whether messages go out at once has changed, perhaps."""
        if self._paused is self._core.flowing:
            self._paused = not self._paused
            self._call(self.paused if self._paused else self.resumed)

    def _tell_closed(self) -> None:
        waiting, self._waiting_closed = self._waiting_closed, []
        for each in waiting:
            each.callback(None)

    def _rearm(self) -> None:
        if self._over is not None:
            return
        when = self._core.next_deadline()
        # A timer that comes too early does no harm, and moving it costs more.
        if when is None or (self._timer is not None and self._timer_at <= when):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._user.reactor.callLater(max(0.0, when - self._now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._perform(self._core.tick(self._now()))
