"""Order: like a sorted list, at any size."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.policies.order import _BLOCK, Order
from tests.core.policies.members import Named


def ranked(rank: int) -> Named:
    member = Named(str(rank))
    member.rank = rank
    return member


class OrderTests(SynchronousTestCase):
    def check(self, order: Order[Named], members: dict[int, Named]) -> None:
        expected = [members[rank] for rank in sorted(members)]
        self.assertEqual(len(order), len(expected))
        self.assertEqual(list(order), expected)
        for count in (-1, 0, 1, 5, 700, len(expected) + 1):
            self.assertEqual(order.first(count), expected[: max(count, 0)])

    def test_empty(self) -> None:
        order: Order[Named] = Order()
        self.assertEqual(order.first(3), [])
        self.assertRaises(ValueError, order.remove, ranked(1))

    def test_a_stranger_is_not_removed(self) -> None:
        order: Order[Named] = Order()
        order.add(ranked(1))
        self.assertRaises(ValueError, order.remove, ranked(1))
        self.assertRaises(ValueError, order.remove, ranked(0))
        self.assertRaises(ValueError, order.remove, ranked(2))
        self.assertEqual(len(order), 1)

    def test_thousands_come_and_go(self) -> None:
        for seed in range(3):
            random = Random(seed)
            order: Order[Named] = Order()
            members: dict[int, Named] = {}
            number = 0
            for target in (3000, 10, 2500, 1500, 0, 600):
                while len(members) != target:
                    if len(members) < target:
                        # ascending (as new turns are), anywhere, or at the front
                        number += 1
                        rank = [number, random.randrange(10**6), -number][seed]
                        if rank not in members:
                            members[rank] = ranked(rank)
                            order.add(members[rank])
                    else:
                        where = random.choice([0, len(members) - 1, random.randrange(len(members))])
                        order.remove(members.pop(order.first(where + 1)[-1].rank))
                self.check(order, members)

    def test_blocks_are_neither_many_nor_large(self) -> None:
        order: Order[Named] = Order()
        members = [ranked(rank) for rank in range(20000)]
        for member in members:
            order.add(member)
        self.assertEqual(len(order._blocks), -(-20000 // _BLOCK))  # full ones, where ranks only grow
        for member in members:
            if member.rank % 100:
                order.remove(member)
        self.assertLess(len(order._blocks), 5)
        self.assertLessEqual(max(map(len, order._blocks)), _BLOCK)

    @settings(deadline=None, derandomize=True, max_examples=50)
    @given(st.lists(st.integers(0, 40), max_size=200))
    def test_toggling(self, ranks: list[int]) -> None:
        order: Order[Named] = Order()
        members: dict[int, Named] = {}
        for rank in ranks:
            if rank in members:
                order.remove(members.pop(rank))
            else:
                members[rank] = ranked(rank)
                order.add(members[rank])
        self.check(order, members)

    def test_take_from_the_front(self) -> None:
        order: Order[Named] = Order()
        members = [ranked(rank) for rank in range(2000)]
        for member in members:
            order.add(member)
        for count in (0, -1, 3, 700, 1, 1000, 400):
            expected = list(order)
            self.assertEqual(order.take(count), expected[: max(count, 0)])
            self.assertEqual((list(order), len(order)), (expected[max(count, 0) :], len(order)))
            self.assertEqual(len(order), len(list(order)))
        self.assertEqual(len(order), 0)
