"""The table of policies: numbers, values on the wire, the pool user's rules, and one more policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError, PoolElementParameter, TcpTransport, TransportAddress
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.policies import (
    POLICIES,
    ROUND_ROBIN,
    Asker,
    Member,
    Policy,
    RoundRobin,
    Selection,
    as_returned,
    lowest,
    parse,
)
from rserpool.core.wire import parameters
from tests.conformance import rfc
from tests.core.policies import documented
from tests.core.policies.members import Named, by_name, named, names


def elements(policy: Policy, *values: Sequence[int]) -> list[PoolElementParameter]:
    """Elements 1, 2, 3 ... as a registrar would return them."""
    return [
        PoolElementParameter(
            number,
            0x11,
            60,
            TcpTransport(80, "10.0.0.1"),
            parameters.PolicyParameter(policy.number, policy.encode(each)),
        )
        for number, each in enumerate(values, 1)
    ]


class TableTests(SynchronousTestCase):
    def assert_there(self, found: dict[str, Any], expected: dict[str, Any]) -> None:
        """These are so; there may be others, which need no line here."""
        self.assertEqual({name: found.get(name) for name in expected}, expected)

    def test_numbers_of_rfc_5356(self) -> None:
        self.assert_there(
            {policy.abbreviation: number for number, policy in POLICIES.items()},
            {
                "RR": 0x00000001,
                "WRR": 0x00000002,
                "RAND": 0x00000003,
                "WRAND": 0x00000004,
                "PRIO": 0x00000005,
                "LU": 0x40000001,
                "LUD": 0x40000002,
                "PLU": 0x40000003,
                "RLU": 0x40000004,
                "RPLU": 0xB0001001,
                "RLUD": 0xB0001002,
                "PLUD": 0xB0001003,
                "RPLUD": 0xB0001004,
                "WRAND-DPF": 0xB0002001,
                "LU-DPF": 0xB0002002,
                "LUD-DPF": 0xB0002003,
            },
        )
        self.assertIs(POLICIES[1], ROUND_ROBIN)

    def test_values_there_and_back(self) -> None:
        for policy in POLICIES.values():
            values = tuple(range(7, 7 + len(policy.fields)))
            data = policy.encode(values)
            self.assertEqual(len(data), 4 * len(policy.fields))
            self.assertEqual(policy.decode(data), values)
            self.assertEqual(policy.decode(data + b"more"), values)

    def test_values_that_do_not_fit(self) -> None:
        for policy in POLICIES.values():
            self.assertRaises(ValueError, policy.encode, (1,) * (len(policy.fields) + 1))
            if policy.fields:
                self.assertRaises(ValueError, policy.decode, policy.encode((1,) * len(policy.fields))[:-1])
                self.assertRaises(ValueError, policy.encode, (1 << 32,) * len(policy.fields))
                self.assertRaises(ValueError, policy.encode, (-1,) * len(policy.fields))

    def test_wire_order_of_load_and_degradation(self) -> None:
        self.assertEqual(by_name("least-used-degradation").encode((1, 2)), b"\0\0\0\1\0\0\0\2")

    def test_wire_order_of_those_of_rsplib(self) -> None:
        """As its elements send them (tests.lab has its processes)."""
        self.assert_there(
            {policy.abbreviation: policy.fields for policy in POLICIES.values()},
            {
                "RPLU": ("load", "degradation"),
                "RLUD": ("load", "degradation"),
                "PLUD": ("load", "degradation"),
                "RPLUD": ("load", "degradation"),
                "WRAND-DPF": ("weight", "weight-dpf", "distance"),
                "LU-DPF": ("load", "load-dpf", "distance"),
                "LUD-DPF": ("load", "degradation", "load-dpf", "distance"),
            },
        )


class UserTests(SynchronousTestCase):
    """The pool user's rules (the sections "Pool User Considerations")."""

    def order(self, policy: Policy, offered: list[PoolElementParameter], turn: int = 0, seed: int = 1) -> list[int]:
        return [element.identifier for element in policy.user_order(offered, turn, Random(seed))]

    @rfc("5356", "4.1.1", "MUST be supported by all RSerPool")
    @rfc("5356", "4.1.3", "SHOULD use the list of pool")
    @rfc("5356", "4.2.3", "SHOULD follow the same rules as RR")
    def test_round_robin_over_the_list_until_it_is_out_of_date(self) -> None:
        for name, values in (("round-robin", ()), ("weighted-round-robin", (3,))):
            policy = by_name(name)
            offered = elements(policy, values, values, values)
            orders = [self.order(policy, offered, turn) for turn in range(4)]
            self.assertEqual(orders, [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 2, 3]])

    def test_random_ones_shuffle_all_alike(self) -> None:
        for name, values in (
            ("random", ()),
            ("weighted-random", (3,)),
            ("randomized-least-used", (3,)),
            ("RPLU", (3, 1)),
            ("RLUD", (3, 1)),
            ("RPLUD", (3, 1)),
            ("WRAND-DPF", (3, 1, 50)),
        ):
            policy = by_name(name)
            offered = elements(policy, values, values, values)
            first = Counter(self.order(policy, offered, 0, seed)[0] for seed in range(600))
            self.assertEqual(sorted(self.order(policy, offered)), [1, 2, 3])
            for count in first.values():
                self.assertTrue(150 < count < 250, first)

    @rfc("5356", "4.5.3", "MUST select the active pool element")
    def test_priority_is_the_users_rule_too(self) -> None:
        """4.5.3: the pool user MUST select the active element with the highest priority."""
        policy = by_name("priority")
        self.assertEqual(self.order(policy, elements(policy, (1,), (9,), (5,), (9,)), 3), [2, 4, 3, 1])

    def test_priority_with_elements_of_another_policy(self) -> None:
        offered = elements(by_name("round-robin"), ()) + elements(by_name("priority"), (1,), (0,))
        self.assertEqual(self.order(by_name("priority"), offered), [1, 2, 1])

    def test_least_used_ones_keep_the_order_of_the_registrar(self) -> None:
        for name, values in (
            ("least-used", (9,)),
            ("least-used-degradation", (9, 1)),
            ("priority-least-used", (9, 1)),
            ("PLUD", (9, 1)),
            ("LU-DPF", (9, 1, 50)),
            ("LUD-DPF", (9, 1, 1, 50)),
        ):
            policy = by_name(name)
            offered = elements(policy, values, [0] * len(values), values)
            self.assertEqual([self.order(policy, offered, turn) for turn in (0, 1)], [[1, 2, 3], [1, 2, 3]])

    def test_nothing_offered(self) -> None:
        for policy in POLICIES.values():
            self.assertEqual(self.order(policy, [], 5), [])


