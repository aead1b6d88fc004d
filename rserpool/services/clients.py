"""Clients of echo and pingpong that count: numbered messages to a pool, one after the other, across failovers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from rserpool.core.errors import RequestFailed, RSerPoolError, SessionEnded, SessionFull, WireError
from rserpool.core.frozen import frozen
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.services.doubts import Doubts
from rserpool.services.messages import PPID_PINGPONG, Ping, Pong
from rserpool.services.tally import Tally
from rserpool.session.client import Session
from rserpool.user.service import PoolUserService

LONGEST_LINE = 2**16
"""Bytes; no line of echo is longer, with whatever is before its number."""


@frozen
class Returned:
    """An answer came.

    @ivar element: who serves now.
    @ivar round_trip: seconds; None if nobody waited for it: it came twice, or too late.
    @ivar reply: the number that the service gave it, where it counts.
    """

    number: int
    element: PoolElementParameter | None
    round_trip: float | None
    reply: int | None = None


@frozen
class Lost:
    """No answer came within the patience, or the session gave it up."""

    number: int
    why: str


@frozen
class FailedOver:
    """Another element goes on."""

    old: PoolElementParameter
    new: PoolElementParameter


News: TypeAlias = Returned | Lost | FailedOver


class Asking:
    """Sends numbered messages in a session with a pool, and counts what comes back.

    @ivar tally: the figures.
    @ivar session: the session, from L{run} on.
    """

    ppid = 0
    service = ""
    """What elements speak, for errors."""

    def __init__(
        self,
        user: PoolUserService,
        pool: bytes | str,
        *,
        interval: float = 0.5,
        count: int | None = None,
        patience: float = 30.0,
        size: int = 0,
        tls: str | None = None,
        tls_ca: bytes | None = None,
        tell: Callable[[News], object] = lambda news: None,
    ) -> None:
        """
        @param user: a pool user that runs.
        @param interval: seconds between two messages.
        @param count: how many to send; None for no end.
        @param patience: seconds until a message is given up, and that the session may be without an element.
        @param size: bytes of data in each message.
        @param tls: the name that the certificates of elements have, who then speak TLS; and with C{tls_ca} who issues
            these, as L{Session} takes both.
        @param tell: called with what happens.
        """
        self._tls: dict[str, Any] = {"tls": tls, "tls_ca": tls_ca}
        self._user = user
        self._pool = pool
        self._interval = interval
        self._count = count
        self._patience = patience
        self._size = size
        self._teller = tell
        self._sending = LoopingCall(self._send_next)
        self._sending.clock = user.reactor
        self._done: Deferred[None] = Deferred()
        self._stopped = False
        self._doubts = Doubts(user, pool, self.service, lambda error: self._fail(Failure(error)))
        self.tally = Tally()
        self.session: Session

    async def run(self) -> Tally:
        """Send, and wait for the answers; it can be cancelled.

        @raise SessionEnded: if no element could be used for too long.
        @raise rserpool.core.errors.AnotherService: if nobody in the pool speaks this service.
        """
        # Our own patience ends first.
        self.session = Session(
            self._user,
            self._pool,
            received=self._received,
            failed_over=self._failed_over,
            ended=self._ended,
            repeat=True,
            attempts=2**31,
            timeout=self._patience,
            patience=self._patience,
            ppid=self.ppid,
            order=self._doubts.order,
            **self._tls,
        )
        self._sending.start(self._interval).addErrback(self._fail)
        try:
            await self._done
        finally:
            if self._sending.running:
                self._sending.stop()
            # What waits was neither answered nor given up.
            self._stopped = True
            self._doubts.close()
            self.session.ended = None
            self.session.close()
        return self.tally

    def _now(self) -> float:
        return float(self._user.now())

    def _send_next(self) -> None:
        if self._count is not None and self.tally.sent >= self._count:
            self._sending.stop()
            return
        number = self.tally.sending(self._now())
        self._send(number)

    def _answered(self, number: int, reply: int | None = None) -> None:
        self._doubts.understood()
        round_trip = self.tally.answer(number, self._now(), reply)
        self._tell(Returned(number, self.session.element, round_trip, reply))
        self._perhaps_done()

    def _give_up(self, number: int, why: str) -> None:
        if not self._stopped and self.tally.give_up(number):
            self._tell(Lost(number, why))
        self._perhaps_done()

    def _failed_over(self, old: PoolElementParameter, new: PoolElementParameter) -> None:
        self.tally.failed_over()
        self._tell(FailedOver(old, new))
        self._doubts.left(old)

    def _ended(self, error: SessionEnded | None) -> None:
        if not self._done.called:
            self._done.errback(Failure(error or SessionEnded("the session is closed")))

    def _strange(self, why: str) -> None:
        self._doubts.strange(self.session.element, why)
        self.session.fail_over()

    def _fail(self, failure: Failure) -> None:
        if not self._done.called:
            self._done.errback(failure)

    def _perhaps_done(self) -> None:
        if self.tally.sent == self._count and not self.tally.waiting and not self._done.called:
            self._done.callback(None)

    def _tell(self, news: News) -> None:
        try:
            self._teller(news)
        except Exception:
            # For example nobody reads what is printed any more.
            self._fail(Failure())

    def _send(self, number: int) -> None:
        raise NotImplementedError

    def _received(self, data: bytes) -> object:
        raise NotImplementedError


class Pinging(Asking):
    """A client of pingpong: each ping is a request, which is repeated at the next element if it was not answered."""

    ppid = PPID_PINGPONG
    service = "pingpong"

    def _send(self, number: int) -> None:
        def answered(data: bytes) -> None:
            if not self._received(data):
                self._give_up(number, "what came in answer is no pong")

        def failed(failure: Failure) -> None:
            failure.trap(RequestFailed, RSerPoolError)
            self._give_up(number, str(failure.value))
            if not self.session.answers_messages:
                self._strange("it serves a stream of bytes")

        ping = Ping(number, bytes(self._size)).encode()
        self.session.request(ping).addCallback(answered).addErrback(failed)

    def _received(self, data: bytes) -> bool:
        # A service without session framing answers in order: the number tells which ping it was.
        try:
            pong = Pong.decode(data)
        except WireError as error:
            self._strange(str(error))
            return False
        self._answered(pong.number, pong.reply)
        return True


class Echoing(Asking):
    """A client of echo: lines, so that it can be spoken over a stream of bytes, too.

    Echo knows no cookies and no requests; what was not echoed is sent again to the next element.
    """

    service = "echo"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._rest = b""

    def _send(self, number: int) -> None:
        self._user.reactor.callLater(self._patience, self._give_up, number, f"no answer within {self._patience:g} s")
        if self.session.element is not None:
            self._say(number)
        elif self.tally.sent == 1:
            self.session.ready().addCallbacks(lambda _: self._say_all(), lambda _: None)

    def _failed_over(self, old: PoolElementParameter, new: PoolElementParameter) -> None:
        super()._failed_over(old, new)
        self._rest = b""
        if not self._stopped:
            self._say_all()

    def _say_all(self) -> None:
        for number in list(self.tally.waiting):
            self._say(number)

    def _say(self, number: int) -> None:
        line = b"echo %d " % number
        try:
            self.session.send(line.ljust(self._size - 1, b".") + b"\n")
        except SessionFull:
            self._give_up(number, "too much waits for the element")

    def _received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            words = line.split()
            if len(words) >= 2 and words[0] == b"echo" and words[1].isdigit():
                self._answered(int(words[1]))
            else:
                self._strange(f"no line that was sent: {line[:40]!r}")
        if len(self._rest) > LONGEST_LINE:
            self._strange(f"no line that was sent: {self._rest[:40]!r}")
            self._rest = b""
