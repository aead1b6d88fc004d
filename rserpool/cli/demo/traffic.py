"""The traffic of the demonstration: pages fetched over HTTP through the pool, and what became of each request."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.web.client import Agent, readBody
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from rserpool.core.errors import RSerPoolError
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.user.endpoint import PoolClientEndpoint
from rserpool.user.service import PoolUserService

DEADLINE = 5.0
"""A request without an answer after so many seconds is lost."""
ATTEMPT = 1.0
"""A server that has not answered after so many seconds is given up, and the request repeated at another."""


class Requests:
    """What became of the requests.

    @ivar served: answers by PE identifier.
    @ivar repeated: requests that failed at one element and were sent again to another.
    @ivar lost: requests without an answer within their deadline.
    @ivar gap: the longest time, in seconds, that one worker waited between two answers.
    """

    def __init__(self) -> None:
        self.served: dict[int, int] = {}
        self.answered = self.repeated = self.lost = 0
        self.gap = self._recent = 0.0
        self.errors: list[str] = []
        self._last: dict[object, float] = {}

    def begin(self, worker: object, now: float) -> None:
        """A worker begins to ask."""
        self._last[worker] = now

    def answer(self, worker: object, identifier: int, now: float) -> None:
        """One of its requests was answered."""
        self.answered += 1
        self.served[identifier] = self.served.get(identifier, 0) + 1
        self._waited(now - self._last[worker])
        self._last[worker] = now

    def end(self, worker: object) -> None:
        """It asks no more."""
        self._last.pop(worker, None)

    def take_gap(self, now: float) -> float:
        """The longest gap since the last call, of those, too, who wait still."""
        for last in self._last.values():
            self._waited(now - last)
        recent, self._recent = self._recent, 0.0
        return recent

    def _waited(self, seconds: float) -> None:
        self.gap = max(self.gap, seconds)
        self._recent = max(self._recent, seconds)


@implementer(IAgentEndpointFactory)
class _ThroughThePool:
    """Connects each request of one worker to an element of the pool."""

    def __init__(self, endpoint: PoolClientEndpoint) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: Any) -> PoolClientEndpoint:
        return self._endpoint


class Traffic:
    """Workers that fetch pages from the pool, one request after the other, until they are stopped."""

    def __init__(
        self, reactor: Any, user: PoolUserService, pool: bytes, pages: Sequence[str], requests: Requests
    ) -> None:
        self.requests = requests
        self._reactor = reactor
        self._user = user
        self._pool = pool
        self._pages = pages
        self._running = True
        self._cancelled = False
        self._done: Deferred[Any] | None = None

    def start(self, workers: int, pause: float) -> None:
        """Begin.

        @param pause: seconds that a worker waits between two requests.
        """
        self._done = gatherResults(
            [Deferred.fromCoroutine(self._work(number, pause)) for number in range(workers)], consumeErrors=True
        )

    def stop(self) -> Deferred[Any]:
        """Send no more requests; fires when the last has its answer or its deadline is over."""
        self._running = False
        assert self._done is not None
        return self._done

    def cancel(self) -> None:
        """Send no more requests, and wait for nothing."""
        self._running, self._cancelled = False, True
        if self._done is not None:
            self._done.addErrback(lambda _: None)
            self._done.cancel()

    async def _work(self, number: int, pause: float) -> None:
        chosen: list[PoolElementParameter] = []
        endpoint = PoolClientEndpoint(
            self._user, self._pool, timeout=DEADLINE, attempt=ATTEMPT, drop=True, chosen=chosen.append
        )
        agent = Agent.usingEndpointFactory(self._reactor, _ThroughThePool(endpoint))
        worker = (self, number)
        self.requests.begin(worker, time.monotonic())
        turn = number
        while self._running:
            page = self._pages[turn % len(self._pages)]
            turn += 1
            identifier = await self._request(agent, page, chosen)
            if identifier is not None:
                self.requests.answer(worker, identifier, time.monotonic())
            await deferLater(self._reactor, pause)
        self.requests.end(worker)

    async def _request(self, agent: Agent, page: str, chosen: list[PoolElementParameter]) -> int | None:
        """The identifier of the element that answered; None if the request is lost."""
        deadline = time.monotonic() + DEADLINE
        attempts = 0
        while not self._cancelled and (left := deadline - time.monotonic()) > 0:
            chosen.clear()
            try:
                fetching = Deferred.fromCoroutine(self._fetch(agent, page))
                fetching.addTimeout(min(left, ATTEMPT), self._reactor)
                await fetching
            except RSerPoolError as error:
                self._note(error)
                await deferLater(self._reactor, 0.01)
            except Exception as error:  # noqa: BLE001
                self._note(error)
                if chosen:
                    # The connection broke under the request: tell the registrar, and try another element at once.
                    self._user.report(self._pool, chosen[-1].identifier)
            else:
                self.requests.repeated += attempts > 0
                return chosen[-1].identifier
            attempts += 1
        self.requests.lost += not self._cancelled
        return None

    async def _fetch(self, agent: Agent, page: str) -> bytes:
        response: Any = await agent.request(b"GET", b"http://pool/" + page.encode())
        body = await readBody(response)
        if response.code != 200:
            raise OSError(f"{page}: status {response.code}")
        return body

    def _note(self, error: Exception) -> None:
        self.requests.errors.append(f"{type(error).__name__}: {error}")
        del self.requests.errors[:-20]
