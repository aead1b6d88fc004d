"""TLS fails with the registrars of a pool user: why nobody answers, and how soon that is said."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import NoRegistrar, TransportAddress
from rserpool.core.distrust import FILES, MOST, Distrust
from rserpool.core.errors import Unproved
from rserpool.core.user import ResolutionFailed
from tests.core.user.stage import UserStage, answer, element, registrar

WRONG = Unproved("its certificate is another's")
BUSY = Unproved("it is busy", passing=True)


class DistrustTests(SynchronousTestCase):
    def failures(self, stage: UserStage) -> list[NoRegistrar]:
        errors = [event.error for event in stage.events if isinstance(event, ResolutionFailed)]
        stage.events.clear()
        for error in errors:
            assert isinstance(error, NoRegistrar)
        return errors  # type: ignore[return-value]

    def test_at_once(self) -> None:
        """With each registrar TLS fails: nobody waits, and the error says with whom and why."""
        stage = UserStage(2)
        stage.resolve("a", timeout=30.0)
        stage.refused(1, WRONG)
        self.assertEqual([], self.failures(stage))
        stage.refused(2, WRONG)
        (error,) = self.failures(stage)
        self.assertTrue(error.unproved)
        self.assertEqual(
            "no registrar can be used (tried: 10.0.0.1:3863, 10.0.0.2:3863); TLS with 10.0.0.1:3863 failed: its "
            "certificate is another's; TLS with 10.0.0.2:3863 failed: its certificate is another's",
            str(error),
        )

    def test_the_next_question(self) -> None:
        """It looks on, and the next question waits for the next round alone."""
        stage = UserStage(1)
        stage.resolve("a", timeout=30.0)
        stage.refused(1, WRONG)
        self.failures(stage)
        stage.resolve("b", timeout=30.0)
        self.assertEqual([], self.failures(stage))
        stage.pass_time(2.0)
        stage.refused(1, WRONG)
        self.assertEqual(1, len(self.failures(stage)))

    def test_another_may_answer(self) -> None:
        """One that cannot be reached may come; the error says at the deadline what TLS said of the other."""
        stage = UserStage(2)
        stage.resolve("a", timeout=0.01)
        stage.refused(1, WRONG)
        stage.refused(2)
        self.assertEqual([], self.failures(stage))
        stage.pass_time(0.01)
        (error,) = self.failures(stage)
        self.assertTrue(error.unproved)
        self.assertTrue(str(error).startswith("no registrar answered in time"), error)
        self.assertTrue(str(error).endswith("TLS with 10.0.0.1:3863 failed: its certificate is another's"), error)

    def test_passing(self) -> None:
        """One that has no time just now has it in a moment."""
        stage = UserStage(1)
        stage.resolve("a", timeout=30.0)
        stage.refused(1, BUSY)
        self.assertEqual([], self.failures(stage))

    def test_silent_now(self) -> None:
        """What TLS said once counts no more, once it could not be reached."""
        stage = UserStage(1)
        stage.resolve("a", timeout=1.0)
        stage.refused(1, BUSY)
        stage.pass_time(0.2)
        stage.refused(1)
        stage.pass_time(1.0)
        (error,) = self.failures(stage)
        self.assertFalse(error.unproved)
        self.assertNotIn("TLS", str(error))

    def test_files_change(self) -> None:
        """One that was answered before waits as long as files may take to change everywhere."""
        stage = UserStage(1)
        stage.resolve("a")
        stage.up()
        stage.says(answer(b"pool", 1))
        stage.lost()
        stage.events.clear()
        stage.resolve("b", b"other", timeout=30.0)
        began = stage.now
        while not stage.events:
            if stage.dialling:
                stage.refused(1, WRONG)
            else:
                stage.pass_time(0.1)
        self.assertTrue(FILES <= stage.now - began < FILES + 3.0, stage.now - began)
        self.assertEqual(1, len(self.failures(stage)))

    def test_last_known_good(self) -> None:
        """What is known is still told."""
        stage = UserStage(1)
        stage.resolve("a")
        stage.up()
        stage.says(answer(b"pool", 1))
        stage.lost()
        stage.events.clear()
        stage.refused(1, WRONG)
        stage.resolve("b")
        (event,) = stage.events
        self.assertEqual((element(1),), event.elements)

    def test_after_the_handshake(self) -> None:
        """In TLS 1.3 a server refuses a client's certificate when the client is up already."""
        stage = UserStage(1)
        stage.resolve("a", timeout=30.0)
        for _ in range(2):
            stage.up()
            stage.do(stage.user.association_lost(registrar(1), stage.now, WRONG))
        (error,) = self.failures(stage)
        self.assertIn("another's", str(error))

    def test_guesses(self) -> None:
        """Of the UDP ports where a registrar of this host may be, the others are guesses."""
        distrust, here = Distrust(), TransportAddress(("127.0.0.1",), 3864, 9899)
        known = [here, replace(here, encapsulation=9898), replace(here, encapsulation=9897)]
        distrust.heard(known[0], None)
        distrust.heard(known[1], WRONG)
        self.assertTrue(distrust.total(known, 0.0))
        self.assertFalse(distrust.total([*known, registrar(1)], 0.0))
        self.assertFalse(distrust.total([], 0.0))

    def test_bounded(self) -> None:
        """Of many registrars the last ones are remembered."""
        distrust = Distrust()
        for number in range(2 * MOST):
            distrust.heard(registrar(number), WRONG)
        self.assertEqual(MOST, len(distrust._failed))
