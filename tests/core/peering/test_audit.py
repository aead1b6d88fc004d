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
