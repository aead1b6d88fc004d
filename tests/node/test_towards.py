"""Addresses that the system has chosen: they are followed where they are gone, and nowhere else."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.node.towards import Towards, towards

HERE = TransportAddress(("127.0.0.1",), 3863)
NOWHERE = "192.0.2.77"
"""An address of nobody (RFC 5737)."""


class TowardsTests(SynchronousTestCase):
    """What becomes of them."""

    def watching(self, *present: str, registrar: str = "127.0.0.1") -> Towards:
        self.told: list[tuple[str, ...]] = []
        watching = Towards(reactor, [TransportAddress((registrar,), 3863)], present, self.told.append)
        self.addCleanup(watching.close)
        return watching

    def test_gone(self) -> None:
        """One that is no address of this host any more: what the system chooses now is told, once."""
        watching = self.watching(NOWHERE)
        watching.look()
        watching.look()
        self.assertEqual([("127.0.0.1",)], self.told)

    def test_there(self) -> None:
        """While it is there nothing is told, though there may be a better one."""
        watching = self.watching("127.0.0.5")
        watching.look()
        self.assertEqual([], self.told)

    def test_no_way(self) -> None:
        """While there is no way to the registrar, there is nothing to tell yet."""
        watching = self.watching(NOWHERE, registrar="fe80::1")
        watching.look()
        self.assertEqual([], self.told)

    def test_needless(self) -> None:
        """Addresses of loopback stay, and so do those that stand for all."""
        for present in ((), ("127.0.0.1", "::1"), ("0.0.0.0",)):
            self.assertIsNone(towards(reactor, [HERE], present, self.fail))
