"""Questions that a registrar does not answer (RFC 5352 section 3.3)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, NoRegistrar
from rserpool.core.profiles import DEFAULT, PROFILES, RFC, Profile
from rserpool.core.wire import asap
from tests.conformance import rfc
from tests.core.user.stage import StageCase, UserStage, answer, refusal


class SilenceTests(StageCase):
    """3.7.2: T1, and deadlines."""

    @rfc("5352", "3.7.2", "should begin the ENRP server hunt")
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

    @rfc("5352", "3.7.2", "This should be repeated up to MAX-REQUEST-RETRANSMIT")
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


class IdleTests(SynchronousTestCase):
    """A subscription that hears nothing asks whether the registrar is there, where the transport does not tell."""

    def watching(self, profile: Profile, protocol: str = "tcp") -> UserStage:
        stage = UserStage(profile=profile, protocol=protocol)
        stage.subscribe()
        stage.up()
        stage.says(answer(b"pool", 1, accepted=True))
        stage.asked()
        return stage

    def test_silent(self) -> None:
        """It falls silent: that is noticed within one and a half times T1, and within 5 s."""
        for profile, protocol in [*((profile, "tcp") for profile in PROFILES.values()), (RFC, "sctp")]:
            stage = self.watching(profile, protocol)
            stage.pass_time(min(1.5 * profile.t1_enrp_request, 5.0) + 0.001)
            self.assertEqual(len(stage.ended), 1, profile.name)
            self.assertEqual(len(stage.dialling), 1)

    def test_alive(self) -> None:
        """It answers, however it does: nothing ends, and the question disturbs nobody."""
        stage = self.watching(DEFAULT)
        for _ in range(1000):
            stage.pass_time(0.1)
            for question in stage.asked():
                stage.says(refusal(question.handle, CauseCode.UNKNOWN_POOL_HANDLE))
        self.assertEqual(stage.ended, [])
        self.assertEqual(len(stage.told()), 1)

    def test_updates(self) -> None:
        """Whatever it says tells that it lives: nothing is asked."""
        stage = self.watching(DEFAULT)
        for number in range(100):
            stage.pass_time(0.4)
            stage.says(answer(b"pool", 1 + number % 2, accepted=True))
        self.assertEqual((stage.ended, stage.asked()), ([], []))

    def test_nobody_watches(self) -> None:
        """Who watches nothing any more asks nothing."""
        stage = self.watching(DEFAULT)
        stage.user.unsubscribe(b"pool")
        stage.pass_time(100)
        self.assertEqual((stage.ended, stage.asked()), ([], []))

    def test_heartbeats(self) -> None:
        """Where SCTP's own come often, silence means a process that stands still: it is noticed within 5 s, too."""
        for profile in PROFILES.values():
            stage = self.watching(profile, "sctp")
            stage.pass_time(min(5 * profile.t1_enrp_request, 5.0) + 0.001)
            self.assertEqual(len(stage.ended), 1, profile.name)
        stage = self.watching(DEFAULT, "sctp")
        stage.pass_time(3.9)
        self.assertEqual(stage.asked(), [])

    def test_question(self) -> None:
        """A question is put to another registrar after 4 s, also where T1 is longer."""
        stage = self.watching(RFC)
        stage.user.unsubscribe(b"pool")
        stage.resolve("a", b"other")
        stage.pass_time(4)
        self.assertEqual(len(stage.ended), 1)
