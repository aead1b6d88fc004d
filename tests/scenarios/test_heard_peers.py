"""Registrars that heard of each other by a third one (RFC 5353 section 3.2.2)."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.addresses import ENRP_PORT
from rserpool.core.deadlines import Deadlines
from rserpool.core.effects import Connect
from rserpool.core.peering.dials import MOST_HEARD, PAUSES, Dials
from rserpool.core.peering.peers import Peer
from rserpool.testing import RegistrarProcess, Scope


class HeardPeerTests(SynchronousTestCase):
    """They are kept, and meet again without the third."""

    def test_the_third_is_dead(self) -> None:
        """Two that were told of it alone lose each other when it is dead, and meet when the network is mended."""
        scope = Scope(registrars=0)
        self.addCleanup(scope.stop)
        third = scope.registrar(peers=())
        scope.advance(2.0)
        named = [TransportAddress((third.host,), ENRP_PORT)]
        first, second = (scope.registrar(peers=named) for _ in range(2))
        scope.advance(5.0)

        def connected(*registrars: RegistrarProcess) -> list[int]:
            return [len(registrar.role.peering.peers.connected) for registrar in registrars]

        self.assertEqual([2, 2, 2], connected(first, second, third))
        scope.kill(third)
        scope.advance(10.0)
        element = scope.element("pool", service={"registrars": [first.address]})
        scope.partition([first, element], [second])
        scope.advance(20.0)
        self.assertEqual([0, 0], connected(first, second))
        scope.heal()
        scope.until(lambda: connected(first, second) == [1, 1], 1.25 * PAUSES.longest + 1.0)
        scope.until(lambda: [len(each.elements("pool")) for each in (first, second)] == [1, 1], 5.0)

    def test_bounded(self) -> None:
        """Those that were lost last are dialled; of those that are there, all are kept."""
        timers = Deadlines[tuple[object, ...]]()
        dials = Dials(Random(1), timers)
        peers = []
        for number in range(100):
            peer = Peer(number + 1, 0.0)
            peer.address, peer.association = TransportAddress((f"10.0.1.{number}",), ENRP_PORT), number
            dials.remember(peer, None)
            peers.append(peer)
        for number in range(60):
            self.assertEqual([Connect(peers[number].address, "enrp")], dials.lost(number, 1000.0))
            dials.failed(peers[number].address, 1000.0)
        self.assertEqual(60, len(timers))
        peer.address, peer.association = TransportAddress(("10.0.2.1",), ENRP_PORT), "new"
        dials.remember(peer, None)
        self.assertEqual(MOST_HEARD - 1, len(timers))
