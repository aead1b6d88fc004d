"""What a user forgets when it is over: failures, pauses, pools (RFC 5352 sections 3.3, 3.5 and 3.7.2)."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode
from rserpool.core.profiles import DEFAULT
from rserpool.core.user.cache import SEEN
from rserpool.core.user.own import LOOK
from rserpool.core.user.suspects import LONGEST, MEMORY, Memory
from rserpool.core.wire import asap
from tests.core.user.stage import StageCase, UserStage, answer, ids, refusal

FIRST = 2 * DEFAULT.keep_alive_timeout
"""Seconds for which an element that could not be reached comes last, the first time."""
LACK = CauseCode.LACK_OF_RESOURCES


class SuspectTests(SynchronousTestCase):
    """Element 1 of two, at the beginning of round robin, could not be reached."""

    def setUp(self) -> None:
        self.stage = UserStage()
        self.stage.resolve("a")
        self.stage.up()
        self.stage.says(answer(b"pool", 1, 2))
        self.fails()

    def fails(self) -> None:
        self.stage.do(self.stage.user.report(b"pool", 1, self.stage.now))

    def order(self) -> list[int]:
        """Whom a request would try now."""
        self.stage.told()
        self.stage.resolve("b", fresh=True)
        self.stage.says(answer(b"pool", 1, 2))
        [event] = self.stage.told()
        return ids(event)

    def last_for(self, seconds: float) -> None:
        """It comes last for so long, and no longer."""
        orders = [self.order() for _ in range(4)]
        self.assertEqual(orders, [[2, 1]] * 4)
        self.stage.pass_time(seconds - 0.1)
        self.assertEqual(self.order(), [2, 1])
        self.stage.pass_time(0.2)
        self.assertIn([1, 2], [self.order() for _ in range(2)])

    def test_twice(self) -> None:
        """The second failure counts double."""
        self.last_for(FIRST)
        self.fails()
        self.last_for(2 * FIRST)

    def test_long_ago(self) -> None:
        """Nobody has tried it since, and that is forgotten: a failure is the first one again."""
        self.stage.pass_time(FIRST + MEMORY + 1.0)
        self.fails()
        self.last_for(FIRST)

    def test_tried_without_complaint(self) -> None:
        """Who resolves need not say that it was reached: when its trial is over, it is as any other."""
        self.last_for(FIRST)
        self.stage.pass_time(2 * DEFAULT.t1_enrp_request + 0.1)
        self.assertEqual(sorted(self.order() for _ in range(2)), [[1, 2], [2, 1]])
        self.fails()
        self.last_for(FIRST)

    def test_reached(self) -> None:
        """Nothing is left to wait for."""
        self.stage.user.accepted("it", b"pool", 1)
        self.assertIsNone(self.stage.user.next_deadline())
        self.fails()
        self.last_for(FIRST)

    def test_at_most(self) -> None:
        """However often it fails."""
        for _ in range(20):
            self.stage.pass_time(LONGEST + 0.1)
            self.order()
            self.order()
            self.fails()
        self.last_for(LONGEST)


class SeenTests(SynchronousTestCase):
    def test_pools(self) -> None:
        """So many are remembered that were there once: those that were seen last."""
        memory = Memory()
        stage = UserStage(memory=memory)
        stage.resolve("a", b"0")
        stage.up()
        stage.says(answer(b"0", 1))
        for number in range(1, SEEN + 1):
            stage.resolve("a", b"%d" % number)
            stage.says(answer(b"%d" % number, 1))
        self.assertEqual(list(memory.seen), [b"%d" % number for number in range(1, SEEN + 1)])


class PauseTests(StageCase):
    """A good answer ends a row of pauses, also while the question stays open for somebody who wants more."""

    def open_for_more(self) -> None:
        """One wants one element, another one all of them: the first has its answer, the second question is open."""
        self.stage.resolve("b", fresh=True)
        self.stage.says(answer(b"pool", 1))
        self.assertEqual(self.resolved(), [[1]])
        self.stage.asked()

    def test_not_now(self) -> None:
        """Not now, an answer, not now: the registrar is asked again after the first pause, not the second."""
        self.stage.resolve("a", items=1)
        self.stage.says(refusal(b"pool", LACK))
        self.stage.pass_time(0.11)
        self.open_for_more()
        self.stage.says(refusal(b"pool", LACK))
        self.stage.pass_time(0.11)
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool")])

    def test_silence(self) -> None:
        """Twice no answer, an answer, again none: that is the first time, and nobody gives up."""
        self.stage.resolve("a", items=1, timeout=100.0)
        for _ in range(DEFAULT.max_request_retransmit):
            self.stage.pass_time(DEFAULT.patience)
            self.stage.up()
        self.stage.resolve("b", timeout=100.0, fresh=True)
        self.stage.says(answer(b"pool", 1))
        self.assertEqual(self.resolved(), [[1]])
        self.stage.pass_time(DEFAULT.patience)
        self.assertEqual(self.stage.told(), [])
        self.stage.asked()
        self.stage.up()
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool")])

    def test_watching(self) -> None:
        """A watched pool that is not there is asked for after longer and longer; once it was there, soon again."""
        self.stage.subscribe()
        watching = asap.HandleResolution(b"pool", subscribe=True)
        for _ in range(5):
            self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
            self.stage.asked()
            while not self.stage.sent:
                self.stage.pass_time(0.01)
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.stage.asked()
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        self.stage.pass_time(0.11)
        self.assertEqual(self.stage.asked(), [watching])

    def test_refusing_registrar(self) -> None:
        """All refuse, and rounds come more and more rarely; after a good answer they begin as they began."""

        def rounds(seconds: float) -> int:
            count, end = 0, self.stage.now + seconds
            while self.stage.now < end:
                if self.stage.dialling:
                    count += 1
                    self.stage.refused()
                self.stage.pass_time(0.01)
            return count

        self.stage.resolve("a", timeout=1000.0)
        self.stage.lost()
        first = rounds(1.0)
        self.assertLess(rounds(1.0), first)
        rounds(10.0)
        while not self.stage.dialling:
            self.stage.pass_time(0.01)
        self.stage.up()
        self.stage.says(answer(b"pool", 1))
        self.stage.pass_time(5.0)
        self.stage.resolve("b", timeout=1000.0, fresh=True)
        self.stage.lost()
        self.assertEqual(rounds(1.0), first)


class LookTests(SynchronousTestCase):
    """What is under way tells when it is over, if it is asked."""

    def test_not_at_each_request(self) -> None:
        """It is asked now and then, however many requests there are meanwhile; the first element is named."""
        stage = UserStage()
        stage.resolve("a")
        stage.up()
        stage.says(answer(b"pool", 1, 2, policy="least-used:load=0"))
        [event] = stage.told()
        self.assertEqual(event.first, ids(event)[0])
        self.assertEqual(replace(event, elements=()).first, 0)
        looks: list[float] = []

        def over() -> bool:
            looks.append(stage.now)
            return False

        stage.user.begin("it", b"pool", event.first)
        stage.user.accepted("it", b"pool", event.first, over)
        for _ in range(100):
            stage.resolve("b")
            stage.now += LOOK / 20
        self.assertIn(len(looks), range(4, 7))
