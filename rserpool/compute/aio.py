"""Jobs for asyncio: C{async with PoolExecutor("farm") as pool: value = await pool.submit("square", 7)}.

A thread of its own speaks with registrars and workers, as for L{rserpool.compute.PoolExecutor}.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from types import TracebackType
from typing import Any

from rserpool.compute import executor
from rserpool.compute.jobs import Progress


class PoolExecutor:
    """Calls functions at the workers of a pool.

    @param options: those of L{rserpool.compute.PoolExecutor<rserpool.compute.executor.PoolExecutor>}.
    """

    def __init__(self, pool: bytes | str, **options: Any) -> None:
        self._executor = executor.PoolExecutor(pool, **options)

    @property
    def progress(self) -> Progress:
        """How far the jobs are."""
        return self._executor.progress

    def submit(self, function: Any, /, *arguments: Any, **named: Any) -> asyncio.Future[Any]:
        """Have a worker call a function; see L{executor.PoolExecutor.submit}.

        @return: a future of its value; where that is cancelled the worker stops.
        """
        return asyncio.wrap_future(self._executor.submit(function, *arguments, **named))

    async def map(self, function: Any, *iterables: Iterable[Any]) -> AsyncIterator[Any]:
        """Call a function with each item (of several iterables: with one of each); the values come in order."""
        given = zip(*iterables, strict=False)
        futures = deque(self.submit(function, *each) for each in islice(given, executor.WINDOW))
        try:
            while futures:
                yield await futures[0]
                futures.popleft()
                futures.extend(self.submit(function, *each) for each in islice(given, 1))
        finally:
            for future in futures:
                future.cancel()

    async def close(self, *, cancel: bool = False) -> None:
        """Take no more jobs, and end when those that are here have ended.

        @param cancel: cancel them.
        """
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=cancel)

    async def __aenter__(self) -> PoolExecutor:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close(cancel=kind is not None)


__all__ = ["PoolExecutor"]
