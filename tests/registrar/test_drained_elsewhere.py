"""Elements that drain while registrars do not see each other: none of them has users, and each serves again; in memory.

Two registrars that are cut off from each other take each other's elements over. Such an element follows the new home,
and the former one, which hears nothing of that, has it as its own.
"""

from __future__ import annotations

from typing import Any

from rserpool.core.errors import CannotAct
from rserpool.testing import RegistrarProcess
from tests.registrar.operated import POOL, ActingTestCase


class SplitTests(ActingTestCase):
    def split(self, **options: Any) -> tuple[int, RegistrarProcess, RegistrarProcess]:
        """An element has another home; its former one does not know that, and can ask it."""
        scope = self.begin(2, **options)
        element = self.element = self.elements[0]
        identifier, former, home = element.identifier(POOL), self.home(element), self.other(element)
        scope.partition([former], [home])
        scope.until(lambda: self.home(element) is home)
        found = former.role.handlespace.find(POOL, identifier)
        assert found is not None
        self.assertEqual(former.identifier, found.home)
        return identifier, former, home

    def test_it_drains(self) -> None:
        """Its former home hears of it from itself, before the two see each other; any of them has it serve again."""
        identifier, former, home = self.split()
        scope = self.scope
        scope.result(home.service.drain(POOL, identifier))
        scope.until(lambda: identifier not in former.elements(POOL))
        self.refused(former.service.undrain(POOL, identifier), "0x")
        scope.heal()
        scope.until(lambda: former.role.peering.peers.connected and home.role.peering.peers.connected)
        scope.until(lambda: any(peer.drainers for peer in former.role.peering.peers))
        self.assertNotIn(identifier, former.elements(POOL))
        self.assertNotIn(identifier, home.elements(POOL))
        scope.result(former.service.undrain(POOL, identifier))
        scope.until(lambda: all(identifier in each.elements(POOL) for each in scope.registrars))
        self.assertEqual([], home.service.draining)
        self.nothing_lost()

    def test_secured(self) -> None:
        identifier, former, home = self.split(secure=True)
        self.scope.result(home.service.drain(POOL, identifier))
        self.scope.until(lambda: identifier not in former.elements(POOL))
        self.scope.heal()
        self.scope.result(home.service.undrain(POOL, identifier))
        self.scope.until(lambda: all(identifier in each.elements(POOL) for each in self.scope.registrars))
        self.nothing_lost()

    def test_its_former_home_is_asked_at_once(self) -> None:
        """It does not say what it cannot know."""
        identifier, former, home = self.split()
        self.scope.result(home.service.drain(POOL, identifier))
        for ask in (former.service.undrain, former.service.drain):
            with self.assertRaises(CannotAct) as raised:
                self.scope.result(ask(POOL, identifier))
            self.assertNotIn("serves already", str(raised.exception))
        self.assertNotIn(identifier, former.elements(POOL))
        self.assertEqual([identifier], [each.identifier for each in home.service.draining])
        self.nothing_lost()

    def test_its_home_dies(self) -> None:
        """The former one looks after it from then on, as one that drains."""
        identifier, former, home = self.split()
        self.scope.result(home.service.drain(POOL, identifier))
        self.scope.kill(home)
        self.scope.heal()
        self.scope.until(lambda: former.service.draining)
        self.assertNotIn(identifier, former.elements(POOL))
        self.scope.result(former.service.undrain(POOL, identifier))
        self.assertIn(identifier, former.elements(POOL))
        self.nothing_lost()

    def test_its_home_comes_back_with_nothing(self) -> None:
        identifier, former, home = self.split()
        self.scope.result(home.service.drain(POOL, identifier))
        self.scope.kill(home)
        self.scope.heal()
        home.start(identifier=home.identifier)
        self.scope.until(lambda: any(each.service.draining for each in self.scope.registrars), 120.0)
        self.scope.advance(20.0)
        for registrar in self.scope.registrars:
            self.assertNotIn(identifier, registrar.elements(POOL))
        (held,) = [each for registrar in self.scope.registrars for each in registrar.service.draining]
        self.assertEqual(identifier, held.identifier)
        self.scope.result(former.service.undrain(POOL, identifier))
        self.scope.until(lambda: all(identifier in each.elements(POOL) for each in self.scope.registrars))
        self.nothing_lost()
