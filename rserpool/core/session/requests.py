"""Requests of one session that wait for their answers: at most once, or repeated after a failover.

Where both ends are ours, requests carry numbers. Where the peer is foreign, its messages answer the requests in the
order in which they were sent: an answer to a request that nobody waits for any more is dropped in its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass

from rserpool.core.deadlines import Deadlines
from rserpool.core.errors import RequestFailed, RequestTimeout
from rserpool.core.session.effects import Unanswered
from rserpool.core.session.retired import Retired


@dataclass(slots=True, eq=False)
class Request:
    """One request.

    @ivar token: by which the application knows it.
    @ivar given: to how many elements it was given.
    @ivar here: whether the present element was given it.
    @ivar broke: how many elements broke before they answered it.
    @ivar before: whether one that leaves the pool was given it, and may still answer.
    """

    token: Hashable
    number: int
    data: bytes
    repeat: bool
    given: int = 0
    here: bool = False
    broke: int = 0
    before: bool = False


class Requests:
    """All of one session.

    @param attempts: a request that so many elements broke over is given to no other.
    @param deadlines: where those of requests are, by their numbers.
    @ivar forgiving: whether a state that an element leaves shows that what it was asked makes progress.
    @ivar asked: how many answers the present element owes.
    """

    def __init__(self, attempts: int, deadlines: Deadlines[int | str | Retired]) -> None:
        self._attempts = attempts
        self._deadlines = deadlines
        self._number = 0
        self._open: dict[int, Request] = {}
        # Without numbers: what was asked here, in order, also where nobody waits for it any more.
        self._unnumbered: deque[int] = deque()
        self.forgiving = False
        self.asked = 0

    @property
    def patient(self) -> bool:
        """Whether the present element was given something that no other may be given."""
        return self.asked > 0 and any(request.here and not request.repeat for request in self._open.values())

    @property
    def owed(self) -> bool:
        """Whether the next message of an element without numbers is an answer."""
        return bool(self._unnumbered)

    def add(self, token: Hashable, data: bytes, repeat: bool, deadline: float | None) -> Request:
        """A new request, not given to anybody yet."""
        self._number = self._number % 0xFFFFFFFF + 1
        request = self._open[self._number] = Request(token, self._number, data, repeat)
        if deadline is not None:
            self._deadlines.set(self._number, deadline)
        return request

    def give(self, request: Request, numbered: bool) -> bool:
        """It goes to the present element now; whether another element was given it before."""
        if not numbered:
            self._unnumbered.append(request.number)
        repeated = request.given > 0
        request.given += 1
        request.here = True
        self.asked += 1
        return repeated

    def pending(self) -> list[Request]:
        """Those that the present element was not given, in order."""
        return [request for request in self._open.values() if not (request.here or request.before)]

    def waits(self, request: Request) -> bool:
        """Whether somebody still waits for it, and the present element was not given it."""
        return self._open.get(request.number) is request and not (request.here or request.before)

    def answered(self, number: int) -> Request | None:
        """An answer with a number came; None if nobody waits for it."""
        request = self._open.get(number)
        if request is None or not request.here:
            return None
        del self._open[number]
        self.asked -= 1
        self._deadlines.cancel(number)
        return request

    def retire(self, who: str) -> Retired:
        """The present element leaves the pool: it is asked nothing more, and may answer what it was asked."""
        requests = [request for request in self._open.values() if request.here]
        for request in requests:
            request.here, request.before = False, True
        retired = Retired(who, [request.number for request in requests], self._unnumbered)
        self._unnumbered, self.asked = deque(), 0
        return retired

    def owes(self, retired: Retired) -> bool:
        """Whether somebody still waits for an answer of it."""
        return any(number in self._open and self._open[number].before for number in retired.numbers)

    def answered_late(self, retired: Retired, number: int | None) -> Request | None:
        """An answer of it came, with a number or without; None if nobody waits for it."""
        number = retired.unnumbered.popleft() if number is None else number
        request = self._open.get(number) if number in retired.numbers else None
        if request is None or not request.before:
            return None
        self._forget(request)
        return request

    def gone(self, retired: Retired, broken: bool) -> list[Unanswered]:
        """It answers nothing more, perhaps because it broke; those that fail with it. Others are L{pending} now."""
        waiting = [self._open[number] for number in retired.numbers if number in self._open]
        retired.numbers = []
        return self._left_alone(waiting, retired.who, broken)

    def unsent(self, number: int) -> Request | None:
        """The transport did not take it: no answer will come."""
        if number in self._unnumbered:
            self._unnumbered.remove(number)
        return self.answered(number)

    def next_answered(self) -> Request | None:
        """A message of an element without numbers came while L{owed}; None if nobody waits for this one."""
        return self.answered(self._unnumbered.popleft())

    def cancel(self, token: Hashable) -> None:
        """Nobody waits for it any more."""
        for request in self._open.values():
            if request.token is token:
                self._forget(request)
                break

    def element_gone(self, who: str, broken: bool) -> list[Unanswered]:
        """The present element is gone; those that fail with it.

        @param broken: whether it broke; a request that breaks whoever is given it must not break them all.
        """
        self._unnumbered.clear()
        failed = self._left_alone([each for each in self._open.values() if each.here], who, broken)
        self.asked = 0
        return failed

    def _left_alone(self, requests: list[Request], who: str, broken: bool) -> list[Unanswered]:
        failed: list[Unanswered] = []
        for request in requests:
            request.broke += broken
            if not request.repeat:
                reason = f"{who} failed before it answered; it may have done what was asked"
            elif request.broke >= self._attempts:
                reason = f"{request.broke} elements were given this request, and none answered; {who} was the last"
            else:
                request.here = request.before = False
                continue
            failed.append(self._fail(request, RequestFailed(reason)))
        return failed

    def all_over(self, reason: str) -> list[Unanswered]:
        """Nothing can be asked any more: all that is left."""
        self._unnumbered.clear()
        return [self._fail(each, RequestFailed(reason, each.given > 0)) for each in list(self._open.values())]

    def progressed(self) -> None:
        """The present element left a state: where that shows progress those that broke before it are forgotten."""
        for request in self._open.values() if self.forgiving else ():
            if request.here:
                request.broke = 0

    def overdue(self, number: int, who: str) -> list[Unanswered]:
        """The deadline of a request has come."""
        request = self._open.get(number)
        if request is None:
            return []
        reason = (
            f"{who} did not answer in time"
            if request.here or request.before
            else f"no element could be asked in time ({who})"
        )
        return [self._fail(request, RequestTimeout(reason, request.given > 0))]

    def _fail(self, request: Request, error: RequestFailed) -> Unanswered:
        self._forget(request)
        return Unanswered(request.token, error)

    def _forget(self, request: Request) -> None:
        del self._open[request.number]
        self._deadlines.cancel(request.number)
        if request.here:
            self.asked -= 1
