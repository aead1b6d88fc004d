"""Who waits for which pool at a pool user, and how each is told (RFC 5352 section 3.3)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from rserpool.core.deadlines import Timers
from rserpool.core.effects import Effect, Notify
from rserpool.core.errors import RSerPoolError, UnknownPool
from rserpool.core.user.cache import Cache
from rserpool.core.user.events import ResolutionFailed
from rserpool.core.user.questions import UNKNOWN, Question, Request


class Questions(dict[bytes, Question]):
    """The open questions, by pool. Its timers are C{"request"}; it sets C{"again"}, and cancels those of a question.

    @ivar handles: the pool that each request is for.
    """

    def __init__(self, timers: Timers, cache: Cache) -> None:
        super().__init__()
        self.handles: dict[Hashable, bytes] = {}
        self._timers = timers
        self._cache = cache

    def add(self, request: Hashable, handle: bytes, waiting: Request, deadline: float) -> Question:
        """Somebody waits for this pool."""
        question = self.setdefault(handle, Question())
        question.requests[request] = waiting
        self.handles[request] = handle
        self._timers.set(("request", request), deadline)
        return question

    def take(self, handle: bytes, request: Hashable) -> Request:
        """Nobody waits for this request any more."""
        del self.handles[request]
        self._timers.cancel(("request", request))
        return self[handle].requests.pop(request)

    def fail(self, handle: bytes, error: RSerPoolError, some: Iterable[Hashable] | None = None) -> list[Effect]:
        """All that wait for the pool, or some of them, have waited in vain."""
        requests = list(self[handle].requests if some is None else some)
        for request in requests:
            self.take(handle, request)
        return [Notify(ResolutionFailed(request, handle, error)) for request in requests]

    def last_known_good(self, handle: bytes, now: float) -> list[Effect]:
        """Tell those who do not want it fresh what the cache has, however old it is."""
        if handle not in self._cache:
            return []
        content = [(request, waiting) for request, waiting in self[handle].requests.items() if not waiting.fresh]
        for request, _ in content:
            self.take(handle, request)
        return [Notify(self._cache.answer(request, handle, waiting.items, now)) for request, waiting in content]

    def unknown(self, handle: bytes, registrar: str, now: float) -> list[Effect]:
        """There is no such pool. Its only element may be about to come again: who has patience waits for it.

        @param registrar: where the one is that says so.
        """
        question = self[handle]
        gone = [request for request, waiting in question.requests.items() if waiting.until <= now]
        effects = self.fail(handle, UnknownPool(handle, registrar), gone)
        question.unknown = bool(question.requests)
        if question.requests:
            for request, waiting in question.requests.items():
                deadline = self._timers.when(("request", request)) or now
                self._timers.set(("request", request), max(deadline, waiting.until))
            question.unanswered, question.pause = 0, UNKNOWN.after(question.pause)
            ends = min(waiting.until for waiting in question.requests.values())
            self._timers.set(("again", handle), min(now + question.pause, ends))
        return effects

    def unsent(self, handle: bytes) -> None:
        """What was sent is not waited for any more."""
        self[handle].asked.clear()
        for name in ("answer", "again", "late"):
            self._timers.cancel((name, handle))
