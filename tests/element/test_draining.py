"""Connections that wait to be accepted when a port is drained."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.protocols.wire import Echo
from twisted.trial.unittest import TestCase

from rserpool.element.draining import closed, connections, drained
from rserpool.node.leaving import close_to_others


class WaitingTests(TestCase):
    """The kernel has connected them, and the reactor has not seen them yet."""

    async def test_accepted(self) -> None:
        """They are accepted, and let end: a port that closes would reset them."""
        network: Any = reactor
        port = network.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        with socket.create_connection(("127.0.0.1", port.getHost().port)):
            ended = ensureDeferred(drained(reactor, [port], 5.0, Logger()))
            self.assertEqual(1, connections(reactor, [port]))
            self.assertFalse(ended.called)
        await ended
        self.assertEqual(0, connections(reactor, [port]))


class LastTests(TestCase):
    """They come between the last look at a port and its end."""

    def listen(self) -> Any:
        network: Any = reactor
        port = network.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port

    def asks(self, port: Any) -> socket.socket:
        """A client that has sent a request."""
        client = socket.create_connection(("127.0.0.1", port.getHost().port))
        self.addCleanup(client.close)
        client.sendall(b"hello")
        client.setblocking(False)
        return client

    async def answers(self, client: socket.socket) -> bytes:
        """What it is told; a connection that is reset raises an error."""
        while True:
            try:
                return client.recv(100)
            except BlockingIOError:
                await deferLater(reactor, 0)  # type: ignore[arg-type]

    async def ends(self, port: Any, clients: list[socket.socket]) -> None:
        for client in clients:
            client.close()
        while connections(reactor, [port]):
            await deferLater(reactor, 0)  # type: ignore[arg-type]

    async def test_all_of_them(self) -> None:
        """However few the reactor would take at once."""
        port = self.listen()
        where = port.getHost().port
        port.numberAccepts = 1
        clients = [self.asks(port) for _ in range(30)]
        close_to_others([port])
        self.assertEqual(30, connections(reactor, [port]))
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", where))
        for client in clients:
            self.assertEqual(b"hello", await self.answers(client))
        await self.ends(port, clients)

    async def test_closed_while_nobody_is_there(self) -> None:
        """Whoever comes with the very last look is waited for, and then there is nothing left to close."""
        port = self.listen()
        clients: list[socket.socket] = []
        stop = port.stopReading

        def comes() -> None:
            stop()
            if port.connected and not clients:
                clients.append(self.asks(port))

        port.stopReading = comes
        ended = ensureDeferred(closed(reactor, [port], 5.0, Logger()))
        self.assertFalse(ended.called)
        self.assertEqual(b"hello", await self.answers(clients[0]))
        clients[0].close()
        await ended
        self.assertFalse(port.connected)
        self.assertIsNone(port.stopListening())

    async def test_opened_again(self) -> None:
        """The port may be opened again."""
        port = self.listen()
        close_to_others([port])
        port.stopListening()
        port.startListening()
        client = self.asks(port)
        self.assertEqual(b"hello", await self.answers(client))
        await self.ends(port, [client])
