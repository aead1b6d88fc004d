"""What a registrar keeps of what is gone: nothing."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Close, SctpTransport, TransportAddress
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from tests.conformance import rfc
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, element, owned, place

POOL = b"pool"


class LeftoverTests(SynchronousTestCase):
    """Timers, and download sessions."""

    def stage(self) -> PeeringStage:
        """With a table that takes more than one response."""
        scope = PeeringStage().ready(P, Q)
        scope.up("element")
        for identifier in range(1, 1001):
            scope.register("element", POOL, element(identifier))
        return scope

    @rfc("5353", "3.2.3", "SHOULD abort the session, cleaning out")
    def test_download_that_nobody_continues(self) -> None:
        """It ends by itself, and not only when somebody else asks."""
        scope = self.stage()
        before = len(scope.registrar._timers)
        [table] = scope.hear(P, enrp.HandleTableRequest(P, SERVER))
        self.assertTrue(table.more_to_send)
        self.assertEqual(len(scope.registrar._timers), before + 1)
        scope.silence(30, P, Q)
        self.assertEqual(len(scope.registrar._timers), before)
        self.assertEqual(scope.peering.tables._sessions, {})
        # Then it begins anew.
        [table] = scope.hear(P, enrp.HandleTableRequest(P, SERVER))
        self.assertEqual(table.entries[0].elements[0].identifier, 1)

    def test_download_of_a_lost_peer(self) -> None:
        scope = self.stage()
        for own_only in (False, True):
            scope.hear(P, enrp.HandleTableRequest(P, SERVER, own_only))
        before = len(scope.registrar._timers)
        scope.lose(P)
        self.assertEqual(len(scope.registrar._timers), before - 2)

    def test_timers(self) -> None:
        """Peers, elements, users, questions: when all are gone, their timers are, and nothing wakes who is alone."""
        scope = self.stage()
        at = SctpTransport(5001, DATA_PLUS_CONTROL, ("10.0.0.8",))
        scope.update(P, POOL, replace(owned(P, 5000), asap_transport=at))
        for name in ("user", "rival"):
            scope.up(name, host="10.0.0.9")
        scope.resolve("user", POOL, subscribe=True)
        scope.tell("user", asap.EndpointUnreachable(POOL, 5000))
        scope.tell("user", asap.EndpointUnreachable(POOL, 1))
        scope.hear(P, enrp.HandleTableRequest(P, SERVER))
        scope.presence(Q, checksum=0x1234)
        for name in ("element", "user", "rival"):
            for peer in scope.dialled(scope.lost(name)):
                scope.refused(peer)
        scope.lose(P)
        scope.lose(Q)
        for _ in range(200):
            for peer in scope.dialled(scope.pass_time(1.0)):
                scope.note(scope.enrp.connect_failed(peer, scope.now))
                scope.refused(peer)
        self.assertEqual(len(scope.registrar.handlespace), 0)
        self.assertEqual(len(scope.peering.peers), 0)
        self.assertIsNone(scope.registrar.next_deadline())

    def test_where_a_lost_association_led(self) -> None:
        """The same name may be another association's later: that is a new one, and leads elsewhere."""
        scope = PeeringStage().ready(P)
        scope.lose(P)
        self.assertIsNone(scope.peering.peers.address_of(P))
        presences = scope.to(P, scope.note(scope.enrp.association_up(P, place(Q), scope.now)), enrp.Presence)
        self.assertEqual([presence.reply_required for presence in presences], [True])

    def test_our_own_address(self) -> None:
        """Somebody named it: we dial ourselves once, hear ourselves, and never dial there again."""
        scope = PeeringStage(P, Q)
        scope.note(scope.enrp.association_up("mirror", place(P), scope.now, True))
        effects = scope.note(scope.enrp.receive("mirror", enrp.Presence(SERVER, 0), scope.now))
        self.assertIn(Close("mirror"), effects)
        effects += scope.note(scope.enrp.association_lost("mirror", scope.now))
        effects += scope.pass_time(60.0)
        self.assertNotIn(place(P), scope.calls(effects))

    def test_where_a_name_led(self) -> None:
        """Who was dialled by a name is at the addresses that it has now; who was dialled by an address is there."""
        peers = PeeringStage().peering.peers
        for association, host in (("name", "reg1.example"), ("address", "10.0.3.7")):
            peers.up(association, TransportAddress((host,), 9901))
            peers.moved(association, ("10.0.3.8", "10.0.4.8"), 0.0)
        self.assertEqual(peers.address_of("name"), TransportAddress(("10.0.3.8", "10.0.4.8"), 9901))
        self.assertEqual(peers.address_of("address"), TransportAddress(("10.0.3.7",), 9901))
        self.assertEqual(peers.moved("nobody", ("10.0.3.9",), 0.0), [])
