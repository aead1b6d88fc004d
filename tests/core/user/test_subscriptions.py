"""Pools that a user watches (RFC 5352 section 2.2.5)."""

from __future__ import annotations

from rserpool.core import CauseCode
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.user import PoolChanged
from tests.core.user.stage import StageCase, answer, ids, refusal


class SubscriptionTests(StageCase):
    """2.2.5: the S bit, and what becomes of it."""

    def watch(self) -> None:
        self.stage.subscribe()
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool", subscribe=True)])

    def shown(self) -> list[list[int] | None]:
        """How the pool was shown since the last call."""
        events = self.stage.told()
        for event in events:
            self.assertIsInstance(event, PoolChanged)
        return [None if event.elements is None else ids(event) for event in events]

    def test_updates(self) -> None:
        """Each change is shown; what did not change is not."""
        self.watch()
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.stage.says(answer(b"pool", 1, 2, accepted=True))
        self.stage.says(answer(b"pool", 2, 1, accepted=True))
        self.stage.says(answer(b"pool", 2, accepted=True))
        self.assertEqual(self.shown(), [[1], [1, 2], [2]])

    def test_so_many(self) -> None:
        """Of how many elements it wants to hear is said; 0 is all."""
        for handle, items in ((b"some", 3), (b"all", 0)):
            self.stage.subscribe(handle, items=items)
            self.assertEqual(self.stage.asked(), [asap.HandleResolution(handle, True, items or None)])

    def test_no_longer(self) -> None:
        """A pool that was not there is not asked for any more; who watched none is left alone."""
        self.watch()
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        self.stage.user.unsubscribe(b"another")
        self.stage.user.unsubscribe(b"pool")
        self.stage.asked()
        self.stage.pass_time(60.0)
        self.assertEqual(self.stage.asked(), [])

    def test_cache(self) -> None:
        """A cache that is kept up to date does not get stale."""
        self.watch()
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.stage.told()
        self.stage.watch_for(1000)
        self.stage.resolve("a")
        self.assertEqual(self.stage.asked(), [])
        self.assertEqual(self.resolved(), [[1]])
        recalled = self.stage.user.recall(b"pool", self.stage.now)
        self.assertEqual([1], [each.identifier for each in recalled.elements] if recalled is not None else None)

    def test_armed_again(self) -> None:
        """The next registrar is asked for updates too; what is the same is not shown again."""
        self.watch()
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.stage.lost()
        self.stage.up()
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool", subscribe=True)])
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.stage.says(answer(b"pool", 2, accepted=True))
        self.assertEqual(self.shown(), [[1], [2]])

    def test_silent_registrar(self) -> None:
        """T1 watches over the question of a subscription too, as long as it takes."""
        self.watch()
        for _ in range(10):
            self.stage.pass_time(DEFAULT.t1_enrp_request)
            self.stage.up()
            self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool", subscribe=True)])

    def test_pool_does_not_exist(self) -> None:
        """A pool that does not exist is asked for with back-off until it does."""
        self.watch()
        times = []
        for _ in range(10):
            self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
            while not self.stage.sent:
                self.stage.pass_time(0.01)
            self.stage.asked()
            times.append(self.stage.now)
        pauses = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
        self.assertEqual(pauses, sorted(pauses))
        self.assertAlmostEqual(pauses[-1], 2.0, 1)
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.assertEqual(self.shown(), [None, [1]])

    def test_pool_vanishes(self) -> None:
        """The last element goes, and the pool with it; it is asked for until it is back."""
        self.watch()
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        self.stage.pass_time(0.5)
        self.assertTrue(self.stage.asked())
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.assertEqual(self.shown(), [[1], None, [1]])

    def test_not_now(self) -> None:
        """`Not now' says nothing about the pool: nothing is shown, the cache stays, the question is repeated."""
        self.watch()
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.stage.says(refusal(b"pool", CauseCode.LACK_OF_RESOURCES))
        self.assertEqual(self.shown(), [[1]])
        self.stage.resolve("a")
        self.assertEqual(self.resolved(), [[1]])
        self.stage.pass_time(1)
        self.assertTrue(self.stage.asked())

    def test_not_accepted(self) -> None:
        """A registrar that gives no updates (A = 0) is asked whenever the cache gets stale."""
        self.watch()
        for _ in range(3):
            self.stage.says(answer(b"pool", 1))
            self.stage.watch_for(DEFAULT.stale_cache_value)
            self.assertEqual(len(self.stage.asked()), 1)

    def test_question_under_way(self) -> None:
        """A subscription that begins while a short question is under way is not misled by its answer."""
        self.stage.resolve("a", items=1)
        self.stage.subscribe()
        self.assertEqual(
            self.stage.asked(),
            [asap.HandleResolution(b"pool", items=1), asap.HandleResolution(b"pool", subscribe=True)],
        )
        self.stage.says(answer(b"pool", 1))
        self.assertEqual(self.resolved(), [[1]])
        self.stage.says(answer(b"pool", 1, 2, accepted=True))
        self.assertEqual(self.shown(), [[1, 2]])
        self.stage.watch_for(100)
        self.assertEqual(self.stage.asked(), [])

    def test_questions_of_others(self) -> None:
        """While a pool is watched, a question about a few of its elements asks for all."""
        self.watch()
        self.stage.says(answer(b"pool", 1, 2, accepted=True))
        self.stage.told()
        self.stage.resolve("a", items=1, fresh=True)
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool", subscribe=True)])
        self.stage.says(answer(b"pool", 2, 1, accepted=True))
        self.assertEqual(self.resolved(), [[2]])

    def test_stopped(self) -> None:
        """Who stopped watching is told nothing more, and nothing is asked for it."""
        self.watch()
        self.stage.user.unsubscribe(b"pool")
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.stage.says(answer(b"pool", 2, accepted=True))
        self.assertEqual(self.stage.told(), [])
        self.stage.lost()
        self.stage.up()
        self.assertEqual(self.stage.asked(), [])
