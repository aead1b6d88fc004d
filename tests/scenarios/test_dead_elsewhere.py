"""An element that did not answer its home: the users of all registrars hear that it is dead."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.registrar.events import ElementRemoved
from rserpool.testing import Scope
from rserpool.user import PoolChanged


class DeadElsewhere(SynchronousTestCase):
    """Element and user have different registrars; there is another element, so that the pool stays."""

    def setUp(self) -> None:
        self.scope = Scope(registrars=2)
        self.addCleanup(self.scope.stop)
        home, other = self.scope.registrars
        self.elements = [self.scope.element("pool", service={"registrars": [home.address]}) for _ in range(2)]
        self.scope.settle()
        self.told: list[PoolChanged] = []
        for registrar in (home, other):
            user = self.scope.user(registrars=[registrar.address])
            user.service.subscribe("pool", self.told.append)
        self.scope.settle()
        self.scope.until(lambda: len(self.told) == 2)
        self.told.clear()

    def test_silent(self) -> None:
        """A host falls silent: both users may drop their connections at once; so may those of a pool that is gone."""
        for element in self.elements:
            identifier = element.identifier("pool")
            self.scope.silence(element)
            self.scope.until(lambda: len(self.told) == 2, 3.0)
            self.assertEqual([True, True], [identifier in each.dead for each in self.told])
            self.told.clear()
        why = {each.why for each in self.scope.trace.events(ElementRemoved)}
        self.assertEqual({"unreachable", "unreachable for its home"}, why)

    def test_left(self) -> None:
        """One that leaves by itself is not dead: it may finish what it was asked."""
        self.elements[0].leave("pool")
        self.scope.until(lambda: len(self.told) == 2, 3.0)
        self.assertEqual([(), ()], [each.dead for each in self.told])
