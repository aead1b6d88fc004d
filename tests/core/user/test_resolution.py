"""Handle resolution of a pool user, and its cache (RFC 5352 sections 3.3 and 3.7.2)."""

from __future__ import annotations

from rserpool.core import CauseCode, NoRegistrar, Rejected, UnknownPool
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from tests.conformance import rfc
from tests.core.user.stage import StageCase, answer, ids, refusal


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

    def test_no_items(self) -> None:
        """None at all stands for all that the registrar gives, as if nothing had been said."""
        self.stage.resolve("a", items=0)
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool")])
        self.stage.says(answer(b"pool", 1, 2))
        self.assertEqual(self.resolved(), [[1, 2]])

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


class WaitingTests(StageCase):
    """A pool that is unknown, and perhaps about to come again."""

    def told_unknown(self, seconds: float) -> int:
        """The registrar is asked for so long, and never knows it; how often it was."""
        asked = 0
        end = self.stage.now + seconds - 0.001
        while self.stage.now < end and not self.stage.events:
            for _ in self.stage.asked():
                asked += 1
                self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
            self.stage.pass_time(0.01)
        return asked

    def test_never_known(self) -> None:
        """It is waited for five seconds, or less if that is all the patience there is."""
        for patience, waits in ((30.0, 5.0), (2.0, 2.0)):
            began = self.stage.now
            self.stage.resolve("a", patience=patience, timeout=30.0)
            self.assertLess(self.told_unknown(40.0), 15)
            self.assertApproximates(self.stage.now - began, waits, 0.05)
            self.assertIsInstance(self.error(), UnknownPool)

    def test_known_once(self) -> None:
        """As long as there is patience, though less time was given to an answer."""
        self.stage.resolve("warm up")
        self.stage.says(answer(b"pool", 1))
        self.stage.told()
        began = self.stage.now
        self.stage.resolve("a", patience=30.0, timeout=5.0, fresh=True)
        self.told_unknown(29.9)
        self.assertEqual([], self.stage.told())
        self.told_unknown(1.0)
        self.assertApproximates(self.stage.now - began, 30.0, 0.05)
        self.assertIsInstance(self.error(), UnknownPool)

    def test_comes(self) -> None:
        """Everybody is told when it is there; who had no patience was told that it is not."""
        self.stage.resolve("a", patience=30.0)
        self.stage.resolve("b")
        self.stage.resolve("c", patience=3.0)
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        (event,) = self.stage.told()
        self.assertEqual("b", event.request)
        self.stage.asked()
        self.stage.pass_time(0.2)
        self.stage.says(answer(b"pool", 1, 2))
        self.assertEqual([[1, 2], [2, 1]], self.resolved())

    def test_asked_anew(self) -> None:
        """Who asks while others wait gets an answer of its own."""
        self.stage.resolve("a", patience=30.0)
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        self.stage.asked()
        self.stage.resolve("b")
        self.assertEqual(1, len(self.stage.asked()))
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        self.assertIsInstance(self.error(), UnknownPool)

    def test_watched(self) -> None:
        """Also where the pool is watched."""
        self.stage.subscribe()
        self.stage.resolve("a", patience=30.0)
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        (changed,) = self.stage.told()
        self.assertIsNone(changed.elements)
        self.stage.pass_time(0.2)
        self.stage.asked()
        self.stage.says(answer(b"pool", 1, accepted=True))
        resolved, changed = self.stage.told()
        self.assertEqual(("a", [1], 1), (resolved.request, ids(resolved), len(changed.elements)))

    def test_cancelled(self) -> None:
        """Nobody waits any more: nobody asks."""
        self.stage.resolve("a", patience=30.0)
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        self.stage.user.cancel("a")
        self.stage.asked()
        self.stage.pass_time(10.0)
        self.assertEqual([], self.stage.asked())

    def test_silence_meanwhile(self) -> None:
        """The registrar is lost while somebody waits: the next one is asked."""
        self.stage.resolve("a", patience=30.0)
        self.stage.says(refusal(b"pool", CauseCode.UNKNOWN_POOL_HANDLE))
        self.stage.asked()
        self.stage.lost()
        self.stage.up()
        self.assertEqual(1, len(self.stage.asked()))
        self.stage.says(answer(b"pool", 7))
        self.assertEqual([[7]], self.resolved())
