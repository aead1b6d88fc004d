"""ASAP_ERROR at a pool user (RFC 5352 section 2.2.14): told, and obeyed at once."""

from __future__ import annotations

from rserpool.core import CauseCode, Rejected
from rserpool.core.profiles import DEFAULT
from rserpool.core.user import ResolutionFailed
from rserpool.core.user.events import ErrorReceived
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause
from rserpool.core.wire.tlv import parameter
from tests.conformance import rfc
from tests.core.user.stage import StageCase, answer

INVALID = ErrorCause(CauseCode.INVALID_VALUES)


class ComplaintTests(StageCase):
    """What becomes of the questions."""

    def complains(self, *causes: ErrorCause) -> list[str]:
        """The registrar sends an ASAP_ERROR, which is told; the requests that failed."""
        self.stage.says(asap.Error(causes))
        told, *events = self.stage.told()
        self.assertEqual(told, ErrorReceived(causes))
        for event in events:
            assert isinstance(event, ResolutionFailed), event
            assert isinstance(event.error, Rejected)
            self.assertEqual(event.error.cause, causes[0].code)
        return [event.request for event in events]

    @rfc("5352", "4", "[PU] Furthermore")
    def test_the_question_fails_at_once(self) -> None:
        """Whatever the cause, also one that nobody knows."""
        for cause in (*CauseCode, 0x7777):
            if cause == CauseCode.LACK_OF_RESOURCES:
                continue
            self.stage.resolve("a")
            self.assertEqual(self.complains(ErrorCause(cause)), ["a"])
        self.assertEqual(self.stage.ended, [])
        self.stage.asked()
        self.stage.pass_time(30)
        self.assertEqual((self.stage.asked(), self.stage.told()), ([], []))

    @rfc("5352", "4", "[PU] Furthermore")
    def test_not_ready(self) -> None:
        """Lack of Resources: asked again soon, as after a response that says so."""
        self.stage.resolve("a")
        self.assertEqual(self.complains(ErrorCause(CauseCode.LACK_OF_RESOURCES)), [])
        self.stage.asked()
        self.stage.pass_time(0.2)
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool")])

    @rfc("5352", "4", "[PU] Furthermore")
    def test_whose_question(self) -> None:
        """That which the cause quotes; else the one that was asked first, since a registrar answers in order."""
        for handle in (b"one", b"two", b"three"):
            self.stage.resolve(handle.decode(), handle)
            self.stage.pass_time(0.01)
        quoted = asap.encode(asap.HandleResolution(b"two"))
        self.assertEqual(self.complains(ErrorCause(CauseCode.UNRECOGNIZED_MESSAGE, quoted)), ["two"])
        self.assertEqual(self.complains(INVALID), ["one"])
        self.assertEqual(self.complains(INVALID), ["three"])
        self.assertEqual(self.complains(INVALID), [])

    def test_not_about_a_question(self) -> None:
        """A report that is not understood, a parameter that was skipped: the question is answered all the same."""
        self.stage.resolve("a")
        report = asap.encode(asap.EndpointUnreachable(b"pool", 1))
        self.assertEqual(self.complains(ErrorCause(CauseCode.UNRECOGNIZED_MESSAGE, report)), [])
        skipped = parameter(0xC123, b"")
        self.assertEqual(self.complains(ErrorCause(CauseCode.UNRECOGNIZED_PARAMETER, skipped)), [])
        self.stage.says(answer(b"pool", 1))
        self.assertEqual(self.resolved(), [[1]])

    def test_what_is_known_stands(self) -> None:
        """An error says nothing about the pool: who is content with what was known gets that."""
        self.stage.resolve("a")
        self.stage.says(answer(b"pool", 1))
        self.stage.pass_time(DEFAULT.stale_cache_value + 1)
        self.stage.told()
        self.stage.resolve("b")
        self.stage.resolve("c", fresh=True)
        self.stage.says(asap.Error((INVALID,)))
        _, known, failed = self.stage.told()
        self.assertEqual((known.request, failed.request), ("b", "c"))

    def test_a_subscription(self) -> None:
        """It is asked for again, a little later each time."""
        self.stage.subscribe()
        self.stage.asked()
        self.assertEqual(self.complains(INVALID), [])
        self.stage.pass_time(0.2)
        self.assertEqual(self.stage.asked(), [asap.HandleResolution(b"pool", True)])
        self.stage.says(answer(b"pool", 1, accepted=True))
        self.assertEqual(len(self.stage.told()), 1)
        self.assertEqual(self.complains(INVALID), [])

    def test_somebody_else(self) -> None:
        """An error from who is not the home changes nothing."""
        self.stage.resolve("a")
        self.stage.do(self.stage.user.receive("another", asap.Error((INVALID,)), self.stage.now))
        self.assertEqual(self.stage.told(), [])
