"""Who opened which port, and that it is told as soon as one is opened or closed: nobody has to look all the time."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.internet.selectreactor import SelectReactor
from twisted.trial.unittest import SynchronousTestCase

from rserpool.element.openings import note_openers, tells_of_its_end, watch_ports


class WatchTests(SynchronousTestCase):
    """Ports of a reactor of Twisted's own, which nobody else has."""

    def setUp(self) -> None:
        self.reactor: Any = SelectReactor()
        self.addCleanup(self.reactor.removeAll)
        note_openers(self.reactor)
        self.told = 0

    def tell(self) -> None:
        self.told += 1

    def test_opened_and_closed(self) -> None:
        stop = watch_ports(self.reactor, self.tell)
        ports = [
            self.reactor.listenTCP(0, Factory(), interface="127.0.0.1"),
            self.reactor.listenUDP(0, DatagramProtocol(), interface="127.0.0.1"),
        ]
        self.assertEqual(2, self.told)
        for number, port in enumerate(ports, 3):
            self.assertTrue(tells_of_its_end(self.reactor, port))
            port.stopListening()
            self.reactor.runUntilCurrent()
            self.assertEqual(number, self.told)
        stop()
        self.reactor.listenTCP(0, Factory(), interface="127.0.0.1").stopListening()
        self.reactor.runUntilCurrent()
        self.assertEqual(4, self.told)

    def test_not_told(self) -> None:
        """Of whatever else listens nothing is known: somebody has to look."""
        self.assertFalse(tells_of_its_end(self.reactor, object()))
        self.assertFalse(tells_of_its_end(object(), object()))
