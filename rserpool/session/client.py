"""A session with a pool, at the user's side: it goes on when the element that serves it fails (RFC 5352 section 3.8).

C{session = Session(user, "pool", repeat=True)}; C{await session.request(b"...", timeout=2.0)}.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.errors import RSerPoolError, SessionEnded
from rserpool.core.handles import handle_of, handle_text
from rserpool.core.session.effects import Over
from rserpool.core.session.pool_session import PoolSession
from rserpool.core.user.trying import GRACE
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.session.driver import Order, SessionDriver
from rserpool.session.link_to import Reach
from rserpool.session.sctp import checked_ppid
from rserpool.user.service import PoolUserService

TIMEOUT = 30.0
"""Seconds that a request may take, where nothing else is said."""

ATTEMPTS = 3
"""Over so many elements a request may break, where nothing else is said."""

T = TypeVar("T")


class Session:
    """A connection to a pool, that goes on when its element fails (RFC 5352 section 3.8).

    It begins to connect at once; what is sent meanwhile waits. It ends with L{close}, or with the pool user.

    The attributes C{received}, C{failed_over}, C{paused}, C{resumed} and C{ended} are the callbacks, and may be set at
    any time.

    @param user: a pool user that runs.
    @param pool: the pool handle.
    @param repeat: whether a request that an element left unanswered is given to the next one. It may then be done
        twice: the next element is told. Without it such a request fails.
    @param timeout: seconds that a request may take, where the request does not say it; None for ever.
    @param patience: seconds that the session may be without an element before it ends.
    @param attempt: seconds that one element may take to accept and say hello; T1 of the profile by default.
    @param attempts: a request that so many elements broke over before they answered is given to no other: it may be
        what breaks them. Elements that take their leave do not count.
    @param forgiving: whether a state that the element leaves shows that the request makes progress: those that broke
        before it are then not counted any more.
    @param silence: seconds after which an element that owes an answer and says nothing has failed; None for never.
    @param grace: seconds that an element which leaves the pool has for what it was asked; new requests go to another
        meanwhile, but where the element keeps the session's state in cookies they wait.
    @param drop: leave an element that the registrar removes, whatever its transport says.
    @param items: how many elements to ask the registrar for; None for all.
    @param order: C{order(elements)} gives the elements that were resolved in the order in which to try them, where the
        policy's is not the one that is wanted.
    @param ppid: the SCTP payload protocol identifier of our messages.
    @param own_pool: the pool in which we are an element ourselves, for our business card (section 3.9).
    @param own_elements: who goes on in our place, in order of preference.
    @param tls: speak TLS with elements, over TCP and SCTP: the name for which the certificate of each must be, as
        L{PoolClientEndpoint<rserpool.user.endpoint.PoolClientEndpoint>} has it. After a failover nothing of the old
        connection is used again.
    @param tls_ca: PEM of who issues these certificates, as there.
    @raise RuntimeError: if the pool user does not run.
    @raise rserpool.core.errors.ConfigurationError: if something is wrong with C{tls} or C{tls_ca}.
    @ivar received: called with each message (C{bytes}) that is no answer to a request.
    @ivar failed_over: called once for each failover, with the old and the new
        L{PoolElementParameter<rserpool.core.wire.parameters.PoolElementParameter>}. Messages that were sent without a
        request, and not answered in the application's own way, may be lost with the old one.
    @ivar paused: called when messages do not go out at once any more; C{resumed}: when they do again.
    @ivar ended: called once when the session is over, with the
        L{SessionEnded<rserpool.core.errors.SessionEnded>}, or None if C{close} was called.
    """

    _log = Logger()
    paused: Callable[[], object] | None = None
    resumed: Callable[[], object] | None = None
    _paused = False

    def __init__(
        self,
        user: PoolUserService,
        pool: bytes | str,
        *,
        received: Callable[[bytes], object] | None = None,
        failed_over: Callable[[PoolElementParameter, PoolElementParameter], object] | None = None,
        ended: Callable[[SessionEnded | None], object] | None = None,
        repeat: bool = False,
        timeout: float | None = TIMEOUT,
        patience: float = 30.0,
        attempt: float | None = None,
        attempts: int = ATTEMPTS,
        forgiving: bool = False,
        silence: float | None = None,
        grace: float = GRACE,
        drop: bool = True,
        items: int | None = None,
        order: Order | None = None,
        ppid: int = 0,
        own_pool: bytes | str | None = None,
        own_elements: Sequence[PoolElementParameter] = (),
        tls: str | None = None,
        tls_ca: bytes | None = None,
    ) -> None:
        self.received, self.failed_over, self.ended = received, failed_over, ended
        self.handle = handle_of(pool)
        self._user = user
        self._timeout = timeout
        self._ready: list[Deferred[PoolElementParameter]] = []
        self._drained: list[Deferred[None]] = []
        self._closed: list[Deferred[None]] = []
        attempt = user.profile.t1_enrp_request if attempt is None else attempt
        self._core = PoolSession(
            self.handle,
            attempt=attempt,
            patience=patience,
            repeat=repeat,
            attempts=attempts,
            silence=silence,
            grace=grace,
            card=None if own_pool is None else asap.BusinessCard(handle_of(own_pool), tuple(own_elements)),
        )
        self._core.exchange.requests.forgiving = forgiving
        self._driver = SessionDriver(
            user,
            self._core,
            reach=Reach(user, attempt=attempt, ppid=checked_ppid(ppid), tls=tls, tls_ca=tls_ca),
            items=items,
            order=order,
            drop=drop,
            delivered=self._delivered,
            served=self._served,
            flow_changed=self._flow_changed,
            ended=self._ended,
        )
        user.opened(self)
        self._driver.perform(self._core.open(self._driver.now()))

    def __repr__(self) -> str:
        return f"<Session with {handle_text(self.handle)!r}: {type(self._core.state).__name__}>"

    @property
    def element(self) -> PoolElementParameter | None:
        """Who serves the session now; None while it looks for one."""
        return self._core.element

    @property
    def peer(self) -> Any:
        """The address of the element, as its transport has it; None while there is none."""
        return None if self._driver.link is None else self._driver.link.transport.getPeer()

    @property
    def host(self) -> Any:
        """Our own address, as the transport has it; None while there is no element."""
        return None if self._driver.link is None else self._driver.link.transport.getHost()

    @property
    def cookie(self) -> bytes | None:
        """The last cookie, as it came; it is for the next element alone to read."""
        return self._core.cookie

    @property
    def writable(self) -> bool:
        """Whether messages go out at once; else up to L{rserpool.core.session.outbox.LONGEST_QUEUE} bytes wait."""
        return self._core.exchange.flowing

    @property
    def answers_messages(self) -> bool:
        """Whether requests can be made at the present element (over a bare stream of bytes they cannot)."""
        return self._core.exchange.traits.messages

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._core.exchange.over is not None

    @property
    def finishing(self) -> bool:
        """Whether an element that has left the pool still owes answers, while another one serves already."""
        return self._core.retirement.finishing

    def ready(self) -> Deferred[PoolElementParameter]:
        """Wait for an element.

        @return: a C{Deferred} that fires with the element that serves, at once if there is one; it fails with
            L{SessionEnded<rserpool.core.errors.SessionEnded>}.
        """
        return self._wait(self._ready, self._core.element is not None, self._core.element)

    def send(self, data: bytes) -> None:
        """Send a message without waiting for an answer: to the present element, or else to the next.

        @raise rserpool.core.errors.SessionEnded: if the session is over.
        @raise rserpool.core.errors.SessionFull: if too much waits; see L{drained}.
        @raise ValueError: if it is too long for the transport (65,536 bytes over SCTP, 16 MiB over TCP).
        """
        link, exchange = self._driver.link, self._core.exchange
        if link is not None and exchange.flowing:
            link.send_data(data)
        else:
            self._driver.perform(exchange.send(data))

    def request(self, data: bytes, *, timeout: float | None = None, repeat: bool | None = None) -> Deferred[bytes]:
        """Send a message and wait for its answer.

        @param timeout: seconds that it may take; that of the session by default.
        @param repeat: whether it may be repeated at another element; as the session says by default.
        @return: a C{Deferred} of the answer, that can be cancelled. It fails with
            L{RequestTimeout<rserpool.core.errors.RequestTimeout>}, another
            L{RequestFailed<rserpool.core.errors.RequestFailed>} (which says by C{perhaps_done} whether an element was
            given the request), L{SessionEnded<rserpool.core.errors.SessionEnded>}, or
            L{SessionFull<rserpool.core.errors.SessionFull>} if too much waits for an element.
        """
        answer: Deferred[bytes] = Deferred(self._core.exchange.cancel)
        try:
            self._driver.ask(answer, data, self._timeout if timeout is None else timeout, repeat)
        except (RSerPoolError, ValueError):
            self._core.exchange.cancel(answer)
            answer.errback()
        return answer

    def drained(self) -> Deferred[None]:
        """Wait until messages go out at once (backpressure).

        @return: a C{Deferred} that fails with L{SessionEnded<rserpool.core.errors.SessionEnded>}.
        """
        return self._wait(self._drained, self.writable, None)

    def stop_reading(self) -> None:
        """Receive nothing for a while: the element is held back in its turn."""
        self._driver.read(False)

    def start_reading(self) -> None:
        """Receive again."""
        self._driver.read(True)

    def introduce(self, pool: bytes | str, elements: Sequence[PoolElementParameter] = ()) -> None:
        """Tell the element about the pool in which we are an element ourselves (RFC 5352 section 3.9)."""
        self._driver.perform(self._core.introduce(asap.BusinessCard(handle_of(pool), tuple(elements))))

    def fail_over(self, *, report: bool = False) -> None:
        """Leave the element that serves now, as if it had failed, and go on at the one that comes next.

        Nothing happens while there is none. It may be the same again if the pool has no other.

        @param report: whether to tell the registrar that it does not serve (RFC 5352 section 3.5).
        """
        self._driver.leave("the application left it", report)

    def close(self) -> Deferred[None]:
        """End the session; requests that wait fail.

        @return: a C{Deferred} that fires when that is done.
        """
        closed: Deferred[None] = Deferred()
        self._closed.append(closed)
        if self.over:
            _fire(self._closed, None)
        else:
            self._driver.perform(self._core.close(self._driver.now()))
        return closed

    def abort(self) -> None:
        """End the session at once; what was not sent is lost."""
        if not self.over:
            self._driver.hang_up()
            self.close()

    # What the driver tells

    def _delivered(self, data: bytes) -> None:
        if self.received is not None:
            try:
                self.received(data)
            except Exception:
                self._log.failure("the receiver of the session with {pool!r} failed", pool=handle_text(self.handle))

    def _served(self, old: PoolElementParameter | None, new: PoolElementParameter) -> None:
        _fire(self._ready, new)
        self._flow_changed()
        if old is not None:
            self._log.info(
                "session with pool {pool!r}: element 0x{old:08x} failed, 0x{new:08x} serves",
                pool=handle_text(self.handle),
                old=old.identifier,
                new=new.identifier,
            )
            self._call(self.failed_over, old, new)

    def _flow_changed(self) -> None:
        flowing = self.writable
        if flowing:
            _fire(self._drained, None)
        if self._paused is flowing:
            self._paused = not flowing
            self._call(self.paused if self._paused else self.resumed)

    def _ended(self, over: Over) -> None:
        _fire(self._ready, Failure(self._core.exchange.over))
        _fire(self._drained, Failure(self._core.exchange.over))
        self._call(self.ended, over.error)
        self._user.closed(self)
        _fire(self._closed, None)

    # Parts

    def _wait(self, waiting: list[Deferred[T]], here: bool, value: Any) -> Deferred[T]:
        waits: Deferred[T] = Deferred()
        if self.over:
            waits.errback(Failure(self._core.exchange.over))
        elif here:
            waits.callback(value)
        else:
            waiting.append(waits)
        return waits

    def _call(self, callback: Callable[..., object] | None, *arguments: Any) -> None:
        if callback is not None:
            try:
                callback(*arguments)
            except Exception:
                self._log.failure("a callback of the session with {pool!r} failed", pool=handle_text(self.handle))


def _fire(waiting: list[Deferred[T]], result: Any) -> None:
    """Let all that wait go on; whoever waits anew meanwhile waits for the next time."""
    fired, waiting[:] = waiting[:], []
    for each in fired:
        each.callback(result)
