"""Random, weighted random and randomized least used: probabilities, with seeds (RFC 5356 sections 4.3, 4.4, 5.4).

The bounds are those that chance exceeds once in 1,000 times; the seeds make each run the same.
"""

from __future__ import annotations

from collections import Counter

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.policies import FULL_LOAD
from tests.conformance import rfc
from tests.core.policies.members import chi_square, filled, named, names, picks, tally

BOUND = {2: 13.82, 3: 16.27, 4: 18.47, 5: 20.52, 9: 27.88, 11: 31.26, 89: 135.98}
"""Chi square at 0.1 %, by degrees of freedom."""


def in_order(weights: dict[str, int]) -> dict[str, float]:
    """The probability of each first and second, drawn by weight without putting back."""
    total = sum(weights.values())
    return {
        first + second: weights[first] / total * weights[second] / (total - weights[first])
        for first in weights
        for second in weights
        if first != second
    }


class ChanceTests(SynchronousTestCase):
    def assert_shares(self, found: Counter[str], shares: dict[str, float]) -> None:
        requests = sum(found.values())
        total = sum(shares.values())
        expected = {name: requests * share / total for name, share in shares.items()}
        freedom = sum(1 for share in shares.values() if share) - 1
        self.assertLess(chi_square(found, expected), BOUND[freedom], (found, expected))

    def pairs(self, policy: str, values: list[int], requests: int) -> Counter[str]:
        return Counter(picks(filled(policy, named((value,) for value in values)), requests, 2))


class RandomTests(ChanceTests):
    def test_all_alike(self) -> None:
        self.assert_shares(tally(filled("RAND", named([()] * 10)), 10000), dict.fromkeys("ABCDEFGHIJ", 1.0))

    def test_all_alike_after_some_have_gone(self) -> None:
        members = named([()] * 15)
        selection = filled("RAND", members)
        for number in (0, 14, 7, 3, 12):
            selection.remove(members[number])
        left = {member.name: 1.0 for number, member in enumerate(members) if number not in (0, 14, 7, 3, 12)}
        self.assert_shares(tally(selection, 10000), left)

    def test_pairs(self) -> None:
        selection = filled("RAND", named([()] * 10))
        found = Counter(picks(selection, 20000, 2))
        self.assert_shares(found, in_order(dict.fromkeys("ABCDEFGHIJ", 1)))

    @rfc("5356", "4.3.2", "MUST NOT be reported more than")
    def test_at_most_all(self) -> None:
        selection = filled("RAND", named([()] * 3))
        self.assertEqual(sorted(names(selection.select(10))), ["A", "B", "C"])
        self.assertEqual(selection.select(0), [])
        self.assertEqual(filled("RAND", []).select(2), [])


class WeightedRandomTests(ChanceTests):
    @rfc("5356", "4.4.2", "SHOULD select, at most, the requested")
    def test_ratio_of_the_weight_to_the_sum(self) -> None:
        weights = [1, 2, 3, 4, 10, 100]
        selection = filled("WRAND", named((weight,) for weight in weights))
        self.assert_shares(tally(selection, 20000), dict(zip("ABCDEF", map(float, weights), strict=True)))

    def test_weights_between_powers_of_two(self) -> None:
        weights = [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 19, (1 << 21) - 1, 5]
        selection = filled("WRAND", named((weight,) for weight in weights))
        self.assert_shares(tally(selection, 20000), dict(zip("ABCDE", map(float, weights[:5]), strict=True)) | {"F": 0})

    def test_equal_weights_are_random(self) -> None:
        self.assert_shares(tally(filled("WRAND", named([(7,)] * 10)), 10000), dict.fromkeys("ABCDEFGHIJ", 1.0))

    def test_pairs_drawn_one_by_one(self) -> None:
        weights = [9, 5, 5, 2, 1, 30, 12, 8, 8, 20]
        found = self.pairs("WRAND", weights, 30000)
        self.assert_shares(found, in_order(dict(zip("ABCDEFGHIJ", weights, strict=True))))

    def test_pairs_of_a_small_pool(self) -> None:
        weights = [1, 2, 3, 10]
        found = self.pairs("WRAND", weights, 30000)
        self.assert_shares(found, in_order(dict(zip("ABCD", weights, strict=True))))

    @rfc("5356", "4.4.2", "SHOULD select, at most, the requested", "MUST NOT be reported more than")
    def test_one_heavy_one_does_not_hide_the_others(self) -> None:
        selection = filled("WRAND", named([(0xFFFFFFFF,)] + [(1,)] * 20))
        chosen = [names(selection.select(3)) for _ in range(50)]
        self.assertTrue(all(each[0] == "A" and len(set(each)) == 3 for each in chosen))

    def test_weights_in_one_bucket(self) -> None:
        """2 to 3, and 5 to 7: those of as many bits are told apart as strictly as others."""
        for weights in ((2, 3), (5, 7)):
            members = named([(weights[0],)] * 5 + [(weights[1],)] * 5)
            found = tally(filled("WRAND", members), 20000)
            self.assert_shares(found, {name: float(weights[name > "E"]) for name in "ABCDEFGHIJ"})

    def test_no_more_than_have_weight(self) -> None:
        """However many others there are, and more are asked for."""
        members = named([(0,)] * 20 + [(3,)] * 3)
        for count in (2, 3, 4, 5, 23, 100):
            for policy in ("WRAND", "RLU"):
                values = members if policy == "WRAND" else named([(FULL_LOAD,)] * 20 + [(1,)] * 3)
                chosen = names(filled(policy, values).select(count))
                self.assertEqual((len(chosen), set(chosen) <= set("UVW")), (min(count, 3), True))

    def test_weight_0_is_never_selected(self) -> None:
        members = named([(0,), (1,), (0,)])
        selection = filled("WRAND", members)
        self.assertEqual(picks(selection, 5, 3), ["B"] * 5)
        selection.remove(members[1])
        self.assertEqual(selection.select(3), [])

    def test_a_new_weight_counts_at_once(self) -> None:
        members = named([(1,), (1,), (1,)])
        selection = filled("WRAND", members)
        members[2].values = (8,)
        selection.update(members[2])
        self.assert_shares(tally(selection, 10000), {"A": 1.0, "B": 1.0, "C": 8.0})


class RandomizedLeastUsedTests(ChanceTests):
    @rfc("5356", "5.4.2", "SHOULD behave like WRAND, having every")
    def test_by_what_is_left(self) -> None:
        """5.4.1: (0xFFFFFFFF - load_A) / sum(0xFFFFFFFF - load_x)."""
        loads = [0, FULL_LOAD // 2, FULL_LOAD // 4 * 3]
        selection = filled("RLU", named((load,) for load in loads))
        self.assert_shares(tally(selection, 10000), {"A": 4.0, "B": 2.0, "C": 1.0})

    def test_a_full_one_is_not_selected(self) -> None:
        self.assertEqual(picks(filled("RLU", named([(FULL_LOAD,), (FULL_LOAD - 1,)])), 5, 2), ["B"] * 5)

    def test_if_all_are_full_all_are_alike(self) -> None:
        selection = filled("RLU", named([(FULL_LOAD,)] * 10))
        self.assert_shares(tally(selection, 10000), dict.fromkeys("ABCDEFGHIJ", 1.0))
        self.assertEqual(sorted(names(selection.select(20))), list("ABCDEFGHIJ"))

    def test_peek_is_drawn_alike(self) -> None:
        self.assertEqual(names(filled("RLU", named([(0,), (FULL_LOAD,)])).peek(2)), "A")
