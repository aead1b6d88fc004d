"""How many places a registrar dials at a time, to ask whether elements live, and who waits (RFC 5352 section 3.5)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.handlespace.changes import Why
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar.dialling import MOST_DIALS
from rserpool.core.registrar.events import ElementRemoved
from tests.core.registrar.stage import RegistrarStage
from tests.core.stage import element

POOL = b"www"
MORE = 50
"""So many elements more than are dialled at a time."""
QUICK = 0.0005


class DialTests(SynchronousTestCase):
    def setUp(self) -> None:
        """Each element has an association of its own, and all of these are lost at once."""
        self.stage = RegistrarStage()
        self.numbers = range(1, MOST_DIALS + MORE + 1)
        for number in self.numbers:
            self.stage.up(f"e{number}", port=number)
            self.stage.register(f"e{number}", POOL, element(number, life=3600))
        self.dialling: list[TransportAddress] = []
        for number in self.numbers:
            self.watch(self.stage.lost(f"e{number}"))
        self.wait(QUICK)

    def watch(self, effects: list[Any]) -> None:
        self.dialling += self.stage.dialled(effects)
        self.assertLessEqual(len(self.dialling), MOST_DIALS)

    def wait(self, seconds: float) -> None:
        self.watch(self.stage.pass_time(seconds))

    def refuses(self) -> int:
        """The place that was dialled first refuses; which one that was."""
        place = self.dialling.pop(0)
        self.watch(self.stage.refused(place))
        self.wait(QUICK)
        return place.port

    def gone(self) -> list[int]:
        return [event.identifier for event in self.stage.notified(self.stage.effects, ElementRemoved)]

    def test_bounded(self) -> None:
        """So many are dialled and no more; each one that is over lets in who has waited longest; all are asked."""
        self.assertEqual(MOST_DIALS, len(self.dialling))
        order = []
        while self.dialling:
            order.append(self.refuses())
        self.assertEqual(list(self.numbers), order)
        self.assertEqual(list(self.numbers), sorted(self.gone()))
        self.assertEqual(0, len(self.stage.registrar.handlespace))

    def test_who_waits_is_not_late(self) -> None:
        """Those that are dialled and do not answer in time are gone; those that wait have their time before them."""
        self.wait(DEFAULT.keep_alive_timeout + 1.0)
        self.assertEqual(list(self.numbers[:MOST_DIALS]), sorted(self.gone()))
        self.refuses()
        self.assertEqual(MOST_DIALS, len(self.gone()))
        self.wait(DEFAULT.keep_alive_timeout - 0.1)
        self.assertEqual(MOST_DIALS, len(self.gone()))
        self.wait(1.0)
        self.assertEqual(MOST_DIALS + 1, self.gone()[-1])
        self.assertEqual(MOST_DIALS + 1, len(self.gone()))

    def test_who_answers_makes_room(self) -> None:
        """An association that comes up is a place less to dial."""
        place = self.dialling.pop(0)
        effects = self.stage.registrar.association_up("again", place, self.stage.now, True, None)
        self.watch(self.stage.note(effects))
        self.wait(QUICK)
        self.assertEqual(MOST_DIALS + 1, self.dialling[-1].port)

    def test_no_more_wanted(self) -> None:
        """Who is gone, or has come again by itself, is not dialled when its turn comes."""
        first, second, third = (MOST_DIALS + n for n in (1, 2, 3))
        self.stage.up("again", port=first)
        self.stage.register("again", POOL, element(first, life=3600))
        found = self.stage.registrar.handlespace.find(POOL, second)
        assert found is not None
        self.stage.registrar.handlespace.deregister(found, Why.SILENT)
        self.stage.registrar.supervision.forget(found)
        self.refuses()
        self.assertEqual(third, self.dialling[-1].port)
        self.assertEqual(1, len(self.gone()))
