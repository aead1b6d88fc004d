"""Bytes leave a TCP connection at once, in their order, and nothing is lost where the socket takes no more."""

from __future__ import annotations

import socket

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from rserpool.node.outlet import Outlet


class Transport(StringTransport):
    """One of a socket; what it writes itself stays in it."""

    producerPaused = False

    def __init__(self, own: socket.socket) -> None:
        super().__init__()
        self._own = own

    def getHandle(self) -> socket.socket:
        return self._own


class OutletTests(SynchronousTestCase):
    """Between two sockets."""

    def setUp(self) -> None:
        own, self.there = socket.socketpair()
        self.own = own
        for each in (own, self.there):
            self.addCleanup(each.close)
            each.setblocking(False)
        self.transport = Transport(own)
        self.outlet = Outlet(self.transport)

    def test_at_once(self) -> None:
        """It has left when write returns; the transport has nothing to do."""
        self.assertTrue(self.outlet.write(b"one"))
        self.assertEqual(b"one", self.there.recv(100))
        self.assertEqual((b"", False), (self.transport.value(), self.transport.producerPaused))

    def test_together(self) -> None:
        """What is gathered leaves as one; gathering within gathering ends with the outer one."""
        self.assertTrue(self.outlet.gather())
        self.assertFalse(self.outlet.gather())
        self.assertTrue(self.outlet.write(b"one"))
        self.assertTrue(self.outlet.write(b"two"))
        self.assertRaises(BlockingIOError, self.there.recv, 100)
        self.assertTrue(self.outlet.scatter())
        self.assertEqual(b"onetwo", self.there.recv(100))
        self.assertTrue(self.outlet.scatter())
        self.assertTrue(self.outlet.write(b"three"))
        self.assertEqual(b"three", self.there.recv(100))

    def test_no_room(self) -> None:
        """The transport gets what the socket does not take, and says when there is room again."""
        data = bytes(range(256)) * 64
        count = 1
        while self.outlet.write(data):
            count += 1
        self.assertTrue(self.transport.producerPaused)
        came = bytearray()
        try:
            while True:
                came += self.there.recv(65536)
        except BlockingIOError:
            pass
        self.assertEqual(data * count, bytes(came) + self.transport.value())

    def test_lost(self) -> None:
        """A socket that takes nothing: the transport finds out. After the end nothing goes anywhere."""
        self.there.close()
        self.assertFalse(self.outlet.write(b"one"))
        self.assertEqual(b"one", self.transport.value())
        self.outlet.close()
        self.own.close()
        self.assertTrue(self.outlet.write(b"two"))
        self.assertEqual(b"one", self.transport.value())

    def test_in_memory(self) -> None:
        """A transport without a socket writes each by itself."""
        transport = StringTransport()
        outlet = Outlet(transport)
        outlet.gather()
        outlet.write(b"one")
        self.assertEqual(b"one", transport.value())
