"""Users that are served all the time, while something is done to the scope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from rserpool.user.endpoint import PoolClientEndpoint
from tests.processes.harness import Client


class Load:
    """A request all the time, each over a connection of its own.

    @param says: a request.
    @param good: whether an answer is one.
    @ivar done: how many were answered; C{lost} says what became of others.
    """

    def __init__(self, user: Any, says: bytes, good: Callable[[bytes], bool]) -> None:
        self.done = 0
        self.lost: list[str] = []
        self._says = says
        self._good = good
        self._endpoint = PoolClientEndpoint(user, b"pool")
        self._on = True
        self._ended: Deferred[None] = ensureDeferred(self._run())

    async def stop(self) -> None:
        self._on = False
        await self._ended

    async def more(self, number: int = 5) -> None:
        """Until so many more were answered."""
        wanted = self.done + number
        while self.done < wanted and not self.lost:
            await deferLater(reactor, 0.02)  # type: ignore[arg-type]

    async def _run(self) -> None:
        while self._on:
            try:
                client: Any = await self._endpoint.connect(Factory.forProtocol(Client))
                client.transport.write(self._says)
                answer = await client.lost
                if not self._good(answer):
                    self.lost.append(repr(answer[:100]))
                self.done += 1
            except Exception as error:
                self.lost.append(repr(error))
            await deferLater(reactor, 0.03)  # type: ignore[arg-type]
