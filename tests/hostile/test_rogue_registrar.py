"""A rogue registrar in a plain scope: it is believed, but what it did ends with it (RFC 5353 section 3.3)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport, TcpTransport, TransportAddress
from rserpool.core.wire import enrp
from rserpool.sctp.base import PPID_ENRP, SctpHandler
from rserpool.testing import Scope

POOL, ROGUE = b"pool", 0x666


class _Rogue(SctpHandler):
    association: Any = None

    def associationUp(self, association: Any) -> None:
        self.association = association


class RogueTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scope = scope = Scope(0, seed=1)
        self.addCleanup(scope.stop)
        self.home = scope.registrar()
        registrars = {"registrars": [self.home.address]}
        self.elements = [scope.element("pool", policy="priority:priority=3", service=registrars) for _ in range(3)]
        scope.settle()
        self.assertEqual(self.present(), 3)
        self.rogue = _Rogue()
        stack = scope.network.stack("10.66.6.6")
        stack.open(0, self.rogue).connect(TransportAddress((self.home.host,), 9901, 9899))
        scope.until(lambda: self.rogue.association is not None, 1.0)

    def present(self) -> int:
        """How many of the elements are in their pool."""
        pool = self.home.role.handlespace.pools.get(POOL)
        return len({each.identifier(POOL) for each in self.elements} & set(() if pool is None else pool.elements))

    def say(self, message: enrp.Message) -> None:
        self.rogue.association.send(enrp.encode(message), PPID_ENRP)
        self.scope.advance(0.01)

    def test_a_pool_of_another_policy(self) -> None:
        """64 bytes dissolve a pool. When their sender is gone his element goes, too, and the pool is what it was."""
        nobody, port = SctpTransport(7, 0, ("10.66.6.6",)), TcpTransport(7, "10.66.6.6")
        lie = PoolElementParameter(1, ROGUE, 60_000, port, PolicyParameter(1), nobody, encapsulation=9899)
        self.say(enrp.HandleUpdate(ROGUE, 0, enrp.UpdateAction.ADD_PE, POOL, lie))
        self.assertEqual(self.present(), 0)
        for _ in range(10):
            self.say(enrp.HandleUpdate(ROGUE, 0, enrp.UpdateAction.ADD_PE, POOL, lie))
            self.scope.advance(1.0)
        self.rogue.association.abort()
        gone = self.scope.now
        self.scope.until(lambda: self.present() == 3, 60.0)
        self.assertLess(self.scope.now - gone, 16.0)
        self.scope.advance(5.0)
        self.assertEqual(self.present(), 3)
