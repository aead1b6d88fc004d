"""A pool user without a reactor: a thread of its own asks a registrar over TCP (RFC 5352 sections 2.1 and 3.3).

The thread runs the same role as L{PoolUserService<rserpool.user.service.PoolUserService>}, for any number of other
threads at once. It begins with the first question, and ends when nobody has asked for a while.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from random import Random, SystemRandom
from typing import TypeAlias
from weakref import WeakSet

from twisted.logger import Logger

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import ConfigurationError
from rserpool.core.profiles import Profile
from rserpool.core.user.events import ResolutionFailed, Resolved
from rserpool.core.user.pool_user import PoolUser
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.node.driver import Driver
from rserpool.node.in_vain import InVain
from rserpool.node.securing import over_tls_of, registrars_by
from rserpool.node.threads import ThreadChannel, ThreadLoop
from rserpool.security.following import Secured

IDLE = 10.0
"""Seconds without a question after which the thread ends, and with it the connection to the registrar."""

_Order: TypeAlias = Callable[[Driver], None]

_every: WeakSet[Asker] = WeakSet()


class Asker:
    """Resolves pools and reports elements, for threads.

    What it knows outlives its thread: the cache, and which elements failed.

    @param registrars: where registrars are, each with C{protocol="tcp"}.
    @param profile: the timers.
    @param secured: what secures it, for it alone; None where nothing does.
    """

    def __init__(
        self, registrars: Sequence[TransportAddress], profile: Profile, secured: Secured | None = None
    ) -> None:
        self._registrars = registrars_by(registrars, secured)
        self._secured = secured
        self._in_vain = InVain(Logger())
        # Now, so that a mistake is told to who makes it.
        self._secure = None if secured is None else over_tls_of(secured)
        self.profile = profile
        self._begin()
        _every.add(self)

    def _begin(self) -> None:
        """Know nothing; also in the child of a fork, which has none of its parent's threads."""
        random = Random(SystemRandom().getrandbits(128))
        self._role = PoolUser(self._registrars, profile=self.profile, random=random, protocol="tcp")
        self._role.secured = self._secured is not None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: ThreadLoop | None = None
        self._orders: deque[_Order] = deque()
        self._waiting: dict[object, Future[Resolved]] = {}
        self._last_used = 0.0

    # For any thread

    @property
    def default_timeout(self) -> float:
        """Seconds that a resolution may take where nothing else is said."""
        return self.profile.resolution

    def resolve(
        self, pool: bytes, *, timeout: float | None = None, fresh: bool = False, patience: float = 0.0
    ) -> Future[Resolved]:
        """Find the elements of a pool, in the order in which to try them.

        @param timeout: seconds until it fails.
        @param fresh: do not accept what the cache holds.
        @param patience: seconds to wait for a pool that is unknown; see L{PoolUserService.resolve
            <rserpool.user.service.PoolUserService.resolve>}.
        @return: a C{concurrent.futures.Future}, which may be cancelled; it fails as
            L{PoolUserService.resolve<rserpool.user.service.PoolUserService.resolve>} does.
        """
        future: Future[Resolved] = Future()
        try:
            asap.encode(asap.HandleResolution(pool, False, None))
        except ValueError as error:
            future.set_exception(ConfigurationError(f"a pool's name cannot be like this: {error}"))
            return future
        seconds = self.default_timeout if timeout is None else timeout

        def ask(driver: Driver) -> None:
            request = object()
            self._waiting[request] = future
            now = driver.now()
            driver.perform(
                self._role.resolve(request, pool, now, deadline=now + seconds, fresh=fresh, patience=patience)
            )

        self._order(ask)
        if patience:
            future.add_done_callback(lambda asked: self._told(pool, asked))
        return future

    def _told(self, pool: bytes, asked: Future[Resolved]) -> None:
        if not asked.cancelled():
            error = asked.exception()
            self._in_vain.found(pool) if error is None else self._in_vain.failed(pool, error, loudly=False)

    def report(self, pool: bytes, identifier: int) -> None:
        """Tell the registrar that an element does not serve (RFC 5352 section 3.5), and try it last for a while."""
        self._order(lambda driver: driver.perform(self._role.report(pool, identifier, driver.now())))

    def begin(self, pool: bytes, element: PoolElementParameter, instead_of: int) -> Use:
        """Count that an element is given something, as L{PoolUserService.begin
        <rserpool.user.service.PoolUserService.begin>} does; here only when it has accepted."""
        return Use(self, pool, element.identifier, instead_of)

    def used(self, use: Use, pool: bytes, identifier: int, instead_of: int, over: Callable[[], bool]) -> None:
        """An element has accepted, and serves until C{over()}."""

        def count(driver: Driver) -> None:
            self._role.begin(use, pool, identifier, instead_of)
            self._role.accepted(use, pool, identifier, over)

        self._order(count)

    def _order(self, order: _Order) -> None:
        with self._lock:
            self._orders.append(order)
            if self._loop is None:
                self._loop = ThreadLoop()
                self._thread = threading.Thread(
                    target=self._run, args=(self._loop,), name="rserpool-names", daemon=True
                )
                self._thread.start()
            self._loop.wake()

    # The thread

    def _run(self, loop: ThreadLoop) -> None:
        driver = Driver(loop, self._role, self._notified)
        channel = driver.channels["asap"] = ThreadChannel(driver, loop, self._role, self._secure)
        self._last_used = loop.now()
        try:
            while self._turn(loop, driver, channel):
                pass
        except BaseException as error:
            # A mistake of ours: nobody must wait for ever.
            with self._lock:
                self._leave(driver, channel, error)
            raise
        finally:
            loop.close()

    def _turn(self, loop: ThreadLoop, driver: Driver, channel: ThreadChannel) -> bool:
        with self._lock:
            orders = list(self._orders)
            self._orders.clear()
            if orders or self._waiting:
                self._last_used = loop.now()
            elif loop.now() >= self._last_used + IDLE:
                self._leave(driver, channel, RuntimeError("the resolver has ended"))
                return False
        for order in orders:
            order(driver)
        for request in [request for request, future in self._waiting.items() if future.cancelled()]:
            del self._waiting[request]
            self._role.cancel(request)
        loop.turn(IDLE)
        return True

    def _leave(self, driver: Driver, channel: ThreadChannel, error: BaseException) -> None:
        """The thread ends; what the role knows stays."""
        self._thread = self._loop = None
        # The effects of what follows are not wanted: there is nobody who could perform them.
        driver.stop()
        channel.abandon()
        self._role.stop()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            _fail(future, error)

    def _notified(self, event: object) -> None:
        if isinstance(event, Resolved | ResolutionFailed):
            future = self._waiting.pop(event.request, None)
            if future is None:
                return
            if isinstance(event, ResolutionFailed):
                _fail(future, event.error)
            else:
                with suppress(InvalidStateError):
                    future.set_result(event)


class Use:
    """What an element is given."""

    def __init__(self, asker: Asker, pool: bytes, identifier: int, instead_of: int) -> None:
        self._asker = asker
        self._what = pool, identifier, instead_of

    def accepted(self, over: Callable[[], bool]) -> None:
        """The element has accepted, and serves until C{over()}, which is called by another thread."""
        self._asker.used(self, *self._what, over)


def _fail(future: Future[Resolved], error: BaseException) -> None:
    with suppress(InvalidStateError):
        future.set_exception(error)


def _forked() -> None:
    for asker in list(_every):
        asker._begin()


os.register_at_fork(after_in_child=_forked)
