"""Pool users that endpoint strings share: they start with the first question, and stop when nobody needs them."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults

from rserpool.core.user.events import Resolved
from rserpool.user.endpoint import PoolClientEndpoint
from rserpool.user.service import PoolUserService

IDLE = 5.0
"""Seconds without a question, a watcher or an open connection after which a shared user stops."""


class SharedPoolUser(PoolUserService):
    """A pool user that starts with the first question; it stops when it is idle, and with its reactor.

    @ivar endpoints: those that ask it.
    """

    def __init__(self, reactor: Any, **options: Any) -> None:
        super().__init__(reactor, **options)
        self.endpoints: WeakSet[PoolClientEndpoint] = WeakSet()
        self._trigger: Any = None
        self._look: Any = None

    def resolve(
        self,
        pool: bytes | str,
        *,
        items: int | None = None,
        timeout: float | None = None,
        fresh: bool = False,
        patience: float = 0.0,
    ) -> Deferred[Resolved]:
        if self._look is not None and not self._look.active():
            # Whoever cancelled our timer took the rest away, too: trial does so to what a test leaves behind.
            self._abandoned()
        if not self.running:
            self.startService()
        self._idle_later()
        return super().resolve(pool, items=items, timeout=timeout, fresh=fresh, patience=patience)

    def startService(self) -> None:
        super().startService()
        if self._trigger is None and hasattr(self.reactor, "addSystemEventTrigger"):
            self._trigger = self.reactor.addSystemEventTrigger("before", "shutdown", self._shutdown)
        self._idle_later()

    def stopService(self) -> Deferred[None]:
        self._disarm()
        return super().stopService()

    @property
    def busy(self) -> bool:
        """Whether somebody needs it."""
        return bool(self.waiting or self.watched or self._opened or any(each.connected for each in self.endpoints))

    def _idle_later(self) -> None:
        if self._look is None:
            self._look = self.reactor.callLater(IDLE, self._idle)
        else:
            self._look.reset(IDLE)

    def _idle(self) -> None:
        self._look = None
        if self.busy:
            self._idle_later()
        elif self.running:
            self.stopService()

    def _disarm(self) -> None:
        look, self._look = self._look, None
        if look is not None and look.active():
            look.cancel()
        trigger, self._trigger = self._trigger, None
        if trigger is not None:
            self.reactor.removeSystemEventTrigger(trigger)

    def _shutdown(self) -> Deferred[None]:
        self._trigger = None
        return self.stopService()

    def _abandoned(self) -> None:
        self._disarm()
        Service.stopService(self)
        self._waiting.clear()
        self._subscriptions.forget()
        node, self._node, self._user = self._node, None, None
        if node is not None:
            node.stop()
            node.abandon()


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
    """Stop the pool users that the endpoints of strings share, as a test does at its end; connecting starts them again.

    @return: a C{Deferred} that fires with C{None} when nothing of them is left in the reactor.
    """
    running = [user for user in _shared.get(reactor, {}).values() if user.running]
    return Deferred.fromCoroutine(_stopped(running))
