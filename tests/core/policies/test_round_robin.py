"""Round robin and weighted round robin at the registrar (RFC 5356 sections 4.1.2 and 4.2.2)."""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from tests.conformance import rfc
from tests.core.policies.members import Named, filled, named, names, picks, tally


class RoundRobinTests(SynchronousTestCase):
    @rfc("5356", "4.1.1", "MUST be supported by all RSerPool")
    @rfc(
        "5356",
        "4.1.2",
        "SHOULD hold the pool elements of each",
        "SHOULD store a pointer to one",
        "SHOULD return the pool elements from the circular",
        "SHOULD be advanced by one element",
    )
    def test_head_moves_by_one_a_request(self) -> None:
        self.assertEqual(picks(filled("RR", named([()] * 4)), 5, 3), ["ABC", "BCD", "CDA", "DAB", "ABC"])

    def test_no_element_twice(self) -> None:
        self.assertEqual(picks(filled("RR", named([()] * 3)), 2, 10), ["ABC", "BCA"])

    def test_nothing_asked_moves_nothing(self) -> None:
        selection = filled("RR", named([()] * 3))
        self.assertEqual(picks(selection, 2, 0), ["", ""])
        self.assertEqual(picks(selection, 1), ["A"])

    def test_peek_moves_nothing(self) -> None:
        selection = filled("RR", named([()] * 3))
        self.assertEqual([names(selection.peek(2)) for _ in range(2)], ["AB", "AB"])

    def test_new_member_is_served_after_all_others(self) -> None:
        selection = filled("RR", named([()] * 3))
        selection.select(1)
        selection.add(Named("X"))
        self.assertEqual(picks(selection, 5), ["B", "C", "A", "X", "B"])

    def test_removing_the_head(self) -> None:
        members = named([()] * 3)
        selection = filled("RR", members)
        selection.select(1)
        selection.remove(members[1])
        self.assertEqual(picks(selection, 3), ["C", "A", "C"])

    def test_empty(self) -> None:
        self.assertEqual(filled("RR", []).select(3), [])


