"""Whose an element is, where registrars and elements say different things."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, Notify, TransportAddress
from rserpool.core.peering.events import OutOfPlace
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.causes import ErrorCause
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, element, owned

POOL = b"pool"


class OwnerTests(SynchronousTestCase):
    def test_an_orphans_home_comes(self) -> None:
        """3.5.1: its elements were claimed, since nobody knew it; it speaks, and nobody takes them over."""
        scope = PeeringStage().ready(P, Q, R)
        scope.update(Q, POOL, owned(Q, 1))
        scope.peering.peers.remove(Q)
        scope.lose(Q)
        claimed = scope.silence(130.0, P, R)
        self.assertEqual(scope.to(P, claimed, enrp.InitTakeover), [enrp.InitTakeover(SERVER, 0, Q)])
        scope.ready(Q)
        for peer in (P, R):
            scope.all_of(peer, enrp.InitTakeoverAck(peer, SERVER, Q))
        self.assertEqual(scope.to(P, scope.effects, enrp.TakeoverServer), [])

    def test_only_its_home_suggests(self) -> None:
        scope = PeeringStage().ready(P, Q)
        scope.update(P, POOL, owned(P, 1))
        for peer, home in ((Q, P), (P, SERVER)):
            scope.all_of(peer, enrp.HandleUpdate(peer, SERVER, 0, POOL, owned(P, 1), takeover_suggested=True))
            self.assertEqual(scope.elements(POOL), {1: home})

    def test_a_rival_of_an_element_that_moved(self) -> None:
        """It waits while the element may be dead, and is refused when that registers elsewhere."""
        scope = PeeringStage().ready(P)
        scope.up("element")
        scope.register("element", POOL, element(1))
        scope.lost("element")
        scope.up("rival", host="10.0.0.2")
        self.assertEqual(scope.register("rival", POOL, element(1, host="10.0.0.2")), [])
        [refused] = scope.sent("rival", scope.update(P, POOL, owned(P, 1)))
        self.assertEqual([cause.code for cause in refused.causes], [CauseCode.NON_UNIQUE_PE_IDENTIFIER])

    def test_a_report_of_anothers_element(self) -> None:
        """It is asked over the association that it has with us, and does not become ours by that."""
        scope = PeeringStage().ready(P)
        scope.update(P, POOL, owned(P, 1))
        scope.up("element")
        scope.up("user", host="10.0.0.9")
        effects = scope.registrar.receive("user", asap.EndpointUnreachable(POOL, 1), scope.now)
        effects = scope.met("element", effects)
        self.assertEqual(scope.sent("element", effects), [asap.EndpointKeepAlive(SERVER, POOL, False, 1)])
        found = scope.registrar.handlespace.find(POOL, 1)
        assert found is not None
        self.assertEqual((found.home, found.association), (P, None))

    def test_for_another_registrar(self) -> None:
        """What names another receiver is not obeyed, and told; a sign of life it is."""
        scope = PeeringStage().ready(P, Q)
        scope.update(P, POOL, owned(P, 1))
        deletion = enrp.HandleUpdate(P, Q, enrp.UpdateAction.DEL_PE, POOL, owned(P, 1))
        for message in (
            enrp.HandleUpdate(P, Q, enrp.UpdateAction.ADD_PE, POOL, owned(P, 2)),
            deletion,
            enrp.ListRequest(P, Q),
            enrp.HandleTableRequest(P, Q),
            enrp.HandleTableResponse(P, Q),
            enrp.Presence(P, Q, 0x1234, reply_required=True),
            enrp.InitTakeover(P, Q, R),
            enrp.TakeoverServer(P, Q, SERVER),
            enrp.Error(P, Q, (ErrorCause(CauseCode.UNSPECIFIED),)),
        ):
            told = Notify(OutOfPlace(P, "a message for another registrar"))
            self.assertEqual(scope.all_of(P, message), [told], message)
            self.assertEqual(scope.elements(POOL), {1: P})
            scope.pass_time(30)
            scope.presence(Q)
        self.assertIn(P, scope.peering.peers.connected)
        # A tool that looks on has to ask us.
        scope.enrp.association_up("tool", TransportAddress(("10.0.0.50",), 1), scope.now)
        self.assertEqual(scope.enrp.receive("tool", enrp.ListRequest(0, Q), scope.now), [])
        self.assertEqual(len(scope.enrp.receive("tool", enrp.ListRequest(0, SERVER), scope.now)), 1)
        # For us, or for whoever gets it, it is obeyed.
        scope.all_of(P, replace(deletion, receiver=0))
        self.assertEqual(scope.elements(POOL), {})

    def test_many_reports_of_ours(self) -> None:
        """A peer says again and again that an element of ours is gone: one question answers that."""
        scope = PeeringStage().ready(P)
        scope.up("element")
        scope.register("element", POOL, element(1))
        found = scope.registrar.handlespace.find(POOL, 1)
        assert found is not None
        deletion = enrp.HandleUpdate(P, 0, enrp.UpdateAction.DEL_PE, POOL, found.parameter())
        asked = [message for _ in range(100) for message in scope.sent("element", scope.all_of(P, deletion))]
        self.assertEqual(asked, [asap.EndpointKeepAlive(SERVER, POOL, False, 1)])
        scope.tell("element", asap.EndpointKeepAliveAck(POOL, 1))
        self.assertEqual(scope.elements(POOL), {1: SERVER})

    def test_answers_that_nobody_asked_for(self) -> None:
        """They change nothing, and are told."""
        scope = PeeringStage().ready(P)
        for message, text in (
            (enrp.InitTakeoverAck(P, SERVER, Q), "ENRP_INIT_TAKEOVER_ACK"),
            (enrp.HandleTableResponse(P, SERVER), "ENRP_HANDLE_TABLE_RESPONSE"),
        ):
            self.assertEqual(scope.all_of(P, message), [Notify(OutOfPlace(P, text))])
        starting = PeeringStage(P, Q)
        for peer in (P, Q):
            starting.meet(peer)
        listed = starting.all_of(Q, enrp.ListResponse(Q, SERVER))
        self.assertEqual(listed, [Notify(OutOfPlace(Q, "ENRP_LIST_RESPONSE"))])
