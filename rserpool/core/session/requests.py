"""Requests of one session that wait for their answers: at most once, or repeated after a failover.

Where both ends are ours, requests carry numbers. Where the peer is foreign, its messages answer the requests in the
order in which they were sent: an answer to a request that nobody waits for any more is dropped in its turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from rserpool.core.errors import RequestFailed, RequestTimeout


@dataclass(slots=True, eq=False)
class Request:
    """One request.

    @ivar token: by which the application knows it.
    @ivar given: to how many elements it was given.
    @ivar here: whether the present element was given it.
    """

    token: Hashable
    number: int
    data: bytes
    repeat: bool
    given: int = 0
    here: bool = False


class Requests:
    """All of one session.

    @param attempts: to so many elements one request is given.
    """

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts
        self._number = 0
        self._open: dict[int, Request] = {}
        # Deadlines, those of requests that were answered among them: most are, long before.
        self._deadlines: list[tuple[float, int]] = []
        # Without numbers: what was asked here, in order, also where nobody waits for it any more.
        self._asked: deque[int] = deque()
        self._here = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def asked(self) -> bool:
        """Whether the present element owes an answer."""
        return self._here > 0

    @property
    def patient(self) -> bool:
        """Whether the present element was given something that no other may be given."""
        return self._here > 0 and any(request.here and not request.repeat for request in self._open.values())

    @property
    def owed(self) -> bool:
        """Whether the next message of an element without numbers is an answer."""
        return bool(self._asked)

    def add(self, token: Hashable, data: bytes, repeat: bool, deadline: float | None) -> Request:
        """A new request, not given to anybody yet."""
        self._number = self._number % 0xFFFFFFFF + 1
        request = self._open[self._number] = Request(token, self._number, data, repeat)
        if deadline is not None:
            heappush(self._deadlines, (deadline, self._number))
            if len(self._deadlines) > 2 * len(self._open) + 64:
                self._deadlines = [entry for entry in self._deadlines if entry[1] in self._open]
                heapify(self._deadlines)
        return request

    def give(self, request: Request, numbered: bool) -> bool:
        """It goes to the present element now; whether another element was given it before."""
        if not numbered:
            self._asked.append(request.number)
        repeated = request.given > 0
        request.given += 1
        request.here = True
        self._here += 1
        return repeated

    def pending(self) -> Iterator[Request]:
        """Those that the present element was not given, in order."""
        return iter([request for request in self._open.values() if not request.here])

    def waits(self, request: Request) -> bool:
        """Whether somebody still waits for it, and the present element was not given it."""
        return self._open.get(request.number) is request and not request.here

    def answered(self, number: int) -> Request | None:
        """An answer with a number came; None if nobody waits for it."""
        request = self._open.get(number)
        if request is None or not request.here:
            return None
        del self._open[number]
        self._here -= 1
        return request

    def unsent(self, number: int) -> Request | None:
        """The transport did not take it: no answer will come."""
        if number in self._asked:
            self._asked.remove(number)
        return self.answered(number)

    def next_answered(self) -> Request | None:
        """A message of an element without numbers came while L{owed}; None if nobody waits for this one."""
        return self.answered(self._asked.popleft())

    def cancel(self, token: Hashable) -> None:
        """Nobody waits for it any more."""
        for request in self._open.values():
            if request.token is token:
                self._forget(request)
                break

    def element_gone(self, who: str) -> list[tuple[Hashable, RequestFailed]]:
        """The present element is gone; those that fail with it."""
        failed: list[tuple[Hashable, RequestFailed]] = []
        self._asked.clear()
        if not self._here:
            return failed
        self._here = 0
        for request in list(self._open.values()):
            if not request.here:
                continue
            request.here = False
            if not request.repeat:
                reason = f"{who} failed before it answered; it may have done what was asked"
            elif request.given >= self._attempts:
                reason = f"{request.given} elements were given this request, and none answered; {who} was the last"
            else:
                continue
            self._forget(request)
            failed.append((request.token, RequestFailed(reason)))
        return failed

    def all_over(self, reason: str) -> list[tuple[Hashable, RequestFailed]]:
        """The session is over: all that is left."""
        failed: list[tuple[Hashable, RequestFailed]] = [
            (request.token, RequestFailed(reason, request.given > 0)) for request in self._open.values()
        ]
        self._open.clear()
        self._asked.clear()
        self._here = 0
        self._deadlines = []
        return failed

    def overdue(self, now: float, who: str) -> list[tuple[Hashable, RequestFailed]]:
        """Those whose deadline has come."""
        failed: list[tuple[Hashable, RequestFailed]] = []
        while self._deadlines and self._deadlines[0][0] <= now:
            request = self._open.get(heappop(self._deadlines)[1])
            if request is None:
                continue
            reason = f"{who} did not answer in time" if request.here else f"no element could be asked in time ({who})"
            failed.append((request.token, RequestTimeout(reason, request.given > 0)))
            self._forget(request)
        return failed

    def next_deadline(self) -> float | None:
        """When L{overdue} must be called next, or None."""
        while self._deadlines and self._deadlines[0][1] not in self._open:
            heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def _forget(self, request: Request) -> None:
        del self._open[request.number]
        if request.here:
            self._here -= 1
