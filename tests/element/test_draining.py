"""Connections that wait to be accepted when a port is drained."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.protocols.wire import Echo
from twisted.trial.unittest import TestCase

from rserpool.element.draining import connections, drained


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
