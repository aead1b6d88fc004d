"""A driver's loop without a reactor: the timers and TCP connections of one thread (RFC 5352 section 2.1)."""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from rserpool.core.addresses import TransportAddress
from rserpool.core.deadlines import Deadlines
from rserpool.core.errors import ConfigurationError, WireError
from rserpool.core.identity import Credentials
from rserpool.core.wire import asap
from rserpool.core.wire.stream import whole_messages
from rserpool.node.driver import Driver
from rserpool.node.naming import NamingChannel
from rserpool.node.role import Speaker
from rserpool.node.sockets import keep_alive
from rserpool.sctp.lookup import addresses_of

CONNECT = 5.0
"""Seconds that a registrar may take to accept."""
PPID = 0
"""TCP has no payload protocol identifiers."""


class Silence:
    """A L{Log<rserpool.node.loop.Log>} of a program that may have none."""

    def warn(self, format: str | None = None, **values: Any) -> None:
        """Nobody reads it."""

    debug = warn


class ThreadLoop:
    """A L{Loop<rserpool.node.loop.Loop>}: timers and sockets, for the thread that calls L{turn}."""

    now = staticmethod(time.monotonic)
    log = Silence()

    def __init__(self) -> None:
        self._timers: Deadlines[_Call] = Deadlines()
        self._ready: dict[Any, Callable[[int], None]] = {}
        self._from_threads: deque[tuple[Callable[..., object], tuple[object, ...]]] = deque()
        self._selector = selectors.DefaultSelector()
        self._woken, self._wake = socket.socketpair()
        for end in (self._woken, self._wake):
            end.setblocking(False)
        self.watch(self._woken, selectors.EVENT_READ, self._awake)

    def call_later(self, seconds: float, function: Callable[..., object], *arguments: object) -> _Call:
        """See L{Loop.call_later<rserpool.node.loop.Loop.call_later>}."""
        call = _Call(self._timers, function, arguments)
        self._timers.set(call, self.now() + seconds)
        return call

    def watch(self, at: socket.socket, events: int, ready: Callable[[int], None]) -> None:
        """Call when a socket is ready, until L{forget}."""
        if at in self._ready:
            self._selector.modify(at, events)
        else:
            self._selector.register(at, events)
        self._ready[at] = ready

    def forget(self, at: socket.socket) -> None:
        """A socket is of no interest any more."""
        self._selector.unregister(at)
        del self._ready[at]

    def wake(self) -> None:
        """Let L{turn} come to its end; from any thread."""
        with suppress(OSError):
            self._wake.send(b"!")

    def call_from_thread(self, function: Callable[..., object], *arguments: object) -> None:
        """Call in the thread of this loop; from any thread."""
        self._from_threads.append((function, arguments))
        self.wake()

    def turn(self, patience: float) -> None:
        """Wait until something happens, at most C{patience} seconds, and let it happen."""
        due = self._timers.next()
        if due is not None:
            patience = min(patience, due - self.now())
        for key, events in self._selector.select(max(0.0, patience)):
            ready = self._ready.get(key.fileobj)
            # One may have been closed by the one before it.
            if ready is not None:
                ready(events)
        while self._from_threads:
            function, arguments = self._from_threads.popleft()
            function(*arguments)
        for call in self._timers.due(self.now()):
            call.function(*call.arguments)

    def close(self) -> None:
        """Free what the system gave."""
        self._selector.close()
        self._woken.close()
        self._wake.close()

    def _awake(self, events: int) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)


