"""CalcApp at the user: jobs, each in a session of its own, that go on at other elements when theirs fail."""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure

from rserpool.core.errors import AnotherService, SessionEnded
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.services.calcapp.job import Job
from rserpool.services.calcapp.messages import PPID_CALCAPP
from rserpool.services.clients import Asking, Returned
from rserpool.services.errand import Errand
from rserpool.services.tally import Tally
from rserpool.user.service import PoolUserService


class Calculation(Errand):
    """One job, under way.

    @param size: its calculations; C{number}: its own number.
    @param options: as L{Errand} has them.
    """

    def __init__(self, user: PoolUserService, pool: bytes | str, size: int, *, number: int = 1, **options: Any) -> None:
        # An element that leaves its pool has a last cookie to give; whether it is there we ask ourselves.
        super().__init__(user, pool, Job(number, size), "CalcApp", ppid=PPID_CALCAPP, drop=False, **options)


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
        if failure.check(AnotherService) is not None and not self.tally.answered:
            self._fail(failure)
        self._give_up(number, str(failure.value))
