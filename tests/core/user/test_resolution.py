"""Handle resolution of a pool user, its cache and its subscriptions (RFC 5352 sections 3.3 and 3.7.2)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, NoRegistrar, Rejected, UnknownPool
from rserpool.core.profiles import DEFAULT
from rserpool.core.user import ResolutionFailed
from rserpool.core.wire import asap
from rserpool.user import PoolChanged, Resolved
from tests.conformance import rfc
from tests.core.user.stage import UserStage, answer, refusal


def ids(event: Any) -> list[int]:
    """The identifiers of the elements, in order."""
    return [element.identifier for element in event.elements]


class StageCase(SynchronousTestCase):
    """With a pool user that has found its registrar."""

    def setUp(self) -> None:
        self.stage = UserStage()
        self.stage.resolve("warm up", b"other")
        self.stage.up()
        self.stage.says(answer(b"other", 1))
        self.stage.asked()
        self.stage.told()

    def resolved(self) -> list[list[int]]:
        """What the resolutions since the last call gave."""
        events = self.stage.told()
        for event in events:
            self.assertIsInstance(event, Resolved)
        return [ids(event) for event in events]

    def error(self) -> Exception:
        """How the one resolution failed."""
        (event,) = self.stage.told()
        self.assertIsInstance(event, ResolutionFailed)
        return event.error


class AnswerTests(StageCase):
    """3.3: one question, one answer."""

    @rfc("5352", "3.3", "SHOULD process the message as appropriate")
    @rfc("5352", "4", "MUST implement the handling of ASAP_HANDLE_RESOLUTION")
    @rfc("5356", "5.1.3", "RECOMMENDED for a pool user to request")
    @rfc("5356", "5.3.3", "RECOMMENDED for a pool user to request")
    def test_answer(self) -> None:
        """The answer comes with the policy and in the policy's order."""
        self.stage.resolve("a")
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool")])
        self.stage.says(answer(b"pool", 1, 2, policy="least-used:load=0.5"))
        (event,) = self.stage.told()
        self.assertEqual((event.request, event.handle, event.policy), ("a", b"pool", 0x40000001))
        self.assertEqual(ids(event), [1, 2])
        self.assertEqual(event.age, 0.0)

    def test_no_policy_is_round_robin(self) -> None:
        """2.2.6: without a policy parameter the overall policy is round robin."""
        self.stage.resolve("a")
        self.stage.says(asap.HandleResolutionResponse(b"pool", None, answer(b"pool", 1).elements))
        (event,) = self.stage.told()
        self.assertEqual(event.policy, 1)

    def test_one_question_for_many(self) -> None:
        """Who asks while a question is under way shares its answer; round robin gives each another first element."""
        self.stage.resolve("a")
        self.stage.resolve("b")
        self.assertEqual(len(self.stage.asked()), 1)
        self.stage.says(answer(b"pool", 1, 2, 3))
        self.assertEqual(self.resolved(), [[1, 2, 3], [2, 3, 1]])

    def test_unknown_pool(self) -> None:
        """A pool that the registrar does not know is told by its own error."""
        self.stage.resolve("a")
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        error = self.error()
        self.assertIsInstance(error, UnknownPool)
        self.assertIn("'pool'", str(error))

    def test_rejected(self) -> None:
        """Another refusal is told with its cause."""
        self.stage.resolve("a")
        self.stage.says(refusal(b"pool", CauseCode.REJECTED_FOR_SECURITY))
        error = self.error()
        assert isinstance(error, Rejected)
        self.assertEqual(error.cause, CauseCode.REJECTED_FOR_SECURITY)

    def test_not_ready(self) -> None:
        """A registrar without resources is asked again, a little later each time."""
        self.stage.resolve("a")
        times = []
        for _ in range(4):
            self.assertEqual(len(self.stage.asked()), 1)
            times.append(self.stage.now)
            self.stage.says(refusal(b"pool", CauseCode.LACK_OF_RESOURCES))
            while not self.stage.sent:
                self.stage.pass_time(0.01)
        pauses = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
        self.assertEqual(pauses, sorted(pauses))
        self.assertLess(pauses[-1], 3)
        self.stage.says(answer(b"pool", 1))
        self.assertEqual(self.resolved(), [[1]])

    def test_never_ready(self) -> None:
        """A registrar that has no resources until the deadline is not said to be silent."""
        self.stage.resolve("a", timeout=1.0)
        while not self.stage.events:
            if self.stage.asked():
                self.stage.says(refusal(b"pool", CauseCode.LACK_OF_RESOURCES))
            self.stage.pass_time(0.01)
        self.assertAlmostEqual(self.stage.now, 1001.0, 1)
        error = self.error()
        assert isinstance(error, Rejected), error
        self.assertEqual(error.cause, CauseCode.LACK_OF_RESOURCES)

    def test_cancelled(self) -> None:
        """Nobody is told of an answer to a request that was cancelled; the cache has it."""
        self.stage.resolve("a")
        self.stage.user.cancel("a")
        self.stage.says(answer(b"pool", 1))
        self.assertEqual(self.stage.told(), [])
        self.stage.resolve("b")
        self.assertEqual(self.resolved(), [[1]])


