"""What of a registrar can be changed while it runs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.addresses import ENRP_PORT
from rserpool.core.peering.events import PeerUnreachable
from rserpool.core.registrar import Limits
from rserpool.testing import Scope
from tests.loglines import LogLines
from tests.pool_scope import PoolScope


class ChangingTests(SynchronousTestCase):
    """In a scope in memory."""

    def test_peers(self) -> None:
        """A registrar that is named later becomes a peer; one that is named no more stays as long as it is there."""
        scope = Scope(0)
        self.addCleanup(scope.stop)
        one, other = scope.registrar(identifier=1, peers=()), scope.registrar(identifier=2, peers=())
        scope.settle()
        self.assertEqual((set(), set()), (one.peers, other.peers))
        place = TransportAddress(other.address.hosts, ENRP_PORT)
        one.service.change(peers=[place])
        scope.until(lambda: (one.peers, other.peers) == ({2}, {1}))
        one.service.change(peers=[])
        scope.advance(1)
        self.assertEqual({2}, one.peers)

    def test_named_before_it_is_there(self) -> None:
        """It is dialled until somebody answers, or it is not named any more."""
        scope = Scope(0)
        self.addCleanup(scope.stop)
        one = scope.registrar(identifier=1, peers=())
        scope.settle()
        one.service.change(peers=[TransportAddress(("10.0.0.77",), ENRP_PORT)])
        scope.until(lambda: scope.trace.events(PeerUnreachable))
        one.service.change(peers=[])
        scope.advance(60)
        scope.trace.entries.clear()
        scope.advance(1000)
        self.assertEqual([], scope.trace.events(PeerUnreachable))

    def test_limits(self) -> None:
        """Another limit counts for who comes from now on; who is there stays."""
        lines = LogLines(self)
        scope = PoolScope(self)
        (registrar,) = scope.registrars
        scope.member(1)
        registrar.service.change(limits=Limits(elements_per_pool=1))
        scope.member(2)
        self.assertTrue(any("0x00000002 from" in line and "is refused" in line for line in lines.lines), lines.lines)
        self.assertEqual({1}, set(registrar.elements("pool")))
        registrar.service.change(limits=Limits(), suggest_takeover=True)
        self.assertTrue(registrar.role.peering.suggest)
        scope.until(lambda: set(registrar.elements("pool")) == {1, 2})
