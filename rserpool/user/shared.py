"""Pool users that endpoint strings share: they start with the first question, and rest whenever nobody needs them.

While one rests nothing of it is in the reactor: no timer, no socket, no thread. It keeps what it knows, and answers
from that as long as it is not stale.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from twisted.application.service import Service
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults, succeed
from twisted.internet.interfaces import IStreamClientEndpoint

from rserpool.core.addresses import TransportAddress
from rserpool.core.handles import handle_of
from rserpool.core.user.events import Resolved
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.user.ending import EndingEndpoint
from rserpool.user.endpoint import Connect, PoolClientEndpoint
from rserpool.user.service import PoolUserService
from rserpool.user.subscriptions import Subscription, Subscriptions, Watcher
from rserpool.user.use import Closable

T = TypeVar("T")


class SharedPoolUser(PoolUserService):
    """A pool user that starts with the first question; it rests when nobody needs it, and stops with its reactor."""

    def __init__(self, reactor: Any, **options: Any) -> None:
        super().__init__(reactor, **options)
        self._tries: set[object] = set()
        self._trigger: Any = None
        self._look: Any = None
        self._reported = False

    def resolve(
        self,
        pool: bytes | str,
        *,
        items: int | None = None,
        timeout: float | None = None,
        fresh: bool = False,
        patience: float = 0.0,
    ) -> Deferred[Resolved]:
        if not self.running and not fresh:
            recalled = self.recall(handle_of(pool), items)
            if recalled is not None:
                return succeed(recalled)
        self._wake()
        asked = super().resolve(pool, items=items, timeout=timeout, fresh=fresh, patience=patience)
        return asked.addBoth(self._rest_soon)

    def report(self, pool: bytes | str, failed: int | PoolElementParameter | TransportAddress) -> None:
        super().report(pool, failed)
        self._reported = True
        if self.home is None:
            # It is told to the registrar as soon as that is there.
            self.populate(pool).addErrback(lambda failure: None)

    def subscribe(self, pool: bytes | str, callback: Watcher) -> Subscription:
        self._wake()
        return super().subscribe(pool, callback)

    def opened(self, by: Closable) -> None:
        self._wake()
        super().opened(by)

    def closed(self, by: Closable) -> None:
        super().closed(by)
        self._rest_soon()

    def startService(self) -> None:
        super().startService()
        if self._trigger is None and hasattr(self.reactor, "addSystemEventTrigger"):
            self._trigger = self.reactor.addSystemEventTrigger("before", "shutdown", self._shutdown)
        self._rest_soon()

    def stopService(self) -> Deferred[None]:
        trigger, self._trigger = self._trigger, None
        if trigger is not None:
            self.reactor.removeSystemEventTrigger(trigger)
        return super().stopService()

    @property
    def busy(self) -> bool:
        """Whether somebody needs it."""
        return bool(self._tries or self.waiting or self.watched or self._opened)

    async def tries(self, connecting: Awaitable[T]) -> T:
        """Stay awake while an endpoint looks for an element."""
        token = object()
        self._tries.add(token)
        try:
            return await connecting
        finally:
            self._tries.discard(token)
            self._rest_soon()

    def _unwatch(self, handle: bytes) -> None:
        if handle not in self.watched:
            super()._unwatch(handle)
        self._rest_soon()

    def _wake(self) -> None:
        if self._node is not None and self._node.robbed:
            # Whoever cancelled our timer took the rest away, too: trial does so to what a test leaves behind.
            self._tries.clear()
            self._subscriptions = Subscriptions(self.reactor, self._watch, self._unwatch)
            self._rest()
            self._user = None
        if not self.running:
            self.startService()

    def _rest_soon(self, result: T = None) -> T:  # type: ignore[assignment]
        """Whoever has just heard something may have another question."""
        if self.running and (self._look is None or not self._look.active()):
            self._look = self.reactor.callLater(0, self._rest_if_idle)
        return result

    def _rest_if_idle(self) -> None:
        if self.running and not self.busy:
            self._rest()

    def _rest(self) -> None:
        Service.stopService(self)
        node, self._node = self._node, None
        if self._user is not None:
            self._user.rest()
        self.home_since = None
        self._waiting.clear()
        self._subscriptions.forget()
        if node is None:
            return
        if self._reported:
            # What was reported may still be under way.
            self._reported = False
            ensureDeferred(node.close())
        else:
            node.stop()
            node.abandon()

    def _shutdown(self) -> Deferred[None]:
        self._trigger = None
        return self.stopService()


class SharedEndpoint(PoolClientEndpoint):
    """The endpoint of a string."""

    user: SharedPoolUser

    def connect_by(self, connect: Connect[T]) -> Deferred[T]:
        if self._drop is None:
            return super().connect_by(connect)
        ended = self._drop.ended

        def told(endpoint: IStreamClientEndpoint, element: PoolElementParameter) -> Deferred[T]:
            return connect(EndingEndpoint(endpoint, ended), element)

        return super().connect_by(told)

    async def _connect(self, hands: Any) -> Any:
        return await self.user.tries(super()._connect(hands))


_shared: WeakKeyDictionary[Any, dict[tuple[Any, ...], SharedPoolUser]] = WeakKeyDictionary()


def shared_user(reactor: Any, options: dict[str, Any]) -> SharedPoolUser:
    """The one with these options."""
    users = _shared.setdefault(reactor, {})
    settings = tuple(sorted(options.items(), key=lambda item: item[0]))
    user = users.get(settings)
    if user is None:
        user = users[settings] = SharedPoolUser(reactor, **options)
    return user


async def _stopped(users: list[SharedPoolUser]) -> None:
    await gatherResults([user.stopService() for user in users])


def stop_shared_users(reactor: Any) -> Deferred[None]:
    """Stop the pool users that the endpoints of strings share; connecting starts them again.

    They rest by themselves when nobody needs them; this is for tests that leave connections with C{drop=yes} open.

    @return: a C{Deferred} that fires with C{None} when nothing of them is left in the reactor.
    """
    return Deferred.fromCoroutine(_stopped(list(_shared.get(reactor, {}).values())))