class ItemsTests(StageCase):
    """At most so many elements."""

    def test_asked_for(self) -> None:
        """The registrar is asked for no more."""
        self.stage.resolve("a", items=3)
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool", items=3)])

    def test_cut(self) -> None:
        """A longer list in the cache is cut, and still taken in turns."""
        self.stage.resolve("a")
        self.stage.says(answer(b"pool", 1, 2, 3))
        self.stage.resolve("b", items=1)
        self.stage.resolve("c", items=1)
        self.assertEqual(self.resolved(), [[1, 2, 3], [2], [3]])

    def test_short_cache(self) -> None:
        """A list that was asked to be short does not do for who wants more."""
        self.stage.resolve("a", items=1)
        self.stage.says(answer(b"pool", 1))
        self.stage.asked()
        self.stage.resolve("b")
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool")])
        self.stage.says(answer(b"pool", 1, 2))
        self.assertEqual(self.resolved(), [[1], [1, 2]])

    def test_small_pool(self) -> None:
        """A list that is shorter than was asked for is all there is."""
        self.stage.resolve("a", items=5)
        self.stage.says(answer(b"pool", 1, 2))
        self.stage.asked()
        self.stage.resolve("b")
        self.assertEqual(self.stage.asked(), [])
        self.assertEqual(self.resolved(), [[1, 2], [2, 1]])

    def test_wants_more_than_is_under_way(self) -> None:
        """Who wants more than the question under way asks for gets an answer of its own."""
        self.stage.resolve("a", items=1)
        self.stage.resolve("b")
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool", items=1), asap.HandleResolution(b"pool")])
        self.stage.says(answer(b"pool", 1))
        self.assertEqual(self.resolved(), [[1]])
        self.stage.says(answer(b"pool", 2, 3))
        self.assertEqual(self.resolved(), [[2, 3]])


class CacheTests(StageCase):
    """C1 to C4, and the last known good."""

    def setUp(self) -> None:
        super().setUp()
        self.stage.resolve("first")
        self.stage.says(answer(b"pool", 1, 2))
        self.stage.asked()
        self.stage.told()

    @rfc(
        "5352",
        "3.3",
        "If a cache is used, it SHOULD",
        "SHOULD NOT send a handle resolution",
        "SHOULD use the entry from the cache",
    )
    def test_fresh(self) -> None:
        """C4: until it is stale the cache answers, and its age is told."""
        self.stage.pass_time(DEFAULT.stale_cache_value - 0.1)
        self.stage.resolve("a")
        (event,) = self.stage.told()
        self.assertEqual(ids(event), [2, 1])
        self.assertAlmostEqual(event.age, DEFAULT.stale_cache_value - 0.1)
        self.assertEqual(self.stage.asked(), [])

    @rfc("5352", "3.3", "If a cache is used, it SHOULD", "SHOULD be sent so the cache")
    def test_stale(self) -> None:
        """C2: a stale entry is asked for again."""
        self.stage.pass_time(DEFAULT.stale_cache_value)
        self.stage.resolve("a")
        self.assertEqual(self.stage.told(), [])
        self.assertEqual(len(self.stage.asked()), 1)

    def test_not_wanted(self) -> None:
        """Who wants it fresh is not served from the cache."""
        self.stage.resolve("a", fresh=True)
        self.assertEqual(self.stage.told(), [])
        self.assertEqual(len(self.stage.asked()), 1)

    def test_no_registrar(self) -> None:
        """While there is no registrar the last known good serves, however old it is."""
        self.stage.lost()
        self.stage.pass_time(100)
        self.stage.resolve("a")
        (event,) = self.stage.told()
        self.assertEqual((ids(event), event.age), ([2, 1], 100.0))

    def test_registrar_lost_meanwhile(self) -> None:
        """Who waits when the registrar is lost gets the last known good at once; not who wants it fresh."""
        self.stage.pass_time(DEFAULT.stale_cache_value)
        self.stage.resolve("a")
        self.stage.resolve("b", fresh=True)
        self.stage.lost()
        (event,) = self.stage.told()
        self.assertEqual(event.request, "a")
        self.stage.up()
        self.stage.says(answer(b"pool", 3))
        (event,) = self.stage.told()
        self.assertEqual((event.request, ids(event)), ("b", [3]))

    def test_deadline_before_t1(self) -> None:
        """Who has little time gets the last known good at its deadline."""
        self.stage.pass_time(DEFAULT.stale_cache_value)
        self.stage.resolve("a", timeout=0.2)
        self.stage.resolve("b", timeout=0.2, fresh=True)
        self.stage.pass_time(0.2)
        served, failed = self.stage.told()
        self.assertEqual((served.request, ids(served)), ("a", [2, 1]))
        self.assertIsInstance(failed.error, NoRegistrar)

    def test_unknown_now(self) -> None:
        """A pool that is gone is not served from the cache."""
        self.stage.resolve("a", fresh=True)
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        self.assertIsInstance(self.error(), UnknownPool)
        self.stage.asked()
        self.stage.resolve("b")
        self.assertEqual(len(self.stage.asked()), 1)

    def test_suspects(self) -> None:
        """An element that was reported comes last for a while."""
        self.stage.do(self.stage.user.report(b"pool", 2, self.stage.now))
        self.stage.resolve("a")
        self.stage.resolve("b")
        self.assertEqual(self.resolved(), [[1, 2], [1, 2]])
        self.stage.pass_time(2 * DEFAULT.keep_alive_timeout)
        self.stage.resolve("c")
        self.assertEqual(self.resolved(), [[2, 1]])


