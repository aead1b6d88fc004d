"""Registrars of one host that do not know each other: one says so, however they were started."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.addresses import ENRP_PORT, TransportAddress
from rserpool.registrar.neighbours import AGAIN, look_around
from rserpool.testing import Scope
from tests.loglines import LogLines


class LookTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scope = Scope(0)
        self.addCleanup(self.scope.stop)
        self.one, self.other = (self.scope.registrar(peers=()) for _ in range(2))
        self.log = LogLines(self)

    def look(self) -> None:
        """The first one looks where the other may be."""
        place = TransportAddress((self.other.host,), ENRP_PORT)
        role, stack = self.one.role, self.one.stack
        looking: Any = look_around(
            self.one.reactor, stack, lambda: [place], role.identifier, role.peering.peers, Logger(), (self.one.host,)
        )
        done = ensureDeferred(looking)
        self.scope.advance(sum(AGAIN) + 2.0 * len(AGAIN) + 1.0)
        self.assertIsNone(self.successResultOf(done))

    def told(self) -> list[str]:
        return [line for line in self.log.lines if "does not know this one: these are two scopes" in line]

    def test_told_once(self) -> None:
        """It is told once, with the C{--peer} that joins them."""
        self.look()
        (line,) = self.told()
        self.assertTrue(line.startswith(f"another registrar of this host, 0x{self.other.identifier:08x}, "), line)
        self.assertTrue(line.endswith(f"--peer {self.other.host}:{ENRP_PORT}"), line)

    def test_started_in_one_instant(self) -> None:
        """One that does not answer yet, since it is about to start, is found a moment later."""
        self.other.kill()
        self.scope.clock.callLater(4.0, self.other.start)
        self.look()
        self.assertEqual(1, len(self.told()), self.log.lines)

    def test_peers(self) -> None:
        """Those that know each other say nothing."""
        self.one.stop()
        self.one._options["peers"] = (TransportAddress((self.other.host,), ENRP_PORT),)
        self.one.start()
        self.scope.settle()
        self.look()
        self.assertEqual([], self.told())
