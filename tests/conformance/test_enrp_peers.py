"""What RFC 5353 sections 3.4 and 3.5 require: peers, their failure, and the takeover of what they owned."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Connect, Notify, Send
from rserpool.core.peering.events import PeerFound, PeerLost, TakenOver
from rserpool.core.profiles import RFC
from rserpool.core.wire import asap, enrp
from tests.conformance import rfc
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, information, owned, place

POOL = b"pool"


class PeerListTests(SynchronousTestCase):
    """3.4."""

    @rfc("5353", "3.4.1", "MUST consider this peer a new peer", "MUST send an ENRP_PRESENCE message")
    @rfc("5353", "3.4", "MUST keep an internal record on the status")
    def test_discovery(self) -> None:
        """Any message will do; the stranger is asked for its presence, over the association that it came from."""
        for message in (
            enrp.Presence(P, 0, 0xFFFF, information(P)),
            enrp.ListRequest(P, SERVER),
            enrp.HandleUpdate(P, 0, 0, POOL, owned(P, 1)),
            enrp.InitTakeoverAck(P, SERVER, Q),
        ):
            scope = PeeringStage()
            effects = scope.enrp.association_up(P, place(P), scope.now)
            self.assertNotIn(P, scope.peering.peers)
            effects += scope.all_of(P, message)
            self.assertIn(Notify(PeerFound(P, place(P))), effects)
            peer = scope.peering.peers.get(P)
            assert peer is not None
            self.assertTrue(peer.monitored)
            [asked] = [each for each in scope.to(P, effects, enrp.Presence) if each.reply_required]
            self.assertEqual(asked.sender, SERVER)

    @rfc("5353", "3.4.2", "MUST announce its continued presence", "MUST set the 'Replay_required' flag to '0'")
    @rfc("5353", "2.1", "this field MUST be sent with all 0s")
    def test_heartbeats(self) -> None:
        scope = PeeringStage().ready(P, Q)
        scope.pass_time(RFC.peer_heartbeat_cycle)
        for _ in range(5):
            effects = scope.silence(RFC.peer_heartbeat_cycle, P, Q)
            for peer in (P, Q):
                [presence] = scope.to(peer, effects, enrp.Presence)
                self.assertEqual((presence.sender, presence.receiver), (SERVER, 0))
                self.assertFalse(presence.reply_required)

    @rfc("5353", "2.1", "sender then MUST include its server information")
    def test_answers_a_presence(self) -> None:
        scope = PeeringStage().ready(P)
        [presence] = scope.presence(P, reply_required=True)
        assert presence.information is not None
        self.assertEqual((presence.receiver, presence.reply_required), (P, False))
        self.assertEqual(presence.information.identifier, SERVER)
        self.assertEqual(scope.presence(P), [])

    @rfc(
        "5353", "3.4.3", 'MUST keep an internal variable "peer_last_heard"', "MUST be updated to the current local time"
    )
    def test_any_message_is_a_sign_of_life(self) -> None:
        scope = PeeringStage().ready(P)
        for message in (
            enrp.ListRequest(P, SERVER),
            enrp.HandleUpdate(P, 0, 1, POOL, owned(P, 1)),
            enrp.HandleTableRequest(P, SERVER),
            enrp.InitTakeoverAck(P, SERVER, Q),
        ):
            effects = scope.pass_time(RFC.max_time_last_heard - 1.0)
            self.assertFalse([each for each in scope.to(P, effects, enrp.Presence) if each.reply_required])
            scope.hear(P, message)
            peer = scope.peering.peers.get(P)
            assert peer is not None
            self.assertEqual(peer.last_heard, scope.now)

    @rfc(
        "5353",
        "3.4.3",
        "MUST immediately send a",
        "MUST consider the peer server dead",
        "SHOULD initiate the takeover procedure",
    )
    def test_a_silent_peer(self) -> None:
        """After MAX-TIME-LAST-HEARD it is asked; after MAX-TIME-NO-RESPONSE more it is dead."""
        scope = PeeringStage().ready(P, Q)
        scope.presence(P)
        effects = scope.silence(RFC.max_time_last_heard - 0.5, Q)
        self.assertFalse([each for each in scope.to(P, effects, enrp.Presence) if each.reply_required])
        effects = scope.silence(0.5, Q)
        [asked] = [each for each in scope.to(P, effects, enrp.Presence) if each.reply_required]
        self.assertEqual((asked.sender, asked.receiver), (SERVER, P))
        effects = scope.silence(RFC.max_time_no_response - 0.5, Q)
        self.assertNotIn(Notify(PeerLost(P)), effects)
        effects = scope.silence(0.5, Q)
        self.assertIn(Notify(PeerLost(P)), effects)
        self.assertEqual(scope.to(Q, effects, enrp.InitTakeover), [enrp.InitTakeover(SERVER, 0, P)])

    @rfc("5353", "3.4.3", "MUST consider the peer server dead", "SHOULD initiate the takeover procedure")
    def test_a_peer_that_nothing_can_be_sent_to(self) -> None:
        """Its association is gone, and it cannot be dialled."""
        scope = PeeringStage().ready(P, Q)
        self.assertIn(Connect(place(P), "enrp"), scope.lose(P))
        effects = scope.enrp.connect_failed(place(P), scope.now)
        self.assertIn(Notify(PeerLost(P)), effects)
        self.assertEqual(scope.to(Q, effects, enrp.InitTakeover), [enrp.InitTakeover(SERVER, 0, P)])


class TakeoverTests(SynchronousTestCase):
    """3.5. The target is Q; we are greater than P and smaller than R."""

    def setUp(self) -> None:
        self.scope = PeeringStage().ready(P, Q, R)
        self.scope.update(Q, POOL, owned(Q, 1))
        self.scope.update(Q, POOL, owned(Q, 2))
        self.scope.update(P, POOL, owned(P, 3))
        self.scope.presence(Q)

    def claim(self) -> list[Any]:
        """The target falls silent, the others do not: we claim; every effect."""
        return self.scope.silence(RFC.max_time_last_heard + RFC.max_time_no_response, P, R)

    def acknowledge(self, peer: int) -> list[Any]:
        return self.scope.all_of(peer, enrp.InitTakeoverAck(peer, SERVER, Q))

    @property
    def monitored(self) -> bool:
        target = self.scope.peering.peers.get(Q)
        assert target is not None
        return target.monitored

    @property
    def enforced(self) -> bool:
        return bool(self.scope.to(P, self.scope.effects, enrp.TakeoverServer))

    @rfc(
        "5353",
        "3.5.1",
        "SHOULD first start the takeover arbitration",
        "MUST fill in the Sending Server's ID",
        "SHOULD wait for an ENRP_INIT_TAKEOVER_ACK",
        "MUST consider that it has won",
        "MUST proceed to complete the takeover",
    )
    @rfc(
        "5353",
        "3.5.2",
        "MUST first send, via an announcement, an ENRP_TAKEOVER_SERVER",
        "MUST be filled in the message",
        "SHOULD then remove the target server",
        "SHOULD examine its local copy",
    )
    def test_claim_and_enforcement(self) -> None:
        """All are told, the target too; when all others have agreed, it is enforced, and the elements are told."""
        effects = self.claim()
        for peer in (P, Q, R):
            self.assertEqual(self.scope.to(peer, effects, enrp.InitTakeover), [enrp.InitTakeover(SERVER, 0, Q)])
        self.assertEqual(self.acknowledge(P), [])
        self.assertEqual(self.scope.elements(POOL), {1: Q, 2: Q, 3: P})
        effects = self.acknowledge(R)
        for peer in (P, R):
            enforced = enrp.TakeoverServer(SERVER, 0, Q)
            self.assertEqual(self.scope.to(peer, effects, enrp.TakeoverServer), [enforced])
        kinds = [type(effect) for effect in effects]
        self.assertLess(kinds.index(Send), kinds.index(Connect))
        self.assertNotIn(Q, self.scope.peering.peers)
        self.assertEqual(self.scope.elements(POOL), {1: SERVER, 2: SERVER, 3: P})
        # Both are behind one ASAP transport, which is dialled; then each is told who its home is.
        [element] = [effect.peer for effect in effects if isinstance(effect, Connect)]
        told = self.scope.registrar.association_up("element", element, self.scope.now, True)
        told += self.scope.pass_time(0.5)
        told += self.scope.met("element", told)
        keep_alives = [asap.EndpointKeepAlive(SERVER, POOL, True, identifier) for identifier in (1, 2)]
        self.assertEqual(self.scope.sent("element", told), keep_alives)

    @rfc("5353", "3.5.1", "MUST take the following actions", "MUST immediately announce an ENRP_PRESENCE")
    def test_we_are_the_target(self) -> None:
        effects = self.scope.all_of(P, enrp.InitTakeover(P, 0, SERVER))
        for peer in (P, Q, R):
            [message] = self.scope.to(peer, effects)
            self.assertIsInstance(message, enrp.Presence)
            self.assertEqual((message.sender, message.receiver), (SERVER, 0))

    @rfc(
        "5353",
        "3.5.1",
        "MUST stop the takeover operation",
        "MUST immediately stop the takeover process",
    )
    def test_the_target_speaks(self) -> None:
        """Whenever that is before the last has agreed."""
        self.claim()
        self.acknowledge(P)
        self.assertFalse(self.monitored)
        self.scope.presence(Q)
        self.assertTrue(self.monitored)
        self.acknowledge(R)
        self.scope.silence(RFC.max_time_last_heard - 1.0, P, Q, R)
        self.assertFalse(self.enforced)
        self.assertEqual(self.scope.elements(POOL), {1: Q, 2: Q, 3: P})

    @rfc(
        "5353",
        "3.5.1",
        "MUST take the following actions",
        "MUST perform the following arbitration",
        "MUST immediately abort its own take-over attempt",
        'MUST mark the target server as "not active"',
    )
    def test_a_greater_claimant(self) -> None:
        """We give way: the claim is acknowledged, and ours is over even if all agree to it."""
        self.claim()
        effects = self.scope.all_of(R, enrp.InitTakeover(R, 0, Q))
        self.assertEqual(self.scope.to(R, effects), [enrp.InitTakeoverAck(SERVER, R, Q)])
        self.assertFalse(self.monitored)
        self.acknowledge(P)
        self.acknowledge(R)
        self.scope.silence(3 * RFC.max_time_no_response, P, R)
        self.assertFalse(self.enforced)
        self.assertEqual(len(self.scope.to(P, self.scope.effects, enrp.InitTakeover)), 1)

    @rfc("5353", "3.5.1", "MUST perform the following arbitration", "MUST ignore the ENRP_INIT_TAKEOVER")
    def test_a_smaller_claimant(self) -> None:
        self.claim()
        self.assertEqual(self.scope.all_of(P, enrp.InitTakeover(P, 0, Q)), [])
        self.acknowledge(R)
        self.acknowledge(P)
        self.assertTrue(self.enforced)

    @rfc(
        "5353",
        "3.5.1",
        "MUST take the following actions",
        'the peer MUST: a) mark the target server as "not active"',
        "MUST reply to the initiating server with an ENRP_INIT_TAKEOVER_ACK",
    )
    def test_a_claim_of_another(self) -> None:
        """It is acknowledged, and the target is monitored no longer."""
        effects = self.scope.all_of(P, enrp.InitTakeover(P, 0, Q))
        self.assertEqual(self.scope.to(P, effects), [enrp.InitTakeoverAck(SERVER, P, Q)])
        self.assertFalse(self.monitored)

    @rfc("5353", "3.5.2", "SHOULD update its local peer list and PE cache")
    def test_enforced_by_another(self) -> None:
        self.scope.silence(RFC.max_time_last_heard, P, R)
        self.scope.all_of(P, enrp.InitTakeover(P, 0, Q))
        effects = self.scope.all_of(P, enrp.TakeoverServer(P, 0, Q))
        self.assertIn(Notify(TakenOver(Q, P, 2)), effects)
        self.assertNotIn(Q, self.scope.peering.peers)
        self.assertEqual(self.scope.elements(POOL), {1: P, 2: P, 3: P})
        found = self.scope.registrar.handlespace.find(POOL, 1)
        assert found is not None
        self.assertEqual(found.parameter().home, P)
