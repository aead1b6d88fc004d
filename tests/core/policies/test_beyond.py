"""The policies of rsplib that RFC 5356 does not have, and distances, at the registrar."""

from __future__ import annotations

from collections import Counter
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter as Parameter
from rserpool.core.policies import FULL_LOAD, POLICIES, Selection
from rserpool.core.policies.distance import FARTHEST, at_distance, distance, remeasured
from tests.core.policies.members import Named, by_name, filled, named, names, picks, tally
from tests.core.policies.test_random import ChanceTests as Chance

QUARTER = FULL_LOAD // 4
PERCENT = FULL_LOAD // 100


class PriorityLeastUsedDegradationTests(SynchronousTestCase):
    def test_counts_what_was_selected_and_what_comes(self) -> None:
        # A is at 0 + 30 for its first request, B at 45 + 1
        self.assertEqual("".join(picks(filled("PLUD", named([(0, 30), (45, 1)])), 5)), "ABBBB")

    def test_registering_again_resets_the_counter(self) -> None:
        members = named([(0, 30), (45, 1)])
        selection = filled("PLUD", members)
        selection.select(1)
        selection.update(members[0])
        self.assertEqual(picks(selection, 1), ["A"])


class RandomizedTests(Chance):
    def test_priority_by_what_will_be_left(self) -> None:
        members = named([(0, QUARTER), (QUARTER, QUARTER), (QUARTER * 2, QUARTER)])
        self.assert_shares(tally(filled("RPLU", members), 10000), {"A": 3.0, "B": 2.0, "C": 1.0})

    def test_priority_one_that_would_be_full_is_the_last_resort(self) -> None:
        self.assertEqual(set(picks(filled("RPLU", named([(QUARTER, QUARTER * 3), (0, FULL_LOAD)])), 20)), {"A"})
        selection = filled("RPLU", named([(1, FULL_LOAD), (FULL_LOAD, FULL_LOAD)]))
        self.assertEqual(sorted(names(selection.select(5))), ["A", "B"])

    def test_degradation_makes_the_chosen_one_less_likely(self) -> None:
        members = named([(0, FULL_LOAD // 2)] + [(0, 0)] * 2)
        found: Counter[str] = Counter()
        selection = filled("RLUD", members)
        for _ in range(10000):
            members[0].rank = 1
            members[0].values = (0, FULL_LOAD // 2)
            selection.update(members[0])  # tells its load anew
            found += tally(selection, 1)
        self.assert_shares(found, {"A": 1.0, "B": 1.0, "C": 1.0})
        selection = filled("RLUD", members)
        for _ in range(200):
            selection.select(1)  # long before that A is full
        self.assertGreaterEqual(members[0].rank, 2)
        self.assertEqual(set(picks(selection, 50)), {"B", "C"})

    def test_degradation_counts_for_all_that_are_reported_and_not_for_a_peek(self) -> None:
        members = named([(0, PERCENT)] * 3)
        selection = filled("RLUD", members)
        selection.peek(3)
        selection.select(2)
        self.assertEqual(sorted(member.rank for member in members), [0, 1, 1])

    def test_priority_and_degradation(self) -> None:
        members = named([(QUARTER, QUARTER), (0, QUARTER), (QUARTER * 2, QUARTER)])
        selection = filled("RPLUD", members)
        counts: Counter[str] = Counter()
        for _ in range(10000):
            counts += tally(selection, 1)
            for member in members:
                selection.update(member)
        self.assert_shares(counts, {"A": 2.0, "B": 3.0, "C": 1.0})


class DistanceTests(Chance):
    def test_each_millisecond_takes_its_part_of_the_weight(self) -> None:
        members = named([(1000, PERCENT, 0), (1000, PERCENT, 50), (2000, PERCENT, 50)])
        self.assert_shares(tally(filled("WRAND-DPF", members), 10000), {"A": 10.0, "B": 5.0, "C": 10.0})

    def test_a_weight_never_vanishes_with_distance(self) -> None:
        members = named([(1000, PERCENT, 200), (0, PERCENT, 0)])
        self.assertEqual(picks(filled("WRAND-DPF", members), 3, 2), ["A"] * 3)

    def test_each_millisecond_adds_to_the_load(self) -> None:
        self.assertEqual(picks(filled("LU-DPF", named([(0, 10, 50), (499, 10, 0), (501, 10, 0)])), 1, 3), ["BAC"])

    def test_distance_and_degradation(self) -> None:
        self.assertEqual("".join(picks(filled("LUD-DPF", named([(0, 200, 10, 50), (0, 200, 10, 100)])), 5)), "AAABA")


class MeasuredTests(SynchronousTestCase):
    def test_one_way_in_steps_of_50_ms(self) -> None:
        found = [distance(seconds) for seconds in (None, 0.0, 0.001, 0.049, 0.051, 0.1, 0.149, 0.151, 0.2, 1.0)]
        self.assertEqual([0, 0, 0, 0, 50, 50, 50, 100, 100, 500], found)

    def at(self, parameter: Parameter, seconds: float | None, *, add: bool) -> Parameter:
        return at_distance(parameter, lambda: seconds, add=add)

    def test_replaced_and_added(self) -> None:
        policy = by_name("LUD-DPF")
        told = Parameter(policy.number, policy.encode((1, 2, 3, 7)))
        near = self.at(told, 0.1, add=False)
        self.assertEqual((1, 2, 3, 50), policy.decode(near.data))
        far = self.at(Parameter(near.type, near.data + b"more"), 0.2, add=True)
        self.assertEqual((1, 2, 3, 150), policy.decode(far.data))
        self.assertTrue(far.data.endswith(b"more"))
        farthest = Parameter(policy.number, policy.encode((1, 2, 3, FARTHEST)))
        self.assertEqual(farthest, self.at(farthest, 0.1, add=True))
        self.assertEqual((1, 2, 3, 0), policy.decode(self.at(told, None, add=False).data))

    def test_measured_again(self) -> None:
        """A distance stays what it is until it is clearly another: more than 30 ms away; unknown says nothing."""
        policy = by_name("LUD-DPF")
        told = Parameter(policy.number, policy.encode((1, 2, 3, 100)))
        # Of the round trip a half is one way.
        for seconds in (None, 0.140, 0.2, 0.260):
            self.assertIs(told, remeasured(told, seconds))
        for seconds, milliseconds in ((0.138, 50), (0.262, 150), (0.0, 0), (2.0, 1000)):
            self.assertEqual((1, 2, 3, milliseconds), policy.decode(remeasured(told, seconds).data))
        without = Parameter(1, b"")
        self.assertIs(without, remeasured(without, 1.0))

    def test_policies_without_distance_are_left_alone(self) -> None:
        """Nor is it asked how far away they are: that costs a system call."""
        without = [number for number, policy in POLICIES.items() if "distance" not in policy.fields]
        self.assertEqual(
            13, len({1, 2, 3, 4, 5, *range(0x40000001, 0x40000005), *range(0xB0001001, 0xB0001005)} & {*without})
        )
        for number in [*without, 0x12345678]:
            told = Parameter(number, b"\x01" * 16)
            self.assertIs(told, at_distance(told, self.fail, add=False))

    def test_what_is_cut_short_is_left_for_others_to_refuse(self) -> None:
        told = Parameter(by_name("LU-DPF").number, b"\x01" * 11)
        self.assertIs(told, self.at(told, 0.1, add=False))


class EstimateTests(SynchronousTestCase):
    def test_a_user_expects_what_the_registrar_does(self) -> None:
        """Before a request was given to anybody, a user's estimates are in the order in which a registrar selects."""
        random = Random(5)
        for policy in POLICIES.values():
            if policy.estimate is None:
                continue
            for number in range(40):
                most = 10 if number % 2 else 1 << 20
                values = [tuple(random.randrange(most) for _ in policy.fields) for _ in range(5)]
                selection: Selection[Named] = policy.selection(Random(1))
                for member in named(values):
                    selection.add(member)
                loads = [policy.estimate(member.values, 0) for member in selection.select(5)]
                self.assertEqual((policy.name, loads), (policy.name, sorted(loads)))
