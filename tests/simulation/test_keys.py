"""Keys change at three registrars at three times: no element leaves its pool, and nobody's question fails."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.peering.events import TakenOver
from rserpool.core.registrar.events import ElementRemoved
from tests.simulation.asking import Asker, Question
from tests.simulation.proving import SecuredElement, SecuredRegistrar, psk
from tests.simulation.secured import SecuredCluster

POOL = b"pool"


class KeyTests(SynchronousTestCase):
    """Three registrars, four elements, and a user that asks ten times a second."""

    def setUp(self) -> None:
        cluster = self.cluster = SecuredCluster(7, 3)
        self.addCleanup(cluster.close)
        self.elements: list[Any] = [cluster.element(setup=lambda each: each.serve(POOL)) for _ in range(4)]
        cluster.settle()
        self.asker, self.questions = Asker(cluster.user()), list[Question]()
        self.asker.ask(POOL)
        cluster.advance(1.0)
        self._ask()

    def _ask(self) -> None:
        self.questions.append(self.asker.ask(POOL, fresh=True))
        self.cluster.clock.callLater(0.1, self._ask)

    def tell(self, *names: str) -> None:
        """These registrars read their files again; the next one does a second later."""
        for name in names:
            registrar = self.cluster.processes[name]
            assert isinstance(registrar, SecuredRegistrar)
            registrar.learn(self.cluster.directory.access(name, registrar.key))
            self.cluster.advance(1.0)

    def lost(self) -> list[str]:
        """What was lost: elements, registrars, questions."""
        events = [*self.cluster.trace.events(ElementRemoved), *self.cluster.trace.events(TakenOver)]
        answers = self.asker.answers[POOL]
        missing = {each.identifier(POOL) for each in self.elements if not each.banned} - answers.elements
        failed = [str(each.error) for each in self.questions if each.error is not None]
        short = [str(each) for each in self.questions if each.until is not None and len(each.elements) < 3]
        self.assertGreater(len(self.questions), 20)
        return [*map(str, events), *failed, *short, *map(hex, missing)]

    def test_of_elements(self) -> None:
        """A new key beside the old one, the element proves it, the old one goes."""
        keys = self.cluster.directory.keys
        for element in self.elements:
            keys[element.name] |= {psk(f"{element.name}.new")}
        self.tell("r2", "r3", "r1")
        for element in self.elements:
            assert isinstance(element, SecuredElement)
            element.prove(psk(f"{element.name}.new"))
        self.cluster.advance(1.0)
        for element in self.elements:
            keys[element.name] = frozenset({psk(f"{element.name}.new")})
        self.tell("r3", "r1", "r2")
        self.cluster.settle()
        self.assertEqual([], self.lost())
        owners = {str(each.owner) for each in self.cluster.registrars[0].elements(POOL).values()}
        self.assertEqual({f"psk:e{number}.new" for number in range(1, 5)}, owners)

    def test_of_registrars(self) -> None:
        """Nobody takes anybody's elements over."""
        keys = self.cluster.directory.keys
        for name in ("r1", "r2", "r3"):
            keys[name] |= {psk(f"{name}.new")}
        self.tell("r1", "r2", "r3")
        for name in ("r2", "r1", "r3"):
            self.cluster.processes[name].key = psk(f"{name}.new")  # type: ignore[attr-defined]
            self.tell(name)
        for name in ("r1", "r2", "r3"):
            keys[name] = frozenset({psk(f"{name}.new")})
        self.tell("r3", "r2", "r1")
        self.cluster.settle()
        self.assertEqual([], self.lost())

    def test_of_nobody(self) -> None:
        """Files are read again, and say the same."""
        self.tell("r1", "r2", "r3")
        self.assertEqual([], self.lost())

    def test_revoked(self) -> None:
        """One is gone everywhere, wherever it goes meanwhile, and the others stay."""
        gone = self.elements[1]
        gone.banned = True
        self.cluster.directory.keys[gone.name] = frozenset()
        identifier = gone.identifier(POOL)
        self.tell("r1", "r2", "r3")
        self.cluster.advance(2.0)
        for registrar in self.cluster.registrars:
            self.assertEqual(3, len(registrar.elements(POOL)))
            self.assertNotIn(identifier, registrar.elements(POOL))
        self.assertEqual([], self.cluster.intrusions())
        self.assertEqual([], [each for each in self.lost() if not each.startswith("ElementRemoved")])
