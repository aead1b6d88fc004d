"""What a user does not do, whatever a program is asked for: report without end, ask or remember without end (RFC 5355
section 2.14)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.user import ResolutionFailed, cache, resolution
from rserpool.core.wire import asap
from tests.conformance import rfc
from tests.core.user.stage import UserStage, answer


class BoundsTests(SynchronousTestCase):
    """A user with a home registrar."""

    def setUp(self) -> None:
        self.user = UserStage()
        self.user.resolve("first")
        self.user.up()
        self.user.says(answer(b"pool", 1))
        self.user.asked()

    def reported(self) -> int:
        """How many reports were sent since the last call."""
        return sum(isinstance(message, asap.EndpointUnreachable) for message in self.user.asked())

    @rfc("5355", "2.13.3", "sent to the ENRP server from the PU SHOULD be limited")
    def test_reports(self) -> None:
        """Of 150 elements that fail at once 100 are reported at once, the others in the seconds that follow, 20 in
        each."""
        for identifier in range(1, 151):
            self.user.do(self.user.user.report(b"pool", identifier, self.user.now))
        self.assertEqual(self.reported(), 100)
        self.user.pass_time(1.0)
        self.assertLessEqual(self.reported(), 21)
        self.user.pass_time(1.2)
        self.assertLessEqual(self.reported(), 25)
        self.user.pass_time(10.0)
        self.assertIsNone(self.user.user._unsent or None)

    def test_questions(self) -> None:
        """So many pools are asked about at a time; who asks about another one is told so at once. Others may ask about
        the same ones."""
        self.patch(resolution, "MOST_QUESTIONS", 10)
        for number in range(20):
            self.user.resolve(f"r{number}", b"pool %d" % number)
        self.user.resolve("again", b"pool 1")
        failed: list[Any] = [event for event in self.user.events if isinstance(event, ResolutionFailed)]
        self.assertEqual([event.request for event in failed], [f"r{number}" for number in range(10, 20)])
        self.assertIn("10 pools are asked about already", str(failed[0].error))
        self.assertEqual(len(self.user.asked()), 10)

    def test_cache(self) -> None:
        """So many pools are remembered; the one that was heard of longest ago is forgotten."""
        self.patch(cache, "MOST_POOLS", 3)
        for number in range(5):
            self.user.resolve(f"r{number}", b"pool %d" % number)
            self.user.says(answer(b"pool %d" % number, 1))
        known = [number for number in range(5) if self.user.user.known(b"pool %d" % number)]
        self.assertEqual(known, [2, 3, 4])