NEAREST = Policy(0x80001234, "nearest", "NEAR", ("distance",), lowest(lambda v: v[0]), as_returned, "the nearest")


class OneMorePolicyTests(SynchronousTestCase):
    def added(self, policy: Policy) -> None:
        POLICIES.add(policy, "a test")
        self.addCleanup(POLICIES.pop, policy.number, None)

    def test_one_row_in_the_table(self) -> None:
        self.added(NEAREST)
        policy = parse("nearest:distance=17")
        self.assertEqual(policy.values, {"distance": 17})
        handlespace = Handlespace(Random(1))
        for element in elements(policy.policy, (30,), (10,), (20,)):
            handlespace.register(b"pool", element)
        pool = handlespace.pools[b"pool"]
        self.assertEqual([element.identifier for element in pool.select(2)], [2, 3])
        self.assertEqual(pool.policy_wire, b"\x00\x08\x00\x0c\x80\x00\x12\x34\x00\x00\x00\x00")

    def test_a_member_is_enough(self) -> None:
        """A selection needs no handlespace: any Member will do."""
        member = Member()
        member.values = (1,)
        selection: Selection[Member] = NEAREST.selection(Random(1))
        selection.add(member)
        self.assertEqual(selection.select(1), [member])

    def test_no_name_or_number_twice(self) -> None:
        self.added(NEAREST)
        self.added(NEAREST)
        for other in (
            replace(NEAREST, name="other", abbreviation="O"),
            replace(NEAREST, number=0x80001235, abbreviation="O"),
            replace(NEAREST, number=0x80001235, name="other"),
            replace(NEAREST, number=0x80001235, name="Near", abbreviation="O"),
        ):
            with self.assertRaisesRegex(ConfigurationError, "nearest.* of a test, .* of another$"):
                POLICIES.add(other, "another")
        with self.assertRaisesRegex(ConfigurationError, "round-robin .RR, 0x00000001. of rserpool, nearest"):
            POLICIES.add(replace(NEAREST, number=1), "another")


class ByAsker(RoundRobin[Named]):
    """A rule that must know who asks."""

    def select(self, count: int, asker: Asker = None) -> list[Named]:
        chosen = super().select(len(self))
        return [member for member in chosen if asker is None or member.name == asker.hosts[0]][:count]


class AskerTests(SynchronousTestCase):
    def test_a_rule_is_told_who_asks(self) -> None:
        selection = ByAsker()
        for member in named([()] * 3):
            selection.add(member)
        self.assertEqual(names(selection.select(3)), "ABC")
        self.assertEqual(names(selection.select(3, TransportAddress(("C",), 1))), "C")

    def test_a_rule_that_builds_on_another_is_asked_each_time(self) -> None:
        """What is known of round robin is not known of it."""
        self.assertEqual((RoundRobin.IN_TURN, ByAsker.IN_TURN), (True, False))


class DocumentedTests(SynchronousTestCase):
    def test_every_policy_is_in_the_docs(self) -> None:
        """C{python -m tests.core.policies.documented} writes them."""
        self.assertEqual(documented.table(), documented.parts()[1])
