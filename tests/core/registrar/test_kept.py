"""Answers that are kept are those that would be given anyway, and take little work and a bounded room."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport
from rserpool.core.registrar import Limits, kept, renewals
from rserpool.core.registrar.kept import MOST_ASKED, WORTH, KeptAnswers
from rserpool.core.wire import asap
from tests.core.registrar.stage import RegistrarStage
from tests.core.registrar.twins import OneByOne, both, twins
from tests.core.stage import element
from tests.work import calls

POOL = b"pool"
QUESTION = asap.encode(asap.HandleResolution(POOL))


class TwinTests(SynchronousTestCase):
    """What one that keeps its answers says is what another one says that makes each anew."""

    def test_turns(self) -> None:
        """Each comes first in its turn, whether all are wanted or some, with private parameters or without."""
        stages, found = twins(), 0
        for number in range(1, 8):
            both(stages, "a", asap.Registration(POOL, replace(element(number, host="127.0.0.1"), framing=1)))
        for turn in range(200):
            request = asap.HandleResolution(POOL, False, (None, 0, 1, 3, 7, 100)[turn % 6], turn % 4 > 0)
            found += both(stages, "near", request) is not None
        self.assertGreater(found, 150)

    def test_whatever_happens(self) -> None:
        """Elements come, change, move and go, and users ask from everywhere, in any order."""
        for seed in range(12):
            dice, stages, found = Random(seed), twins(keep_alives=False), 0
            for _ in range(400):
                found += both(stages, *self.something(dice, stages)) is not None
            self.assertGreater(found, 30)

    def something(self, dice: Random, stages: tuple[RegistrarStage, OneByOne]) -> tuple[str, Any]:
        """What comes next."""
        handle = dice.choice((POOL, b"other"))
        number, kind = dice.randint(1, 6), dice.random()
        if kind < 0.05:
            return "a", asap.Registration(handle, self.element(dice, number))
        if kind < 0.08:
            return "a", asap.Registration(handle, element(number, host="127.0.0.1"))
        if kind < 0.12:
            return "a", asap.Deregistration(handle, number)
        if kind < 0.15:
            for stage in stages:
                moving = stage.registrar.handlespace.find(handle, number)
                if moving is not None:
                    stage.registrar.handlespace.adopt(moving, 0x77)
        user = dice.choice(("near", "near", "near", "far", "link"))
        items = dice.choice((None, None, None, 2))
        return user, asap.HandleResolution(handle, dice.random() < 0.05, items, dice.random() < 0.8)

    def element(self, dice: Random, number: int) -> PoolElementParameter:
        hosts = dice.choice((("127.0.0.1",), ("127.0.0.1", "127.0.0.2"), ("::1",)))
        return replace(
            element(number, host="127.0.0.1"),
            life=dice.choice((60, 600)),
            user_transport=SctpTransport(dice.choice((80, 81)), 0, hosts[:1]),
            framing=dice.choice((0, 1)),
        )

    def test_large(self) -> None:
        """More than fits: as many as fit, and only after it was asked for often enough."""
        stages = twins(keep_alives=False)
        for number in range(1, 2501):
            both(stages, "a", asap.Registration(POOL, element(number, host="127.0.0.1")))
        found = [both(stages, "near", asap.HandleResolution(POOL)) is not None for _ in range(12)]
        before = -(-2500 // WORTH)
        self.assertEqual([False] * before + [True] * (12 - before), found)

    def test_other_policies(self) -> None:
        """A policy that throws dice, or counts, answers anew each time."""
        for policy in ("random", "least-used:load=0.5", "weighted-round-robin:weight=2"):
            stages = twins()
            for number in range(1, 8):
                both(stages, "a", asap.Registration(POOL, element(number, policy, host="127.0.0.1")))
            for _ in range(20):
                self.assertIsNone(both(stages, "near", asap.HandleResolution(POOL)))

    def test_padded(self) -> None:
        """Elements whose length is padded, or that differ in length where not all fit, are answered one by one."""
        stages = twins()
        for number in range(1, 6):
            parameter = element(number, host="127.0.0.1")
            odd = replace(parameter, home=0x77, policy=PolicyParameter(1, b"x" * 5))
            for stage in stages:
                stage.registrar.handlespace.register(b"odd", odd, others=True)
            for handle in (b"longer", b"all"):
                longer = replace(parameter, policy=PolicyParameter(1, bytes(4 * number)))
                both(stages, "a", asap.Registration(handle, longer))
        for turn in range(12):
            self.assertIsNone(both(stages, "near", asap.HandleResolution(b"odd")))
            self.assertIsNone(both(stages, "near", asap.HandleResolution(b"longer", items=2)))
            self.assertEqual(turn > 0, both(stages, "near", asap.HandleResolution(b"all")) is not None)


class GateTests(SynchronousTestCase):
    """Who would be refused gets nothing that is kept."""

    def setUp(self) -> None:
        self.stage = RegistrarStage(keep_alives=False, limits=Limits(requests_per_second=10.0))
        self.stage.up("a")
        self.stage.register("a", POOL, element(1, life=600))
        self.stage.pass_time(60.0)

    def ask(self, data: bytes = QUESTION) -> bytes | list[Any] | None:
        return self.stage.registrar.at_once("a", data, self.stage.now)

    def test_too_many(self) -> None:
        for _ in range(4):
            self.stage.resolve("a", POOL)
        answers = [self.ask() for _ in range(20)]
        self.assertEqual(6, sum(each is not None for each in answers))
        self.assertTrue(self.stage.resolve("a", POOL).causes)

    def test_strangers(self) -> None:
        """Nobody, garbage, what cannot be understood whole, and a subscription."""
        for _ in range(3):
            self.stage.resolve("a", POOL)
        self.assertIsNotNone(self.ask())
        self.assertIsNone(self.stage.registrar.at_once("nobody", QUESTION, self.stage.now))
        strange = bytes((5, 0x80, 0, 20)) + QUESTION[4:] + bytes((0xC0, 0x77, 0, 4))
        subscribes = asap.encode(asap.HandleResolution(POOL, True))
        for data in (b"", b"\5", QUESTION[:7], QUESTION + bytes(8), strange, subscribes):
            for _ in range(4):
                self.assertIsNone(self.ask(data))


class RenewalTests(SynchronousTestCase):
    """Registrations in the same bytes as before."""

    def both(self, stages: tuple[RegistrarStage, OneByOne], known: bool, name: str = "a", **options: Any) -> None:
        """Element 7 registers, and it is known or not that this changes nothing."""
        parameter = element(7, options.pop("policy", "round-robin"), host="127.0.0.1", **options)
        answer = both(stages, name, asap.Registration(POOL, parameter))
        self.assertEqual(known, answer is not None)

    def test_known(self) -> None:
        """It is known from the third time on; what changes is not; its life is counted from the last one."""
        stages = twins(keep_alives=False)
        for known in (False, False, True, True):
            self.both(stages, known)
        for stage in stages:
            stage.pass_time(40.0)
        self.both(stages, True)
        self.both(stages, False, life=50)
        for known in (False, False, True):
            self.both(stages, known)
        for stage in stages:
            stage.pass_time(59.0)
            self.assertEqual(1, len(stage.registrar.handlespace))
            stage.pass_time(2.0)
            self.assertEqual(0, len(stage.registrar.handlespace))
        self.both(stages, False)

    def test_load(self) -> None:
        """A policy that counts hears of it as ever: what was given to the element before is over."""
        stages, policy = twins(keep_alives=False), "least-used-degradation:load=0.1,degradation=0.2"
        for turn in range(8):
            self.both(stages, turn > 1, policy=policy)
            both(stages, "a", asap.Registration(POOL, element(8, policy, host="127.0.0.1")))
            for _ in range(turn):
                both(stages, "near", asap.HandleResolution(POOL, items=1))

    def test_taken_over(self) -> None:
        """Another registrar is its home now, it speaks over another association, or is gone: it is looked at anew."""
        stages = twins(keep_alives=False)
        for known in (False, False, True):
            self.both(stages, known)
        for stage in stages:
            [present] = stage.registrar.handlespace.pools[POOL].elements.values()
            stage.registrar.handlespace.adopt(present, 0x77)
        for known in (False, False, True):
            self.both(stages, known)
        both(stages, "a", asap.Deregistration(POOL, 7))
        for known in (False, False, True):
            self.both(stages, known)
        for stage in stages:
            stage.lost("a")
            stage.up("b", host="127.0.0.1")
        for known in (False, True, True):
            self.both(stages, known, "b")

    def test_judged_anew(self) -> None:
        """Limits, addresses and evictions are others: it is looked at anew."""
        stages = twins(keep_alives=False)
        for known in (False, False, True):
            self.both(stages, known)
        for stage in stages:
            stage.registrar.change_limits(Limits(handle_length=3))
        self.both(stages, False)
        for stage in stages:
            stage.registrar.change_limits(Limits())
        for known in (False, True):
            self.both(stages, known)
        for stage in stages:
            stage.note(stage.registrar.addresses_changed("a", ("127.0.0.1", "127.0.0.3"), stage.now))
        for known in (False, True, True):
            self.both(stages, known)
        for stage in stages:
            stage.registrar.evictions.evict(POOL, element(7), 60, stage.now)
        self.both(stages, False)

    def test_distances(self) -> None:
        """What hangs on how far away it is is measured each time."""
        stages = twins(keep_alives=False)
        for _ in range(4):
            self.both(stages, False, policy="least-used-dpf:load=0.1,load-dpf=0.1")

    def test_others(self) -> None:
        """Bytes of one are nothing in the mouth of another, nor are those that were not decoded."""
        stages = twins(keep_alives=False)
        for known in (False, False, True):
            self.both(stages, known)
        data = asap.encode(asap.Registration(b"another", element(9, host="127.0.0.1")))
        registrar, now = stages[0].registrar, stages[0].now
        self.assertIsNone(registrar.at_once("a", data, now))
        self.both(stages, True)
        self.assertIsNone(registrar.at_once("a", data[:-1], now))
        self.both(stages, True)
        for stage in stages:
            stage.up("b", host="127.0.0.1")
        self.both(stages, False, "b")

    def test_bounded(self) -> None:
        """So many are remembered; when all have been forgotten there is room for those that still come."""
        self.patch(renewals, "MOST", 10)
        stage = RegistrarStage(keep_alives=False)
        stage.up("a")
        remembered: renewals.Renewals = stage.registrar._home._renewals

        def again(numbers: range) -> int:
            for number in numbers:
                stage.register("a", POOL, element(number, life=600))
            count = sum(map(len, remembered._of.values()))
            self.assertEqual(count, remembered._count)
            return count

        self.assertEqual([0, 10, 10], [again(range(1, 31)) for _ in range(3)])
        stage.pass_time(renewals.EVERY)
        self.assertEqual(8, again(range(21, 29)))
        stage.lost("a")
        self.assertEqual((0, {}), (remembered._count, remembered._of))


class WorkTests(SynchronousTestCase):
    def test_fewer_calls(self) -> None:
        """What is kept takes less than half of the work."""
        keeps, makes = twins(keep_alives=False)
        for stage in (keeps, makes):
            for number in range(1, 11):
                stage.register("a", POOL, element(number, host="127.0.0.1"))
        question = asap.decode(QUESTION).message
        for _ in range(3):
            keeps.resolve("near", POOL)
        work = calls(lambda: [keeps.registrar.at_once("near", QUESTION, keeps.now) for _ in range(100)])
        anew = calls(lambda: [makes.registrar.receive("near", question, makes.now) for _ in range(100)])
        self.assertLess(work, anew / 2)

    def test_bounded(self) -> None:
        """However many pools there are, and questions about them: so many bytes are kept."""
        self.patch(kept, "ROOM", 20_000)
        stage = RegistrarStage(keep_alives=False)
        stage.up("a")
        answers: KeptAnswers = stage.registrar.answers._kept
        for number in range(1, 11):
            stage.register("a", POOL, element(number))
        for items in range(1, MOST_ASKED + 10):
            stage.resolve("a", POOL, items)
        self.assertLessEqual(len(answers._asked), MOST_ASKED)
        for items in range(1, 100):
            for _ in range(3):
                stage.resolve("a", POOL, items)
        length = sum(map(len, answers._kept.values()))
        self.assertEqual(length, answers._length)
        self.assertIn(length, range(15_000, 20_001))
        stage.tell("a", asap.Deregistration(POOL, 1))
        for _ in range(3):
            stage.resolve("a", POOL, 99)
        self.assertEqual(sum(map(len, answers._kept.values())), answers._length)
