"""Registrars know and hear each other, and what they do not understand (RFC 5353 sections 3.4 and 3.7)."""

from __future__ import annotations

from rserpool.core import TransportAddress
from rserpool.core.addresses import ENRP_PORT
from rserpool.core.peering.events import PeerLost, TakenOver
from rserpool.core.profiles import DEFAULT, RFC
from rserpool.core.wire import enrp
from tests.scenarios.stage import ScenarioTestCase


class PeerTests(ScenarioTestCase):
    """3.4: peers are known, and heard."""

    def test_discovered(self) -> None:
        """3.4.1: any message makes its sender a peer; it is asked to present itself."""
        cluster = self.cluster(2, topology="none", start=False)
        first = cluster.registrar()
        second = cluster.registrar(peers=[TransportAddress((first.host,), ENRP_PORT)])
        cluster.advance(1.0)
        self.assertEqual(first.role.peering.peers.connected, (second.identifier,))
        presences = cluster.trace.messages(enrp.Presence, source="r1", target="r2")
        self.assertTrue([presence for presence in presences if presence.message.reply_required])

    def test_heartbeat(self) -> None:
        """3.4.2: every PEER-HEARTBEAT-CYCLE a presence goes to each peer, with the checksum."""
        cluster = self.cluster(3)
        before = len(cluster.trace.messages(enrp.Presence))
        cluster.advance(10 * DEFAULT.peer_heartbeat_cycle)
        beats = cluster.trace.messages(enrp.Presence)[before:]
        self.assertEqual(len(beats), 10 * 3 * 2)
        self.assertTrue(all(m.checksum == 0xFFFF and not m.reply_required for *_, m in beats))

    def test_rfc_timers(self) -> None:
        """With the RFC's timers a silent registrar is asked after 61 s, and taken over 5 s later."""
        cluster = self.cluster(3, profile=RFC, start=False)
        for _ in range(3):
            cluster.registrar()
        cluster.advance(130.0)
        self.assert_settled(cluster)
        victim = cluster.registrars[2]
        cluster.silence(victim)
        lost = cluster.until(lambda: cluster.trace.events(PeerLost), 200.0)
        self.assertGreater(lost, 61.0 - 30.0 + 5.0)
        self.assertLess(lost, 61.0 + 5.0 + 0.1)
        self.assertLess(cluster.until(lambda: cluster.trace.events(TakenOver), 30.0), 0.1)


class MessageTests(ScenarioTestCase):
    """3.7: what is not understood."""

    def test_unknown_message(self) -> None:
        """RFC 5354 section 4: an unknown message type whose high bits ask for it is reported; the peer stays a peer."""
        cluster = self.cluster(2)
        first, second = cluster.living
        association = self._association(first, second)
        association.send(bytes((0x45, 0, 0, 12)) + first.identifier.to_bytes(4, "big") + bytes(4), 12)
        cluster.advance(0.1)
        self.assertTrue(cluster.trace.messages(enrp.Error, source=second.name, target=first.name))
        self.assert_stays_settled(cluster)

    def test_garbage(self) -> None:
        """Garbage disturbs nobody."""
        cluster = self.cluster(2)
        first, second = cluster.living
        for length in range(1, 60):
            self._association(first, second).send(bytes(range(length)), 12)
        cluster.advance(0.1)
        self.assert_stays_settled(cluster)

    def test_an_acknowledgement_from_nowhere(self) -> None:
        """Messages of procedures that are not under way change nothing."""
        cluster = self.cluster(3)
        elements = self.elements(cluster, 2)
        first, second, third = cluster.living
        for message in (
            enrp.InitTakeoverAck(first.identifier, second.identifier, third.identifier),
            enrp.HandleTableResponse(first.identifier, second.identifier),
            enrp.HandleTableResponse(first.identifier, second.identifier, rejected=True),
            enrp.ListResponse(first.identifier, second.identifier, rejected=True),
            enrp.InitTakeoverAck(first.identifier, second.identifier, 77),
            enrp.TakeoverServer(first.identifier, 0, 77),
        ):
            self._association(first, second).send(enrp.encode(message), 12)
        cluster.advance(0.1)
        self.assert_stays_settled(cluster)
        self.assertEqual(len(second.role.handlespace), len(elements))

    def _association(self, source, target):
        peer = source.role.peering.peers.get(target.identifier)
        return peer.association
