"""Elements that left the pool while they owed answers: they finish, and another one is asked from then on."""

from __future__ import annotations

from rserpool.core.deadlines import Deadlines
from rserpool.core.session.effects import Release, Retire, SessionEffect
from rserpool.core.session.exchange import Exchange
from rserpool.core.session.retired import Retired
from rserpool.core.wire import asap
from rserpool.core.wire.causes import request_failure


class Retirement:
    """Those of one session.

    @param deadlines: where theirs are, by what they are.
    @ivar grace: seconds that each has.
    """

    def __init__(self, exchange: Exchange, deadlines: Deadlines[int | str | Retired], grace: float) -> None:
        self.grace = grace
        self._exchange = exchange
        self._deadlines = deadlines
        self._retired: list[Retired] = []

    @property
    def finishing(self) -> bool:
        """Whether one of them still owes an answer."""
        return bool(self._retired)

    def begin(self, now: float) -> Retire:
        """The present element leaves the pool."""
        retired = self._exchange.retire()
        self._retired.append(retired)
        self._deadlines.set(retired, now + self.grace)
        return Retire(retired)

    def message(self, retired: Retired, number: int | None, data: bytes) -> list[SessionEffect]:
        """A message of one of them came: an answer with a number, or without."""
        return [*self._exchange.late_answer(retired, number, data), *self.tidy()]

    def control(self, retired: Retired, message: asap.Message) -> list[SessionEffect]:
        """One of them says that its application failed at a request; what else it says comes too late."""
        failure = request_failure(message.causes) if isinstance(message, asap.Error) else None
        if failure is None:
            return []
        number, why = failure
        return [*self._exchange.late_failure(retired, number, why), *self.tidy()]

    def gone(self, retired: Retired, now: float, broken: bool = True) -> list[SessionEffect]:
        """Its connection is lost, or its time is over."""
        if retired not in self._retired:
            return []
        return [self._release(retired), *self._exchange.retired_gone(retired, now, broken)]

    def tidy(self) -> list[SessionEffect]:
        """Let those go that owe nothing any more."""
        requests = self._exchange.requests
        return [self._release(each) for each in self._retired[:] if not requests.owes(each)]

    def end(self) -> list[SessionEffect]:
        """The session is over."""
        return [self._release(each) for each in self._retired[:]]

    def _release(self, retired: Retired) -> Release:
        self._retired.remove(retired)
        self._deadlines.cancel(retired)
        return Release(retired)
