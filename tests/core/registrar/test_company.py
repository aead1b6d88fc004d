"""How long an element may take to answer while others are heard, and while nobody is (RFC 5352 section 3.5)."""

from __future__ import annotations

import gc
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.handlespace.element import Element
from rserpool.core.profiles import DEFAULT, FAST
from rserpool.core.registrar.company import ASKED, BUSY, MANY
from rserpool.core.registrar.events import ElementRemoved
from rserpool.core.registrar.keeping_up import AGAIN, AT_ONCE
from rserpool.core.wire import asap, enrp
from tests.core.peering.stage import SERVER, P, PeeringStage, Q
from tests.core.stage import element

POOL = b"pool"
MOST = (1 + DEFAULT.keep_alive_spread) * DEFAULT.keep_alive_interval
"""So long an element is not asked."""
SOON = MOST + DEFAULT.keep_alive_answer
LATE = MOST + DEFAULT.keep_alive_timeout
STEP = 0.01


def elements() -> int:
    """How many there are."""
    gc.collect()
    return sum(isinstance(each, Element) for each in gc.get_objects())


class Scene(PeeringStage):
    """Elements 1 to C{hosts}, each on a host of its own (10.0.1.N), where nothing else is said.

    @ivar silent: the hosts, and the peers, that say nothing.
    @ivar asked: how often each element was asked.
    """

    def __init__(self, hosts: int, *peers: int, **options: Any) -> None:
        options.setdefault("profile", DEFAULT)
        super().__init__(**options)
        self.ready(*peers)
        self.silent: set[int] = set()
        self.unread: list[int] = []
        self.asked: dict[int, int] = {}
        for number in range(1, hosts + 1):
            self.at(number, f"10.0.1.{number}")
        self.run(3.0)

    def at(self, number: int, host: str) -> None:
        """An element registers."""
        self.up(f"e{number}", host=host)
        self.register(f"e{number}", POOL, element(number, host=host))
        self.asked[number] = 0

    def run(self, seconds: float) -> None:
        """Who lives answers."""
        end = self.now + seconds
        while self.now < end - STEP / 2:
            effects = self.pass_time(STEP)
            for number in self.asked:
                for message in self.sent(f"e{number}", effects):
                    if isinstance(message, asap.EndpointKeepAlive):
                        self.asked[number] += 1
                        self.unread.append(number)
            for peer in (P, Q):
                if any(each.reply_required for each in self.to(peer, effects, enrp.Presence)):
                    self.unread.append(peer)
            self.answer()

    def answer(self) -> None:
        """Those that are not silent answer what they were asked."""
        unread, self.unread = self.unread, []
        for each in unread:
            if each in self.silent:
                self.unread.append(each)
            elif each in (P, Q):
                self.hear(each, enrp.Presence(each, SERVER, None, None))
            else:
                self.tell(f"e{each}", asap.EndpointKeepAliveAck(POOL, each))

    def last_heard(self, number: int) -> None:
        """An element has just answered, and then falls silent."""
        before, end = self.asked[number], self.now + MOST + 2 * STEP
        while self.asked[number] == before and self.now < end:
            self.run(STEP)
        assert self.asked[number] > before
        self.silent.add(number)

    @property
    def removed(self) -> set[int]:
        """Who is gone."""
        return {each.identifier for each in self.notified(self.effects, ElementRemoved)}


