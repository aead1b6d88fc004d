"""A pool user without a reactor: a thread of its own asks a registrar over TCP (RFC 5352 sections 2.1 and 3.3).

The thread runs the same role as L{PoolUserService<rserpool.user.service.PoolUserService>}, for any number of other
threads at once. It begins with the first question, and ends when nobody has asked for a while.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from random import Random, SystemRandom
from typing import Any
from weakref import WeakSet

from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import Abort, Close, Connect, Effect, Notify, Send, StopConnecting
from rserpool.core.errors import ConfigurationError, WireError
from rserpool.core.profiles import Profile
from rserpool.core.user.pool_user import PoolUser
from rserpool.core.user.resolution import ResolutionFailed, Resolved
from rserpool.core.wire import asap
from rserpool.names.connection import Connection

IDLE = 10.0
"""Seconds without a question after which the thread ends, and with it the connection to the registrar."""

_every: WeakSet[Asker] = WeakSet()


class Asker:
    """Resolves pools and reports elements, for threads.

    What it knows outlives its thread: the cache, and which elements failed.

    @param registrars: where registrars are, each with C{protocol="tcp"}.
    @param profile: the timers.
    """

    def __init__(self, registrars: Sequence[TransportAddress], profile: Profile) -> None:
        self._registrars = tuple(registrars)
        self.profile = profile
        self._begin()
        _every.add(self)

    def _begin(self) -> None:
        """Know nothing; also in the child of a fork, which has none of its parent's threads."""
        random = Random(SystemRandom().getrandbits(128))
        self._role = PoolUser(self._registrars, profile=self.profile, random=random, protocol="tcp")
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._orders: deque[Callable[[float], None]] = deque()
        self._selector: selectors.BaseSelector | None = None
        self._wake: socket.socket | None = None
        self._waiting: dict[object, Future[Resolved]] = {}
        self._connections: set[Connection] = set()
        self._dialled: dict[TransportAddress, Connection] = {}
        self._last_used = 0.0

    # For any thread

    @property
    def default_timeout(self) -> float:
        """Seconds that a resolution may take where nothing else is said."""
        return max(5.0, (self.profile.max_request_retransmit + 1) * self.profile.t1_enrp_request)

    def resolve(self, pool: bytes, *, timeout: float | None = None, fresh: bool = False) -> Future[Resolved]:
        """Find the elements of a pool, in the order in which to try them.

        @param timeout: seconds until it fails.
        @param fresh: do not accept what the cache holds.
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

        def ask(now: float) -> None:
            request = object()
            self._waiting[request] = future
            self._perform(self._role.resolve(request, pool, now, deadline=now + seconds, fresh=fresh))

        self._order(ask)
        return future

    def report(self, pool: bytes, identifier: int) -> None:
        """Tell the registrar that an element does not serve (RFC 5352 section 3.5), and try it last for a while."""
        self._order(lambda now: self._perform(self._role.report(pool, identifier, now)))

    def _order(self, order: Callable[[float], None]) -> None:
        with self._lock:
            self._orders.append(order)
            if self._thread is None:
                ours, theirs = socket.socketpair()
                for end in (ours, theirs):
                    end.setblocking(False)
                self._wake = ours
                self._thread = threading.Thread(target=self._run, args=(theirs,), name="rserpool-names", daemon=True)
                self._thread.start()
            if self._wake is not None:
                with suppress(BlockingIOError):
                    self._wake.send(b"!")

    # The thread

    def _run(self, wake: socket.socket) -> None:
        selector = self._selector = selectors.DefaultSelector()
        try:
            selector.register(wake, selectors.EVENT_READ)
            self._last_used = time.monotonic()
            while self._turn(selector, wake):
                pass
        except BaseException as error:
            # A mistake of ours: nobody must wait for ever.
            with self._lock:
                self._leave(error)
            raise
        finally:
            selector.close()
            wake.close()

    def _turn(self, selector: selectors.BaseSelector, wake: socket.socket) -> bool:
        with self._lock:
            orders = list(self._orders)
            self._orders.clear()
            now = time.monotonic()
            if orders or self._waiting:
                self._last_used = now
            elif now >= self._last_used + IDLE:
                self._leave(None)
                return False
        for order in orders:
            order(now)
        for request in [request for request, future in self._waiting.items() if future.cancelled()]:
            del self._waiting[request]
            self._role.cancel(request)
        deadlines = [connection.deadline for connection in self._dialled.values()]
        deadlines += [deadline for deadline in (self._role.next_deadline(),) if deadline is not None]
        patience = min([*deadlines, now + IDLE]) - time.monotonic()
        for key, events in selector.select(max(0.0, patience)):
            if key.data is None:
                with suppress(BlockingIOError):
                    wake.recv(4096)
            elif key.data in self._connections:
                self._ready(key.data, events)
        now = time.monotonic()
        for connection in [each for each in self._dialled.values() if each.deadline <= now]:
            self._lost(connection)
        deadline = self._role.next_deadline()
        if deadline is not None and deadline <= now:
            self._perform(self._role.tick(now))
        return True

    def _leave(self, error: BaseException | None) -> None:
        """The thread ends; what the role knows stays."""
        self._thread = None
        wake, self._wake = self._wake, None
        if wake is not None:
            wake.close()
        for connection in self._connections:
            connection.close()
        # Their effects are not wanted: there is nobody who could perform them.
        for connection in self._connections:
            self._role.association_lost(connection, time.monotonic())
        self._role.stop()
        self._connections.clear()
        self._dialled.clear()
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            _fail(future, error or RuntimeError("the resolver has ended"))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(association=connection, message=message) if isinstance(connection, Connection):
                    if connection in self._connections:
                        connection.send(asap.encode(message))
                        self._watch(connection)
                case Connect(peer=peer):
                    self._connect(peer)
                case StopConnecting(peer=peer):
                    dialled = self._dialled.pop(peer, None)
                    if dialled is not None:
                        self._forget(dialled)
                case Close(association=connection) | Abort(association=connection):
                    if isinstance(connection, Connection):
                        self._forget(connection)
                case Notify(event=event):
                    self._notified(event)
                case _:
                    # A probe: the host of a process that has ended closes its connections by itself.
                    pass

    def _notified(self, event: Any) -> None:
        match event:
            case Resolved(request=request):
                future = self._waiting.pop(request, None)
                if future is not None:
                    with suppress(InvalidStateError):
                        future.set_result(event)
            case ResolutionFailed(request=request, error=error):
                future = self._waiting.pop(request, None)
                if future is not None:
                    _fail(future, error)

    # Its connections

    def _connect(self, peer: TransportAddress) -> None:
        if peer in self._dialled:
            return
        try:
            connection = Connection(peer, time.monotonic())
        except OSError:
            # The role is in the middle of something.
            self._orders.append(lambda now: self._perform(self._role.connect_failed(peer, now)))
            if self._wake is not None:
                with suppress(BlockingIOError):
                    self._wake.send(b"!")
            return
        self._dialled[peer] = connection
        self._connections.add(connection)
        assert self._selector is not None
        self._selector.register(connection.socket, selectors.EVENT_WRITE, connection)

    def _ready(self, connection: Connection, events: int) -> None:
        now = time.monotonic()
        try:
            if connection.peer in self._dialled and self._dialled[connection.peer] is connection:
                connection.check()
                del self._dialled[connection.peer]
                self._watch(connection)
                self._perform(self._role.association_up(connection, connection.peer, now, True))
                return
            if events & selectors.EVENT_WRITE:
                connection.flush()
            if events & selectors.EVENT_READ:
                for data in connection.receive():
                    self._received(connection, data, now)
            self._watch(connection)
        except (OSError, EOFError, WireError):
            self._lost(connection)

    def _received(self, connection: Connection, data: bytes, now: float) -> None:
        try:
            message = asap.decode(data).message
        except WireError:
            # Its length is right: the next message can be read.
            return
        self._perform(self._role.receive(connection, message, now))

    def _watch(self, connection: Connection) -> None:
        if connection in self._connections and self._selector is not None:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.unsent else 0)
            self._selector.modify(connection.socket, wanted, connection)

    def _forget(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            assert self._selector is not None
            self._selector.unregister(connection.socket)
            connection.close()

    def _lost(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        self._forget(connection)
        now = time.monotonic()
        if self._dialled.get(connection.peer) is connection:
            del self._dialled[connection.peer]
            self._perform(self._role.connect_failed(connection.peer, now))
        else:
            self._perform(self._role.association_lost(connection, now))


def _fail(future: Future[Resolved], error: BaseException) -> None:
    with suppress(InvalidStateError):
        future.set_exception(error)


def _forked() -> None:
    for asker in list(_every):
        asker._begin()


os.register_at_fork(after_in_child=_forked)
