"""What peers are told waits a moment for more of it, and nothing overtakes it (RFC 5353 section 3.3)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.wire import enrp
from rserpool.registrar.telling import MOMENT, MOST
from rserpool.testing import Scope


class TellingTests(SynchronousTestCase):
    """Elements register at the first of two registrars."""

    def setUp(self) -> None:
        self.scope = Scope(2)
        self.addCleanup(self.scope.stop)
        self.home, self.peer = self.scope.registrars
        self.scope.until(lambda: self.home.ready and self.peer.ready)
        self.scope.advance(1.0)

    def register(self, *identifiers: int) -> None:
        """Each over an association of its own, at the same instant."""
        for identifier in identifiers:
            self.scope.element("pool", identifier=identifier, service={"registrars": [self.home.address]})
        self.scope.until(lambda: len(self.home.elements("pool")) >= identifiers[-1])

    def heard(self, kind: type = enrp.HandleUpdate) -> list[float]:
        """When the peer heard of it: in so many instants, relative to the first."""
        told = self.scope.trace.messages(kind, source=self.home.name, target=self.peer.name)
        return [round(each.when - told[0].when, 6) for each in told]

    def test_the_first_goes_at_once_and_the_next_ones_together(self) -> None:
        self.register(1, 2, 3, 4)
        self.scope.advance(0.1)
        self.assertEqual([0.0, MOMENT, MOMENT, MOMENT], self.heard())
        self.assertEqual({1, 2, 3, 4}, {*self.peer.elements("pool")})

    def test_after_a_moment_of_silence_nobody_waits(self) -> None:
        self.register(1)
        self.scope.advance(0.1)
        began = self.scope.clock.seconds()
        self.register(2)
        at_home = self.scope.clock.seconds() - began
        self.scope.until(lambda: len(self.peer.elements("pool")) == 2)
        self.assertLess(self.scope.clock.seconds() - began - at_home, MOMENT)

    def test_nothing_overtakes_them(self) -> None:
        """A checksum is about what was told before: else the peer would ask for all elements."""
        self.register(1, 2, 3)
        registrar, node = self.home.service.registrar, self.home.service.node
        (peer,) = registrar.peering.peers
        node.perform(registrar.peering.ourselves.ask(peer))
        self.scope.advance(0.1)
        self.assertEqual([0.0] * 3, self.heard())
        self.assertEqual([], self.scope.trace.messages(enrp.HandleTableRequest, source=self.peer.name)[1:])

    def test_many_do_not_wait(self) -> None:
        self.register(*range(1, MOST + 3))
        self.scope.advance(0.1)
        self.assertEqual([0.0] * (MOST + 1) + [MOMENT], self.heard())

    def test_what_waits_is_told_when_the_registrar_ends(self) -> None:
        self.register(1, 2, 3)
        self.scope.result(self.home.service.stopService())
        self.assertEqual([0.0] * 3, self.heard())