class CompanyTests(SynchronousTestCase):
    """In the profile C{default}."""

    def test_one_of_three(self) -> None:
        """It is gone within a second, and the others stay."""
        scene = Scene(3)
        scene.last_heard(1)
        scene.run(1.0)
        self.assertEqual({1}, scene.removed)
        scene.run(3.0)
        self.assertEqual({1}, scene.removed)

    def test_one_of_two(self) -> None:
        """That the other one lives is asked, where it was not heard meanwhile."""
        for _ in range(5):
            scene = Scene(2)
            scene.last_heard(1)
            scene.run(1.0)
            self.assertEqual({1}, scene.removed)

    def test_nobody(self) -> None:
        """The registrar is cut off: it is as patient as may be, and removes them in the end."""
        for hosts in (2, 3, 10, MANY + 10):
            scene = Scene(hosts)
            scene.silent.update(range(1, hosts + 1))
            scene.run(DEFAULT.keep_alive_timeout)
            self.assertEqual(set(), scene.removed)
            scene.run(LATE - DEFAULT.keep_alive_timeout + 0.02)
            self.assertEqual(scene.silent, scene.removed)

    def test_for_a_moment(self) -> None:
        """It is cut off for less than that: nobody is removed, though all answers come late."""
        for hosts in (2, 3, 10, MANY + 10):
            scene = Scene(hosts)
            scene.silent.update(range(1, hosts + 1))
            scene.run(0.9)
            scene.silent.clear()
            scene.run(3.0)
            self.assertEqual(set(), scene.removed)

    def test_one_of_many(self) -> None:
        scene = Scene(MANY + 10)
        scene.last_heard(1)
        scene.run(1.0)
        self.assertEqual({1}, scene.removed)

    def test_most(self) -> None:
        """That three of four are gone is less likely than that something is wrong here; two of four may be gone."""
        scene = Scene(4)
        scene.silent.update((1, 2, 3))
        scene.run(1.0)
        self.assertEqual(set(), scene.removed)
        scene.run(LATE - 1.0 + 0.02)
        self.assertEqual({1, 2, 3}, scene.removed)
        scene = Scene(5)
        scene.silent.update((1, 2))
        scene.run(1.0)
        self.assertEqual({1, 2}, scene.removed)

    def test_all_of_one_host(self) -> None:
        """They are of one another's company no proof: with another host they are gone, without one they are, too."""
        for others in (0, 1):
            scene = Scene(others)
            for number in range(10, 15):
                scene.at(number, "10.0.2.1")
            scene.run(2.0)
            scene.silent.update(range(10, 15))
            scene.run(1.0)
            self.assertEqual(set(range(10, 15)), scene.removed)

    def test_peers(self) -> None:
        """An element on the only host there is: the peers are asked, and answer; or they do not."""
        scene = Scene(1, P, Q)
        scene.last_heard(1)
        scene.run(1.0)
        self.assertEqual({1}, scene.removed)
        scene = Scene(1, P, Q)
        scene.silent.update((1, P, Q))
        scene.run(DEFAULT.keep_alive_timeout)
        self.assertEqual(set(), scene.removed)
        scene.run(LATE - DEFAULT.keep_alive_timeout + 0.02)
        self.assertEqual({1}, scene.removed)

    def test_our_own_host(self) -> None:
        """What is heard of it says nothing of the network; and it is not cut off from us."""
        scene = Scene(2)
        scene.at(3, "10.0.3.0")  # where the registrar is
        scene.run(2.0)
        scene.silent.update((1, 2))
        scene.run(DEFAULT.keep_alive_timeout)
        self.assertEqual(set(), scene.removed)
        scene = Scene(2)
        scene.at(3, "10.0.3.0")
        scene.run(2.0)
        scene.silent.update((1, 2, 3))
        scene.run(1.0)
        self.assertEqual({3}, scene.removed)

    def test_our_own_host_is_busy(self) -> None:
        """Where most of its many elements are late, they have time, also to be dialled; and are gone after that."""
        scene = Scene(3)
        for number in range(4, 204):
            scene.at(number, "10.0.3.0")
        scene.run(2.0)
        scene.silent = set(range(4, 204))
        scene.run(SOON)
        scene.lost("e4")
        scene.run(BUSY * DEFAULT.keep_alive_timeout - SOON)
        self.assertEqual(set(), scene.removed)
        scene.run(SOON + MOST + 2 * STEP)
        self.assertEqual(set(range(4, 204)), scene.removed)

    def test_who_has_left(self) -> None:
        """Nobody misses who deregistered, or was removed a moment ago since it was silent."""
        scene = Scene(4)
        for number in (1, 2):
            scene.tell(f"e{number}", asap.Deregistration(POOL, number))
            del scene.asked[number]
        scene.last_heard(3)
        scene.run(1.0)
        self.assertEqual({1, 2, 3}, scene.removed)
        scene = Scene(3)
        scene.last_heard(1)
        scene.run(1.0)
        scene.last_heard(2)
        scene.run(1.0)
        self.assertEqual({1, 2}, scene.removed)

    def test_what_is_kept(self) -> None:
        """Of machines whose only element was killed: not more and more."""
        scene = Scene(0)
        before = elements()
        for number in range(1, 3 * MANY):
            scene.at(number, f"10.0.1.{number}")
            scene.run(MOST)
            for place in scene.dialled(scene.lost(f"e{number}")):
                scene.refused(place)
            del scene.asked[number]
            scene.effects.clear()
        self.assertLessEqual(elements() - before, MANY + 2)

    def test_it_stands_still(self) -> None:
        """A process that is stopped for 400 ms stays, whenever that is."""
        scene = Scene(3)
        for _ in range(60):
            scene.silent.add(1)
            scene.run(0.4)
            scene.silent.clear()
            scene.run(0.17)
        self.assertEqual(set(), scene.removed)

    def test_it_is_asked_again(self) -> None:
        """Once, when it is late, and some others; who answers is not."""
        scene = Scene(10)
        scene.last_heard(1)
        before = dict(scene.asked)
        scene.run(SOON - 0.02)
        self.assertEqual(before[1] + 2, scene.asked[1])
        more = [scene.asked[number] - before[number] for number in range(2, 11)]
        self.assertLessEqual(sum(more), 2 * len(more) + ASKED)
        self.assertLessEqual(max(more), 3)

    def test_all_of_a_machine_are_late(self) -> None:
        """It is no lost packet then: not all are asked again, and have to answer, too. One elsewhere is."""
        scene = Scene(10)
        crowd = range(11, 211)
        for number in crowd:
            scene.at(number, "10.0.9.9")
        scene.run(3.0)
        scene.last_heard(1)
        before = dict(scene.asked)
        scene.silent.update(crowd)
        scene.run(SOON - 0.02)
        more = {number: scene.asked[number] - before[number] for number in scene.asked}
        self.assertEqual(2, more[1])
        self.assertGreaterEqual(sum(more[number] > 1 for number in crowd), AT_ONCE // 2)
        self.assertLess(sum(more[number] for number in crowd), len(crowd) / (1 - AGAIN) + AT_ONCE + ASKED)

    def test_far_away(self) -> None:
        """20 round trips."""
        scene = Scene(3, round_trip=lambda association: 0.04)
        scene.last_heard(1)
        scene.run(DEFAULT.keep_alive_interval * (1 - DEFAULT.keep_alive_spread) + 0.78)
        self.assertEqual(set(), scene.removed)
        scene.run(0.1)
        self.assertEqual({1}, scene.removed)

    def test_its_association_is_lost_meanwhile(self) -> None:
        """It is dialled; its time is over as soon, if others are heard, and as late, if they are not."""
        scene = Scene(3)
        scene.last_heard(1)
        scene.run(0.7)
        self.assertEqual(1, len(scene.dialled(scene.lost("e1"))))
        scene.run(0.3)
        self.assertEqual({1}, scene.removed)
        for hosts in (1, 3):
            scene = Scene(hosts, P)
            scene.silent.update((P, *range(1, hosts + 1)))
            scene.run(MOST)
            for number in range(1, hosts + 1):
                scene.lost(f"e{number}")
            scene.run(DEFAULT.keep_alive_timeout - MOST)
            self.assertEqual(set(), scene.removed)

    def test_other_profiles(self) -> None:
        """Where all have the same time nobody else is asked, and nobody is doubted."""
        scene = Scene(2, profile=FAST)
        scene.silent.update((1, 2))
        before = scene.asked[1]
        scene.run(0.72)
        self.assertEqual({1, 2}, scene.removed)
        self.assertEqual(before + 1, scene.asked[1])
