"""What a pool user gives to those who watch pools (RFC 5352 section 2.2.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from twisted.logger import Logger

from rserpool.core.user.events import PoolChanged

Watcher: TypeAlias = Callable[[PoolChanged], object]


class Subscription:
    """One watcher of one pool, made by C{PoolUserService.subscribe}."""

    _log = Logger()

    def __init__(self, handle: bytes, callback: Watcher, stop: Callable[[Any], None]) -> None:
        self.handle = handle
        self._callback = callback
        self._stop = stop
        self._stopped = False

    def stop(self) -> None:
        """The callback is not called any more."""
        if not self._stopped:
            self._stopped = True
            self._stop(self)

    def tell(self, change: PoolChanged) -> None:
        """Call back, unless it was stopped."""
        if not self._stopped:
            try:
                self._callback(change)
            except Exception:
                self._log.failure("the watcher of pool {pool!r} failed", pool=self.handle)


class Subscriptions:
    """Who watches which pool, and what was told of it last.

    @param begin: C{begin(handle)} is called for the first watcher of a pool that nothing is known of.
    @param end: C{end(handle)} is called when the last one has stopped.
    """

    def __init__(self, reactor: Any, begin: Callable[[bytes], None], end: Callable[[bytes], None]) -> None:
        self._reactor = reactor
        self._begin = begin
        self._end = end
        self._watchers: dict[bytes, list[Subscription]] = {}
        self._last: dict[bytes, PoolChanged] = {}

    @property
    def watched(self) -> dict[bytes, PoolChanged | None]:
        """The pools, and what is known of each."""
        return {handle: self._last.get(handle) for handle in self._watchers}

    def add(self, handle: bytes, callback: Watcher) -> Subscription:
        """Somebody watches; the present state is told, but not during this call."""
        subscription = Subscription(handle, callback, self._remove)
        watchers = self._watchers.setdefault(handle, [])
        watchers.append(subscription)
        if handle in self._last:
            self._reactor.callLater(0, self._tell_present, subscription)
        elif len(watchers) == 1:
            self._begin(handle)
        return subscription

    def changed(self, change: PoolChanged) -> None:
        """Tell the watchers."""
        self._last[change.handle] = change
        for subscription in list(self._watchers.get(change.handle, ())):
            subscription.tell(change)

    def forget(self) -> None:
        """What was told is not true any more; the watchers stay."""
        self._last.clear()

    def _tell_present(self, subscription: Subscription) -> None:
        present = self._last.get(subscription.handle)
        if present is not None:
            subscription.tell(present)

    def _remove(self, subscription: Subscription) -> None:
        watchers = self._watchers.get(subscription.handle, [])
        if subscription in watchers:
            watchers.remove(subscription)
        if not watchers:
            self._watchers.pop(subscription.handle, None)
            self._last.pop(subscription.handle, None)
            self._end(subscription.handle)