class _Call:
    def __init__(
        self, timers: Deadlines[_Call], function: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        self._timers = timers
        self.function = function
        self.arguments = arguments

    def active(self) -> bool:
        return self in self._timers

    def cancel(self) -> None:
        self._timers.cancel(self)


class ThreadChannel(NamingChannel):
    """ASAP over TCP connections of one thread."""

    def __init__(
        self, driver: Driver, loop: ThreadLoop, speaker: Speaker[asap.Message], secure: Secure | None = None
    ) -> None:
        """
        @param secure: makes the connections that speak TLS; None for those in the clear.
        """
        super().__init__(driver, speaker, asap, PPID)
        self._secure = secure
        # The peer that is dialled, as people have named it.
        self.named = TransportAddress((), 0)
        self.loop = loop
        self.connections: set[Connection] = set()

    def begin(self, peer: TransportAddress, there: TransportAddress) -> None:
        self.named = peer
        super().begin(peer, there)

    def dial(self, peer: TransportAddress) -> Connection:
        return Connection(self, peer) if self._secure is None else self._secure(self, peer)

    def look_up(self, host: str, found: Callable[[list[str]], object]) -> None:
        # The resolver of the system blocks, as long as it likes.
        def look() -> None:
            addresses: list[str] = []
            with suppress(ConfigurationError):
                addresses = addresses_of(host)
            self.loop.call_from_thread(found, addresses)

        threading.Thread(target=look, name=f"rserpool: {host}", daemon=True).start()

    def abandon(self) -> None:
        """Close what is left; the role hears of it now."""
        for connection in list(self.connections):
            connection.end()
            self.lost(connection)


class Connection:
    """A L{Carrier<rserpool.node.loop.Carrier>}: a connection that never blocks.

    What the system does not take yet is kept.
    """

    outbound = True
    credentials: Credentials = None

    def __init__(self, channel: ThreadChannel, peer: TransportAddress) -> None:
        """Begin to connect.

        @raise OSError: if that is refused at once.
        """
        host = peer.hosts[0]
        self.peer = peer
        self._channel = channel
        self._up = False
        self._unsent = bytearray()
        self._received = bytearray()
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(BlockingIOError):
                where = socket.getaddrinfo(host, peer.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
                self._socket.connect(where[0][4])
        except OSError:
            self._socket.close()
            raise
        channel.connections.add(self)
        channel.loop.watch(self._socket, selectors.EVENT_WRITE, self._ready)
        self._patience = channel.loop.call_later(CONNECT, self.abort)

    def send(self, data: bytes, ppid: int = PPID) -> None:
        """Send a message, now or when the system takes it."""
        if self in self._channel.connections:
            self._unsent += self._sealed(data)
            with suppress(OSError):
                # A connection that is lost is readable, too.
                self._flush()
            self._watch()

    def probe(self) -> None:
        """The host of a process that has ended closes its connections by itself."""

    def abort(self) -> None:
        """End it; what the system took before is delivered."""
        if self.end():
            self._channel.loop.call_later(0, self._channel.lost, self)

    close = abort

    def end(self) -> bool:
        """Free the socket; whether it was open."""
        if self not in self._channel.connections:
            return False
        self._channel.connections.discard(self)
        self._patience.cancel()
        self._channel.loop.forget(self._socket)
        self._socket.close()
        return True

    def _ready(self, events: int) -> None:
        try:
            if not self._up:
                self._check()
                self._connected()
            else:
                if events & selectors.EVENT_WRITE:
                    self._flush()
                if events & selectors.EVENT_READ:
                    self._read()
        except (OSError, EOFError, WireError):
            if self.end():
                self._channel.lost(self)
        self._watch()

    def _connected(self) -> None:
        self._channel.up(self)

    def _sealed(self, data: bytes) -> bytes:
        return data

    def _opened(self, data: bytes) -> bytes:
        """What is in the bytes that came in."""
        return data

    def _watch(self) -> None:
        if self in self._channel.connections:
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
            self._channel.loop.watch(self._socket, wanted, self._ready)

    def _check(self) -> None:
        """It became writable: is it up?"""
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number))
        self._up = True
        keep_alive(self._socket, unread=True)
        self._patience.cancel()

    def _flush(self) -> None:
        with suppress(BlockingIOError):
            while self._unsent:
                del self._unsent[: self._socket.send(self._unsent)]

    def _read(self) -> None:
        with suppress(BlockingIOError):
            data = self._socket.recv(1 << 16)
            if not data:
                raise EOFError
            self._received += self._opened(data)
        for message in whole_messages(self._received):
            self._channel.received(self, message)
            if self not in self._channel.connections:
                break


Secure: TypeAlias = Callable[[ThreadChannel, TransportAddress], Connection]
"""Makes a connection over which TLS is spoken."""
