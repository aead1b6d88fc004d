"""Priority, least used and its kin at the registrar (RFC 5356 sections 4.5.2, 5.1.2, 5.2.2 and 5.3.2)."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.policies import FULL_LOAD
from tests.conformance import rfc
from tests.core.policies.members import Named, filled, named, names, picks, tally


class PriorityTests(SynchronousTestCase):
    @rfc("5356", "4.5.2", "MUST select the pool elements with the highest", "MUST be reported in decreasing order")
    def test_decreasing_order(self) -> None:
        self.assertEqual(picks(filled("PRIO", named([(1,), (0xFFFFFFFF,), (0,), (7,)])), 2, 4), ["BDAC", "BDAC"])

    def test_equals_take_turns(self) -> None:
        self.assertEqual(picks(filled("PRIO", named([(1,), (7,), (7,)])), 3), ["B", "C", "B"])


class LeastUsedTests(SynchronousTestCase):
    @rfc(
        "5356",
        "5.1.2",
        "SHOULD select, at most, the requested",
        "SHOULD be the lowest possible ones",
        "MUST be sorted in ascending order",
    )
    def test_ascending_order(self) -> None:
        self.assertEqual(picks(filled("LU", named([(FULL_LOAD,), (30,), (0,), (20,)])), 2, 3), ["CDB", "CDB"])

    def test_full_ones_are_the_last_resort(self) -> None:
        self.assertEqual(picks(filled("LU", named([(FULL_LOAD,), (FULL_LOAD,)])), 3), ["A", "B", "A"])

    @rfc("5356", "5.1.2", "SHOULD be made among these elements")
    def test_ties_go_round_robin(self) -> None:
        self.assertEqual(picks(filled("LU", named([(10,), (10,), (10,), (50,)])), 4), ["A", "B", "C", "A"])

    def test_ties_go_round_robin_however_many_are_asked_for(self) -> None:
        """As in round robin the head moves by one: also if all are reported, the first is not always the same."""
        selection = filled("LU", named([(10,), (10,), (10,), (50,), (50,)]))
        self.assertEqual(picks(selection, 4, 5), ["ABCDE", "BCAED", "CABDE", "ABCED"])

    def test_an_update_moves_at_once(self) -> None:
        members = named([(10,), (20,)])
        selection = filled("LU", members)
        members[0].values = (30,)
        selection.update(members[0])
        self.assertEqual(picks(selection, 1, 2), ["BA"])

    def test_registering_again_keeps_the_turn(self) -> None:
        members = named([(10,)] * 3)
        selection = filled("LU", members)
        counts: Counter[str] = Counter()
        for _ in range(30):
            counts += tally(selection, 1)
            selection.update(members[0])
        self.assertEqual(counts, Counter(A=10, B=10, C=10))

    def test_new_member_joins_behind_its_equals_and_is_not_flooded(self) -> None:
        selection = filled("LU", named([(10,)] * 3))
        for _ in range(100):
            selection.select(1)
        selection.add(Named("X", 10))
        self.assertEqual(picks(selection, 8), ["B", "C", "A", "X", "B", "C", "A", "X"])

    def test_peek_moves_nothing(self) -> None:
        selection = filled("LU", named([(10,), (10,)]))
        self.assertEqual([names(selection.peek(1)) for _ in range(3)], ["A", "A", "A"])
        self.assertEqual(picks(selection, 1), ["A"])


class LeastUsedDegradationTests(SynchronousTestCase):
    @rfc("5356", "5.2.2", "MUST be stored", "SHOULD have the lowest possible sum")
    def test_counts_what_was_selected(self) -> None:
        # A may take five requests of 10 before it has reached B
        self.assertEqual("".join(picks(filled("LUD", named([(0, 10), (45, 10)])), 9)), "AAAAABABA")

    @rfc("5356", "5.2.2", "MUST be incremented by 1", "SHOULD have the lowest possible sum")
    def test_every_selected_one_counts(self) -> None:
        """5.2.2: when an entry is selected for being returned, its counter MUST be incremented by 1."""
        members = named([(0, 10), (5, 10), (7, 10), (8, 10)])
        selection = filled("LUD", members)
        selection.select(3)
        self.assertEqual([member.tally for member in members], [1, 1, 1, 0])
        self.assertEqual(picks(selection, 1, 4), ["DABC"])

    @rfc("5356", "5.2.2", "MUST be set to 0")
    def test_registering_again_resets_the_counter(self) -> None:
        members = named([(0, 10), (25, 10)])
        selection = filled("LUD", members)
        self.assertEqual("".join(picks(selection, 4)), "AAAB")
        selection.update(members[0])  # the same values
        self.assertEqual(members[0].tally, 0)
        self.assertEqual("".join(picks(selection, 4)), "AAAA")

    def test_peek_counts_nothing(self) -> None:
        members = named([(0, 10), (0, 10)])
        selection = filled("LUD", members)
        for _ in range(10):
            self.assertEqual(names(selection.peek(2)), "AB")
        self.assertEqual([member.tally for member in members], [0, 0])

    def test_without_degradation_it_is_least_used(self) -> None:
        self.assertEqual(picks(filled("LUD", named([(5, 0), (5, 0), (9, 0)])), 3, 3), ["ABC", "BAC", "ABC"])

    def test_counts_beyond_32_bits(self) -> None:
        members = named([(FULL_LOAD, FULL_LOAD), (FULL_LOAD, FULL_LOAD)])
        self.assertEqual(tally(filled("LUD", members), 100), Counter(A=50, B=50))

    def test_load_spreads_by_degradation(self) -> None:
        """One that degrades half as fast is given twice as much."""
        self.assertEqual(tally(filled("LUD", named([(0, 10), (0, 20)])), 300), Counter(A=200, B=100))


class PriorityLeastUsedTests(SynchronousTestCase):
    @rfc("5356", "5.3.2", "SHOULD be the lowest possible ones", "MUST be sorted ascending by the sum")
    def test_the_example_of_the_rfc(self) -> None:
        """5.3.1: A at 50 + 10 comes before B at 50 + 50."""
        half, tenth = FULL_LOAD // 2, FULL_LOAD // 10
        self.assertEqual(picks(filled("PLU", named([(half, half), (half, tenth)])), 2, 2), ["BA", "BA"])

    @rfc("5356", "5.3.2", "SHOULD select, at most, the requested", "SHOULD be made among these elements")
    def test_equal_sums_go_round_robin(self) -> None:
        self.assertEqual(picks(filled("PLU", named([(10, 20), (20, 10), (30, 1)])), 3, 2), ["AB", "BA", "AB"])


class IdleTests(SynchronousTestCase):
    def test_nobody_has_anything_to_do(self) -> None:
        """All loads are 0, and none grows: each in its turn."""
        for name, values in (("LU", (0,)), ("LUD", (0, 0)), ("PLU", (0, 0)), ("PRIO", (0xFFFFFFFF,))):
            self.assertEqual("".join(picks(filled(name, named([values] * 3)), 6)), "ABCABC", name)
