"""A re-synchronisation while other things happen (RFC 5353 section 3.6)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.wire import enrp
from tests.core.peering.stage import SERVER, PeeringStage, Q, owned

POOL = b"pool"


class AuditTests(SynchronousTestCase):
    def test_removed_meanwhile(self) -> None:
        """An element that its home removes while its table is on the way is gone once."""
        stage = PeeringStage().ready(Q)
        for number in (1, 2, 3):
            stage.update(Q, POOL, owned(Q, number))
        [request] = stage.presence(Q, 0x1234)
        self.assertTrue(request.own_children_only)
        stage.update(Q, POOL, owned(Q, 1), action=1)
        entry = enrp.PoolEntry(POOL, (owned(Q, 2),))
        stage.hear(Q, enrp.HandleTableResponse(Q, SERVER, (entry,)))
        self.assertEqual({2: Q}, stage.elements(POOL))

    def test_a_long_table(self) -> None:
        """It is taken bit by bit; what its home says meanwhile is newer."""
        stage = PeeringStage().ready(Q)
        for number in range(1, 301):
            stage.update(Q, POOL, owned(Q, number))
        stage.presence(Q, 0x1234)
        elements = tuple(owned(Q, number) for number in range(101, 401))
        stage.hear(Q, enrp.HandleTableResponse(Q, SERVER, (enrp.PoolEntry(POOL, elements),)))
        stage.update(Q, POOL, owned(Q, 7))
        stage.pass_time(0.0)
        self.assertEqual([7, *range(101, 401)], sorted(stage.elements(POOL)))

    def test_the_peer_goes_meanwhile(self) -> None:
        """What was being taken of its table is left; another audit has nothing to do with it."""
        stage = PeeringStage().ready(Q)
        for number in range(1, 301):
            stage.update(Q, POOL, owned(Q, number))
        stage.presence(Q, 0x1234)
        elements = tuple(owned(Q, number) for number in range(1, 101))
        stage.hear(Q, enrp.HandleTableResponse(Q, SERVER, (enrp.PoolEntry(POOL, elements),)))
        stage.lose(Q)
        [request] = [each for each in stage.meet(Q) if isinstance(each, enrp.HandleTableRequest)]
        self.assertTrue(request.own_children_only)
        stage.pass_time(0.0)
        self.assertEqual(300, len(stage.elements(POOL)))
        stage.hear(Q, enrp.HandleTableResponse(Q, SERVER, (enrp.PoolEntry(POOL, elements),)))
        stage.pass_time(0.0)
        self.assertEqual([*range(1, 101)], sorted(stage.elements(POOL)))
