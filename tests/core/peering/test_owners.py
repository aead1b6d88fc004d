"""Whose an element is, where registrars and elements say different things."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, Notify
from rserpool.core.peering.events import OutOfPlace
from rserpool.core.wire import asap, enrp
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, element, owned

POOL = b"pool"


class OwnerTests(SynchronousTestCase):
    def test_an_orphans_home_comes(self) -> None:
        """3.5.1: its elements were claimed, since nobody knew it; it speaks, and nobody takes them over."""
        scope = PeeringStage().ready(P, R)
        scope.update(P, POOL, owned(Q, 1))
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