class SilenceTests(StageCase):
    """3.7.2: T1, and deadlines."""

    @rfc("5352", "3.3", "SHOULD take the steps described in Section", "SHOULD restart the handle resolution procedure")
    def test_t1(self) -> None:
        """T1 expires: the home is left, the hunt begins, the request goes to who answers."""
        self.stage.resolve("a")
        self.stage.asked()
        self.stage.pass_time(DEFAULT.t1_enrp_request)
        self.assertEqual(len(self.stage.ended), 1)
        self.assertEqual(len(self.stage.dialling), 1)
        self.stage.up()
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool")])
        self.stage.says(answer(b"pool", 1))
        self.assertEqual(self.resolved(), [[1]])

    def test_last_known_good(self) -> None:
        """T1 expires: what is known serves those who wait."""
        self.stage.resolve("a")
        self.stage.says(answer(b"pool", 1))
        self.stage.pass_time(DEFAULT.stale_cache_value)
        self.stage.resolve("b")
        self.stage.pass_time(DEFAULT.t1_enrp_request)
        self.assertEqual(self.resolved(), [[1], [1]])

    def test_max_request_retransmit(self) -> None:
        """After MAX-REQUEST-RETRANSMIT the request is given up."""
        self.stage.resolve("a", timeout=100)
        for _ in range(DEFAULT.max_request_retransmit + 1):
            self.assertEqual(len(self.stage.asked()), 1)
            self.assertEqual(self.stage.told(), [])
            self.stage.pass_time(DEFAULT.t1_enrp_request)
            self.stage.up()
        error = self.error()
        self.assertIsInstance(error, NoRegistrar)
        self.assertIn("10.0.0.1:3863", str(error))
        self.assertEqual(self.stage.asked(), [])

    def test_refusals_are_not_silence(self) -> None:
        """Retransmissions are counted, not questions that were answered by `not now'."""
        self.stage.resolve("a", timeout=100)
        for _ in range(5):
            self.stage.asked()
            self.stage.says(refusal(b"pool", CauseCode.LACK_OF_RESOURCES))
            while not self.stage.sent:
                self.stage.pass_time(0.01)
        self.stage.pass_time(DEFAULT.t1_enrp_request)
        self.stage.up()
        self.assertEqual(self.stage.told(), [])
        self.assertTrue(self.stage.asked())

    def test_deadline(self) -> None:
        """Without any registrar the request fails at its deadline, and names those that were tried."""
        self.stage.lost()
        self.stage.refused()
        self.stage.resolve("a", timeout=3.0)
        while self.stage.now < 1003.0:
            self.stage.pass_time(0.01)
            if self.stage.dialling:
                self.stage.refused()
        (event,) = self.stage.told()
        self.assertIsInstance(event.error, NoRegistrar)
        self.assertIn("10.0.0.1:3863", str(event.error))

    def test_not_ready_and_lost(self) -> None:
        """A registrar says `not now', and is lost before it is asked again: nobody's timer runs in circles."""
        self.stage.resolve("a", timeout=20)
        self.stage.says(refusal(b"pool", CauseCode.LACK_OF_RESOURCES))
        self.stage.lost()
        self.stage.asked()
        self.stage.pass_time(5)
        self.assertLess(self.stage.ticks, 20)
        self.stage.up()
        self.assertEqual(len(self.stage.asked()), 1)


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

    def test_cache(self) -> None:
        """A cache that is kept up to date does not get stale."""
        self.watch()
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.stage.told()
        self.stage.pass_time(1000)
        self.stage.resolve("a")
        self.assertEqual(self.stage.asked(), [])
        self.assertEqual(self.resolved(), [[1]])

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
            self.stage.pass_time(DEFAULT.stale_cache_value)
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
        self.stage.pass_time(100)
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