class WeightedRoundRobinTests(SynchronousTestCase):
    @rfc("5356", "4.2.2", "SHOULD follow the same rules as RR")
    def test_equal_weights_are_round_robin(self) -> None:
        """4.2.1: if all weights are 1, then WRR is just RR."""
        for weight in (1, 2, 7, 0xFFFFFFFF):
            selection = filled("WRR", named([(weight,)] * 5))
            ring = names(selection.peek(5))
            self.assertEqual(sorted(ring), list("ABCDE"))
            self.assertEqual(picks(selection, 7, 3), [(ring * 3)[n : n + 3] for n in range(7)])

    @rfc("5356", "4.2.2", "SHOULD follow the same rules as RR")
    def test_a_round_has_each_as_often_as_its_weight(self) -> None:
        for weights in ([5, 1, 1], [3, 3, 3, 1], [1], [2, 3, 5, 7, 11, 13], [1000, 1, 999], [10] + [1] * 10):
            selection = filled("WRR", named((weight,) for weight in weights))
            for _ in range(3):
                expected = Counter({chr(ord("A") + n): weight for n, weight in enumerate(weights)})
                self.assertEqual(tally(selection, sum(weights)), expected)

    def test_entries_are_evenly_distributed(self) -> None:
        """No gap differs from the ideal one by more than the members would explain, and mostly by less than 2."""
        for weights, bound in [
            ([5, 1, 1], 1),
            ([7, 3], 1),
            ([10] + [1] * 10, 1),
            ([1] * 10 + [10], 1),
            ([50] + [1] * 50, 1),
            ([4, 3, 2, 1], 2),
            ([2, 3, 5, 7, 11], 3),
        ]:
            total = sum(weights)
            sequence = picks(filled("WRR", named((weight,) for weight in weights)), 3 * total)
            for number, weight in enumerate(weights):
                places = [place for place, name in enumerate(sequence) if name == chr(ord("A") + number)]
                gaps = [after - before for before, after in zip(places, places[1:], strict=False)]
                self.assertLessEqual(max(abs(gap - total / weight) for gap in gaps), bound, (weights, number))

    def test_heaviest_weights(self) -> None:
        """2**32-1 beside 1: nothing as long as the weights is built, and the light one has its turn."""
        heavy, light = named([(0xFFFFFFFF,), (1,)])
        selection = filled("WRR", [heavy, light])
        self.assertEqual(len(selection.select(2)), 2)
        self.assertEqual(tally(selection, 1000), Counter(A=1000))
        self.assertTrue(0 < light.rank >> 64 <= 1 << 64)  # it is next within the first round

    def test_heavy_weights_share_exactly(self) -> None:
        selection = filled("WRR", named([(0xFFFFFFFF,), (0x7FFFFFFF,), (4294967,)]))
        counts = tally(selection, 15010)
        for name, share in (("A", 10000), ("B", 5000), ("C", 10)):
            self.assertLessEqual(abs(counts[name] - share), 2, counts)

    def test_nothing_drifts(self) -> None:
        """After w entries a member is exactly one round further, although 2**64 / w leaves a remainder."""
        for weight in (3, 7, 12345, 65537):
            [member] = named([(weight,)])
            selection = filled("WRR", [member])
            start = member.rank >> 64
            for _ in range(weight):
                selection.select(1)
            self.assertEqual((member.rank >> 64) - start, 1 << 64)
            self.assertEqual(member.tally, 0)

    def test_weight_0_is_never_selected(self) -> None:
        members = named([(0,), (1,)])
        selection = filled("WRR", members)
        self.assertEqual(picks(selection, 3, 2), ["B", "B", "B"])
        members[1].values = (0,)
        selection.update(members[1])
        self.assertEqual(selection.select(2), [])
        self.assertEqual(len(selection), 2)
        members[0].values = (4,)
        selection.update(members[0])
        self.assertEqual(picks(selection, 2, 2), ["A", "A"])

    def test_new_member_neither_starves_nor_floods(self) -> None:
        members = named([(1,)] * 10)
        selection = filled("WRR", members)
        for history in range(40):
            for _ in range(history * 37):
                selection.select(1)
            newcomer = Named("X", 1)
            selection.add(newcomer)
            counts = tally(selection, 22)
            self.assertIn(counts["X"], (2, 3))
            for member in members:
                self.assertIn(counts[member.name], (1, 2, 3))
            selection.remove(newcomer)

    def test_many_new_members_at_once(self) -> None:
        selection = filled("WRR", named([(1,)] * 10))
        for _ in range(12345):
            selection.select(1)
        for _ in range(10):
            selection.add(Named("X", 1))
        sequence = "".join(picks(selection, 20))
        self.assertEqual(Counter(sequence)["X"], 10)
        self.assertNotIn("XXXX", sequence)

    def test_registering_again_does_not_change_the_order(self) -> None:
        members = named([(3,), (2,), (1,)])
        untouched = picks(filled("WRR", named([(3,), (2,), (1,)])), 30)
        selection = filled("WRR", members)
        sequence = []
        for _ in range(30):
            sequence += picks(selection, 1)
            for member in members:
                selection.update(member)
        self.assertEqual(sequence, untouched)

    def test_changing_weights_often_gains_nothing(self) -> None:
        members = named([(1,)] * 4)
        selection = filled("WRR", members)
        counts: Counter[str] = Counter()
        for number in range(4000):
            counts += tally(selection, 1)
            members[0].values = (1 + number % 2,)
            selection.update(members[0])
        share = counts["A"] / 4000
        self.assertTrue(1 / 4 < share < 2 / 5, share)

    def test_a_heavier_weight_counts_at_once(self) -> None:
        members = named([(1,), (1,)])
        selection = filled("WRR", members)
        selection.select(1)
        members[1].values = (9,)
        selection.update(members[1])
        self.assertEqual(tally(selection, 100), Counter(A=10, B=90))

    def test_peek_moves_nothing(self) -> None:
        selection = filled("WRR", named([(5,), (3,)]))
        self.assertEqual(selection.peek(2), selection.peek(2))
        self.assertEqual(selection.peek(2), selection.select(2))
