"""What each element gets of a user's requests while the user keeps one answer: every policy (RFC 5356)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

from rserpool.core.policies import FULL_LOAD, POLICIES, Policy
from rserpool.core.profiles import DEFAULT
from rserpool.core.user.suspects import LONGEST
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import PolicyParameter
from tests.conformance import rfc
from tests.core.stage import element as member
from tests.core.user.stage import StageCase, UserStage, ids

IN_TURN = ("RR", "WRR")
LEAST_USED = ("LU", "LUD", "PLU", "PLUD", "LU-DPF", "LUD-DPF")
RANDOM = ("RAND", "WRAND", "RLU", "RPLU", "RLUD", "RPLUD", "WRAND-DPF")
CHI_SQUARE = 18.47
"""The value that four degrees of freedom exceed once in a thousand times."""


def by_name(name: str) -> Policy:
    return next(policy for policy in POLICIES.values() if policy.abbreviation == name)


def element(identifier: int, policy: Policy, *values: int) -> Any:
    """An element as a registrar hands it out."""
    return replace(
        member(identifier, "round-robin", "10.0.1.1", port=8000 + identifier, home=1),
        policy=PolicyParameter(policy.number, policy.encode(values or (1,) * len(policy.fields))),
    )


def told(*elements: Any, accepted: bool = False) -> Any:
    """What a registrar says."""
    return asap.HandleResolutionResponse(b"pool", elements[0].policy, tuple(elements), accepted)


class ShareCase(StageCase):
    """Requests that are made one after the other, or at once."""

    def begin(self, name: str, *values: tuple[int, ...], count: int = 5) -> None:
        """A new user, a pool of this policy, and one answer."""
        self.stage = UserStage(random=Random(2))
        self.policy = by_name(name)
        self.elements = [element(n + 1, self.policy, *(values[n] if values else ())) for n in range(count)]
        self.stage.resolve("warm up")
        self.stage.up()
        self.stage.says(told(*self.elements))
        self.stage.told()

    def requests(self, count: int) -> Counter[int]:
        """So many, and the elements that got them."""
        for number in range(count):
            self.stage.resolve(str(number))
        return Counter(each[0] for each in self.resolved())

    def fair(self, shares: Counter[int], count: int = 5, total: int = 100) -> None:
        self.assertEqual(set(range(1, count + 1)), set(shares), f"{self.policy.name}: {shares}")
        for share in shares.values():
            self.assertLess(abs(share - total / count), total / count / 3, f"{self.policy.name}: {shares}")


class PolicyTests(ShareCase):
    """A hundred requests, and one answer."""

    def test_none_is_missing(self) -> None:
        self.assertEqual(
            {*IN_TURN, *LEAST_USED, *RANDOM, "PRIO"},
            {policy.abbreviation for number, policy in POLICIES.items() if number != 0x80001234},
        )

    @rfc("5356", "4.1.3", "SHOULD use the list of pool")
    def test_in_turn_and_least_used(self) -> None:
        """Each its share, one after the other."""
        for name in IN_TURN + LEAST_USED:
            self.begin(name)
            self.fair(self.requests(100))

    def test_idle(self) -> None:
        """Also where nobody told a load, or what a request adds to it."""
        for name in LEAST_USED:
            nothing = (0,) * len(by_name(name).fields)
            self.begin(name, *[nothing] * 5)
            self.fair(self.requests(100))

    def test_at_once(self) -> None:
        """Also those that wait for the same answer."""
        for name in IN_TURN + LEAST_USED:
            self.begin(name)
            self.stage.pass_time(DEFAULT.stale_cache_value)
            for number in range(100):
                self.stage.resolve(str(number))
            self.stage.says(told(*self.elements))
            self.fair(Counter(each[0] for each in self.resolved()))

    def test_random(self) -> None:
        """Any element, all alike: chi-square over ten thousand requests."""
        for name in RANDOM:
            self.begin(name)
            shares = self.requests(10_000)
            chi = sum((shares[n] - 2000) ** 2 / 2000 for n in range(1, 6))
            self.assertLess(chi, CHI_SQUARE, f"{name}: {shares}")

    @rfc("5356", "4.5.3", "MUST select the active pool element")
    def test_priority(self) -> None:
        """All to the highest; equal ones share."""
        self.begin("PRIO", (1,), (9,), (3,), (2,), (8,))
        self.assertEqual({2: 100}, self.requests(100))
        self.begin("PRIO", (1,), (9,), (9,), (2,), (8,))
        self.assertEqual({2: 50, 3: 50}, self.requests(100))

    def test_of_another_policy(self) -> None:
        """Who does not tell its load is the last resort."""
        self.begin("LU", count=2)
        odd = element(9, by_name("RR"))
        self.stage.resolve("a", fresh=True)
        self.stage.says(told(*self.elements, odd))
        self.stage.told()
        self.assertEqual({1: 25, 2: 25}, self.requests(50))


class LoadTests(ShareCase):
    """What elements tell, what the registrar says, and what a user has under way."""

    def test_load_counts(self) -> None:
        """The lower load is used until what we gave it makes up for the difference: here ten requests of 2 %."""
        percent = FULL_LOAD // 100
        self.begin("LUD", (0, 2 * percent), (20 * percent, 2 * percent), count=2)
        self.assertEqual({1: 9}, self.requests(9))
        self.assertLess(self.requests(10)[1], 8)

    def test_many_requests(self) -> None:
        """Who makes many while it keeps one answer heeds what elements tell: together they are a full load."""
        for name, values in (("LU", (80,)), ("LUD", (80, 0)), ("PLU", (80, 0))):
            busy = tuple(value * (FULL_LOAD // 100) for value in values)
            self.begin(name, (0,) * len(values), busy, count=2)
            shares = []
            for _ in range(3):
                shares.append(self.requests(1000)[2])
                self.stage.pass_time(DEFAULT.stale_cache_value)
                self.stage.resolve("a")
                self.stage.says(told(*self.elements))
                self.stage.told()
            self.assertTrue(490 <= shares[0] <= 500, shares)
            self.assertTrue(all(250 <= share <= 350 for share in shares[1:]), shares)
            self.requests(10)
            self.stage.pass_time(DEFAULT.stale_cache_value)
            self.stage.resolve("a")
            self.stage.says(told(*self.elements))
            self.stage.told()
            self.assertEqual(3, self.requests(10)[2])

    def test_said(self) -> None:
        """What an element says of a request is believed, however many are made."""
        percent = FULL_LOAD // 100
        self.begin("LUD", (0, 2 * percent), (20 * percent, 2 * percent), count=2)
        for _ in range(3):
            self.assertTrue(493 <= self.requests(1000)[2] <= 497)
            self.stage.pass_time(DEFAULT.stale_cache_value)
            self.stage.resolve("a")
            self.stage.says(told(*self.elements))
            self.stage.told()

    @rfc("5356", "5.1.3", "RECOMMENDED for a pool user to request")
    def test_order_of_the_registrar(self) -> None:
        """A new answer is used in its order: the registrar may know better than the values say."""
        self.begin("LUD", (5, 1), (0, 1), (5, 1), count=3)
        self.stage.resolve("a", fresh=True)
        self.stage.says(told(*self.elements))
        self.assertEqual([[1, 2, 3]], self.resolved())

    def test_under_way(self) -> None:
        """What is under way counts also after a new answer; what is done does not."""
        self.begin("LU", count=2)
        for number in range(4):
            self.stage.user.begin(number, b"pool", 1)
            self.stage.user.accepted(number, b"pool", 1)
        self.stage.resolve("a", fresh=True)
        self.stage.says(told(*self.elements))
        self.assertEqual([[2, 1]], self.resolved())
        self.assertEqual({2: 3, 1: 1}, self.requests(4))
        for number in range(4):
            self.stage.user.end(number)
        self.stage.resolve("a", fresh=True)
        self.stage.says(told(*self.elements))
        self.assertEqual([[1, 2]], self.resolved())

    def test_over(self) -> None:
        """Who cannot tell when it is over is asked."""
        self.begin("LU", count=2)
        over = [False]
        self.stage.user.begin("it", b"pool", 1)
        self.stage.user.accepted("it", b"pool", 1, lambda: over[0])
        self.stage.resolve("a", fresh=True)
        self.stage.says(told(*self.elements))
        self.assertEqual([[2, 1]], self.resolved())
        over[0] = True
        self.stage.resolve("b", fresh=True)
        self.stage.says(told(*self.elements))
        self.assertEqual([[1, 2]], self.resolved())

    def test_another_one_was_tried(self) -> None:
        """The first of an answer was of no use: it is not taken to have the request."""
        self.begin("LU", count=2)
        for number in range(10):
            self.stage.resolve(str(number))
            (event,) = self.stage.told()
            self.stage.user.begin(number, b"pool", 2, ids(event)[0])
            self.stage.user.end(number)
        self.assertEqual({1: 9}, self.requests(9))

    def watch(self) -> None:
        self.stage.subscribe()
        self.stage.says(told(*self.elements, accepted=True))
        self.stage.told()

    def test_watched(self) -> None:
        """A pool that is watched is told about at each change; equal ones share all the same."""
        self.begin("LU", count=3)
        self.watch()
        shares: Counter[int] = Counter()
        for load in range(100):
            shares += self.requests(1)
            self.stage.says(told(*self.elements[:2], element(3, self.policy, FULL_LOAD - load), accepted=True))
            self.stage.told()
        self.fair(Counter({1: shares[1], 2: shares[2]}), 2)

    def test_watched_for_long(self) -> None:
        """Nobody is asked, and nothing changes: each its share all the same, also of rare requests."""
        for name in LEAST_USED:
            self.begin(name)
            self.watch()
            shares: Counter[int] = Counter()
            for _ in range(100):
                shares += self.requests(1)
                self.stage.pass_time(DEFAULT.stale_cache_value + 1)
            self.fair(shares)

    def test_left(self) -> None:
        """An element that left, and came back, is not flooded."""
        self.begin("LU", count=2)
        self.watch()
        self.requests(10)
        self.stage.says(told(self.elements[1], accepted=True))
        self.stage.says(told(*self.elements, accepted=True))
        self.stage.told()
        self.assertEqual({1: 5, 2: 5}, self.requests(10))


class SuspectTests(ShareCase):
    """An element that its registrar reaches and this user does not."""

    def setUp(self) -> None:
        super().setUp()
        self.begin("RR", count=3)

    def cost(self, seconds: int, fails: bool = True) -> int:
        """How many of the requests of so many seconds, two in each, tried element 2 first."""
        tried = 0
        for _ in range(2 * seconds):
            self.stage.resolve("a", fresh=True)
            self.stage.says(told(*self.elements))
            ((first, *_),) = self.resolved()
            if first == 2 and fails:
                tried += 1
                self.stage.do(self.stage.user.report(b"pool", 2, self.stage.now))
            elif first == 2:
                self.stage.user.accepted("it", b"pool", 2)
            self.stage.pass_time(0.5)
        return tried

    def test_remembered(self) -> None:
        """It is tried more and more rarely, and at last once a minute."""
        self.elements = [self.elements[1], self.elements[0], self.elements[2]]
        self.assertLess(self.cost(60), 7)
        self.assertLess(self.cost(600), 12)

    def test_the_others_share(self) -> None:
        """The one behind it does not get its share."""
        self.stage.do(self.stage.user.report(b"pool", 2, self.stage.now))
        self.assertEqual({1: 50, 3: 50}, self.requests(100))

    def test_one_tries(self) -> None:
        """When it may be tried again one request does, and others do not wait for that."""
        self.elements = [self.elements[1], self.elements[0], self.elements[2]]
        self.stage.do(self.stage.user.report(b"pool", 2, self.stage.now))
        self.stage.pass_time(2 * DEFAULT.keep_alive_timeout)
        self.stage.resolve("a", fresh=True)
        for number in range(29):
            self.stage.resolve(str(number), fresh=True)
        self.stage.says(told(*self.elements))
        self.assertEqual(1, Counter(each[0] for each in self.resolved())[2])

    def test_reached_again(self) -> None:
        """Who was reached is like any other; if it fails later it begins with a short time."""
        self.elements = [self.elements[1], self.elements[0], self.elements[2]]
        self.cost(60)
        self.stage.pass_time(LONGEST)
        self.assertEqual(0, self.cost(1, fails=False))
        self.stage.do(self.stage.user.report(b"pool", 2, self.stage.now))
        self.stage.pass_time(2 * DEFAULT.keep_alive_timeout)
        self.assertIn(2, self.requests(3))

    def test_nobody_says(self) -> None:
        """Who only resolves does not say that an element was reached; who could not reach it would have said so."""
        self.elements = [self.elements[1], self.elements[0], self.elements[2]]
        self.stage.do(self.stage.user.report(b"pool", 2, self.stage.now))
        self.stage.pass_time(2 * DEFAULT.keep_alive_timeout)
        self.stage.resolve("a", fresh=True)
        self.stage.says(told(*self.elements))
        self.assertEqual(2, self.resolved()[0][0])
        self.stage.pass_time(2 * DEFAULT.t1_enrp_request)
        self.assertEqual({1: 10, 2: 10, 3: 10}, self.requests(30))

    def test_another_one(self) -> None:
        """It has left the pool: what comes back is another one."""
        self.stage.do(self.stage.user.report(b"pool", 2, self.stage.now))
        self.stage.resolve("a", fresh=True)
        self.stage.says(told(self.elements[0], self.elements[2]))
        self.stage.resolve("b", fresh=True)
        self.stage.says(told(self.elements[1], self.elements[0]))
        self.assertEqual([[1, 3], [2, 1]], self.resolved())
