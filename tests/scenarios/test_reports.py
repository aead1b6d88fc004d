"""Reports at a registrar that is not the element's home (RFC 5352 section 3.5)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.wire import asap
from rserpool.testing import Scope


class ReportScenarios(SynchronousTestCase):
    """Element and user have different registrars, which ask elements only when somebody reports them."""

    def setUp(self) -> None:
        self.scope = Scope(registrars=0)
        self.addCleanup(self.scope.stop)
        self.first, self.second = (self.scope.registrar(keep_alives=False) for _ in range(2))
        self.scope.settle()
        self.element = self.scope.element("pool", service={"registrars": [self.first.address]})
        self.other = self.scope.element("pool", service={"registrars": [self.second.address]})
        self.user = self.scope.user(registrars=[self.second.address])
        self.scope.settle()
        self.scope.result(self.user.service.resolve("pool"))

    def both(self) -> list[int]:
        return [len(registrar.elements("pool")) for registrar in (self.first, self.second)]

    def test_silent(self) -> None:
        """One that is silent is gone from both, though its home asks nobody by itself."""
        self.scope.silence(self.element)
        self.scope.advance(1.0)
        self.assertEqual([2, 2], self.both())
        self.user.service.report("pool", self.element.identifier("pool"))
        self.scope.until(lambda: self.both() == [1, 1], 2.5)

    def test_alive(self) -> None:
        """One that answers stays, with its home, whoever reports it; its second association ends."""
        home = self.element.service.element.home
        identifier = self.element.identifier("pool")
        for _ in range(5):
            user: Any = self.user.role._hunt.home
            user.send(asap.encode(asap.EndpointUnreachable(b"pool", identifier)), 11)
            self.scope.advance(0.5)
        self.assertEqual([2, 2], self.both())
        self.assertEqual(home, self.element.service.element.home)
        self.assertEqual(1, len(self.element.service.element._peers))
        self.assertEqual(2, len(self.element.service.element.known_registrars))
