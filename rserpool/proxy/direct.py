"""TCP connections that do at once what can be done at once: Twisted's own leave most of it to the reactor's next turn.

A short connection consists of little else: it begins to read and has to stop, waits for a time-out that never comes,
and registers to write in order to end.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv6Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError, getConnectError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.internet.tcp import Port, Server
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.node.sockets import keep_alive

DONE, LOST = Failure(CONNECTION_DONE), Failure(CONNECTION_LOST)


class Connection(Server):
    """A connection that is up; it reads nothing before it is told to.

    @ivar prepared: its socket has what L{prepare} gives, and it is not read yet.
    """

    prepared = True
    logstr = "proxy"
    _shouldShutdown = False

    def __init__(self, sock: Any, protocol: Any, client: Any, server: Any, sessionno: int, reactor: Any) -> None:
        FileDescriptor.__init__(self, reactor)
        if sock.gettimeout() is None:
            sock.setblocking(False)
        self.socket = sock
        self.fileno = sock.fileno
        self.protocol = protocol
        self.client = client
        self.repstr = f"<connection with {client}>"
        if len(client) > 2:
            self._addressType = IPv6Address
        self.connected = 1

    def read_at_once(self) -> None:
        """What has come already need not wait for the reactor; an end may."""
        try:
            data = self.socket.recv(self.bufferSize)
        except BlockingIOError:
            return
        except OSError:
            # An error is told once: it would be taken for a polite end the next time.
            self.connectionLost(LOST)
            return
        if data:
            self.protocol.dataReceived(data)

    def loseConnection(self) -> None:
        if self._busy:
            super().loseConnection()
        elif self.connected and not (self.disconnecting or self._aborting):
            self.connectionLost(DONE)

    def loseWriteConnection(self) -> None:
        if self._busy:
            super().loseWriteConnection()
        elif self.connected and not self._writeDisconnected:
            self._writeDisconnecting = self._writeDisconnected = True
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            protocol: Any = self.protocol
            protocol.writeConnectionLost()

    @property
    def _busy(self) -> bool:
        """Whether something is still to be sent."""
        return bool(self.dataBuffer or self._tempDataLen)


@implementer(IStreamClientEndpoint)
class ClientEndpoint:
    """Connects with a TCP port at an IP address: at once within a host. It has no time-out of its own."""

    def __init__(self, reactor: Any, address: TransportAddress) -> None:
        self._reactor = reactor
        self._address = address

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect.

        @param protocolFactory: it is not told the address.
        """
        host, port = self._address.hosts[0], self._address.port
        place: Any = (host, port)
        family = socket.AF_INET
        try:
            if ":" in host:
                family = socket.AF_INET6
                place = socket.getaddrinfo(host, port, family, flags=socket.AI_NUMERICHOST)[0][4]
            handle = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError as error:
            return fail(ConnectError(error.errno, str(error)))
        code = handle.connect_ex(place)
        if code == errno.EINPROGRESS:
            # Within a host it is up by now, or refused.
            code = handle.connect_ex(place)
        if code == errno.EALREADY:
            return _Opening(self._reactor, handle, place, protocolFactory).opened
        if code:
            handle.close()
            return fail(_failed(code))
        return succeed(_up(self._reactor, handle, place, protocolFactory))


class _Opening(FileDescriptor):
    """A connection that is not up yet."""

    def __init__(self, reactor: Any, handle: socket.socket, place: Any, factory: IProtocolFactory) -> None:
        super().__init__(reactor)
        self.opened: Deferred[IProtocol] = Deferred(lambda _: self._end())
        self.fileno = handle.fileno  # type: ignore[method-assign]
        self._handle = handle
        self._place = place
        self._factory = factory
        self.startWriting()

    def doWrite(self) -> None:
        code = self._handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._end()
            self.opened.errback(_failed(code))
        else:
            self.stopWriting()
            self.opened.callback(_up(self.reactor, self._handle, self._place, self._factory))

    def connectionLost(self, reason: Failure) -> None:
        """The reactor heard of an error first, or ends."""
        code = self._handle.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._end()
        self.opened.errback(_failed(code) if code else reason)

    def _end(self) -> None:
        self.stopWriting()
        self._handle.close()


def _up(reactor: Any, handle: socket.socket, place: Any, factory: IProtocolFactory) -> IProtocol:
    prepare(handle)
    protocol: Any = factory.buildProtocol(None)  # type: ignore[arg-type]
    protocol.makeConnection(Connection(handle, protocol, place, None, 0, reactor))
    return protocol  # type: ignore[no-any-return]


def _failed(code: int) -> ConnectError:
    error: ConnectError = getConnectError((code, os.strerror(code)))
    return error


def prepare(handle: socket.socket) -> None:
    """What is written goes out at once, and a peer that vanished is noticed; who is accepted inherits that."""
    handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    keep_alive(handle)


def accept_directly(port: Any, factory: Any) -> None:
    """Have a TCP port that gives its connections to C{factory}, without TLS, make them in this way."""
    if type(port) is Port and port.factory is factory and port.transport is Server:
        prepare(port.socket)
        port.transport = Connection
