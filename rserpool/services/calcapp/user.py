"""CalcApp at the user: jobs, each in a session of its own, that go on at other elements when theirs fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.errors import SessionEnded, SessionFull
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.services.alarm import Alarm
from rserpool.services.calcapp.job import Completed, Effect, Elsewhere, Job, Say
from rserpool.services.calcapp.messages import PPID_CALCAPP
from rserpool.services.clients import Asking, Returned
from rserpool.services.tally import Tally
from rserpool.session.client import Session
from rserpool.user.service import PoolUserService


class Calculation:
    """One job, under way.

    @param size: its calculations; C{number}: its own number.
    @param failed_over: called with the old and the new element when it goes on elsewhere.
    @param options: for L{Session<rserpool.session.client.Session>}.
    @ivar session: its session.
    @ivar done: fires with who completed it; it fails with L{SessionEnded<rserpool.core.errors.SessionEnded>}.
    """

    _log = Logger()

    def __init__(
        self,
        user: PoolUserService,
        pool: bytes | str,
        size: int,
        *,
        number: int = 1,
        failed_over: Callable[[PoolElementParameter, PoolElementParameter], object] = lambda old, new: None,
        **options: Any,
    ) -> None:
        self.done: Deferred[PoolElementParameter] = Deferred(lambda _: self.close())
        self._job = Job(number, size)
        self._failed_over = failed_over
        self._alarm = Alarm(user.reactor, self._tick)
        self.session = Session(
            user,
            pool,
            received=self._received,
            failed_over=self._elsewhere,
            ended=self._ended,
            ppid=PPID_CALCAPP,
            **options,
        )
        self.session.ready().addCallbacks(lambda _: self._served(), lambda _: None)

    def close(self) -> None:
        """Do it no more."""
        self._alarm.set(None)
        self.session.ended = None
        self.session.close()

    def _served(self) -> None:
        self._perform(self._job.served(self.session.cookie is not None, self._alarm.now()))

    def _elsewhere(self, old: PoolElementParameter, new: PoolElementParameter) -> None:
        self._failed_over(old, new)
        self._served()

    def _received(self, data: bytes) -> None:
        self._perform(self._job.receive(data, self._alarm.now()))

    def _tick(self) -> None:
        self._perform(self._job.tick(self._alarm.now()))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Say(message=message):
                    try:
                        self.session.send(message.encode())
                    except (SessionEnded, SessionFull):
                        # It is told in its own way; an element that takes nothing is missed soon.
                        pass
                case Elsewhere(why=why, failed=failed):
                    self._log.debug("the element of a job is left: {why}", why=why)
                    self.session.fail_over(report=failed)
                case Completed():
                    # It has just said so.
                    element: Any = self.session.element
                    self.close()
                    self.done.callback(element)
                    return
        self._alarm.set(self._job.next_deadline())

    def _ended(self, error: SessionEnded | None) -> None:
        self._alarm.set(None)
        self.done.errback(Failure(error or SessionEnded("the session is closed")))


class Calculating(Asking):
    """A client of CalcApp: a job each so many seconds, of C{size} calculations."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._running: dict[int, Calculation] = {}

    async def run(self) -> Tally:
        """Have them done, and wait for the last; it can be cancelled."""
        self._sending.start(self._interval).addErrback(self._fail)
        try:
            await self._done
        finally:
            if self._sending.running:
                self._sending.stop()
            self._stopped = True
            for each in self._running.values():
                each.close()
        return self.tally

    def _send(self, number: int) -> None:
        job = self._running[number] = Calculation(
            self._user,
            self._pool,
            self._size,
            number=number % 2**32,
            failed_over=self._failed_over,
            patience=self._patience,
            **self._tls,
        )
        job.done.addCallbacks(self._completed, self._lost, callbackArgs=(number,), errbackArgs=(number,))
        job.done.addErrback(self._fail)

    def _completed(self, element: PoolElementParameter, number: int) -> None:
        del self._running[number]
        self._tell(Returned(number, element, self.tally.answer(number, self._now())))
        self._perhaps_done()

    def _lost(self, failure: Failure, number: int) -> None:
        failure.trap(SessionEnded)
        del self._running[number]
        self._give_up(number, str(failure.value))
