"""Trying the elements of a pool until one accepts: what comes next, and when it is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import NoElement, NoRegistrar, RSerPoolError, SctpUnavailable, SessionEnded, UnknownPool
from rserpool.core.errors import ImpossibleEvent
from rserpool.core.user.trying import (
    Ask,
    Attempt,
    GiveUp,
    NotAccepted,
    PassedOver,
    Pause,
    Report,
    Rules,
    Trying,
    Words,
    try_elements,
)
from tests.core.user.stage import element

ONE, TWO, THREE = element(1), element(2), element(3)
RULES = Rules(attempt=1.0, timeout=10.0, again=2.0)


class Case(SynchronousTestCase):
    """One search, with a clock by hand."""

    def setUp(self) -> None:
        self.begin(RULES)

    def begin(self, rules: Rules, **options: Any) -> None:
        self.now = 100.0
        self.trying = Trying(b"pool", rules, self.now, **options)

    def play(self, *script: Any) -> None:
        """Steps are what comes next; in between the search is told what the pool is (a tuple of elements), that it
        could not be resolved (an error), that an element failed (why) or is passed over, or what time it is."""
        for each in script:
            match each:
                case tuple():
                    self.trying.resolved(each)
                case RSerPoolError():
                    self.trying.unresolved(each)
                case PassedOver():
                    self.trying.passed(str(each))
                case str():
                    self.trying.failed(each)
                case float():
                    self.now = each
                case _:
                    self.assertEqual(each, self.trying.next(self.now))

    def given_up(self) -> Any:
        """The error with which it is over."""
        over = self.trying.next(self.now)
        assert isinstance(over, GiveUp), over
        self.play(over)
        return over.error


class TryingTests(Case):
    """As an endpoint tries."""

    def test_in_order(self) -> None:
        """The pool is resolved; its elements come in order, and who failed is reported before the next is tried."""
        self.play(Ask(10.0, False), (TWO, ONE), Attempt(TWO, 1.0), "refused", Report(TWO), Attempt(ONE, 1.0))
        self.assertEqual(ONE, self.trying.element)
        self.assertEqual({"0x00000002 at tcp 10.0.1.1:8002": "refused"}, self.trying.tried)

    def test_again(self) -> None:
        """All have failed: a pause that doubles, then the registrar itself is asked, and given twice T1."""
        self.play(Ask(10.0, False), (ONE,))
        for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0):
            self.play(Attempt(ONE, 1.0), "refused", Report(ONE), Pause(pause), Ask(2.0, True), (ONE,))

    def test_pauses(self) -> None:
        """They grow as long as all fail; whoever begins anew, or asks again for a reason, begins with the first."""
        round_ = (Ask(8.0, True), (ONE,), Attempt(ONE, 1.0), "refused", Report(ONE))
        rules = replace(RULES, timeout=8.0, again=8.0)
        for anew in (lambda: self.trying.begin(100.0), lambda: self.trying.ask_again()):
            self.begin(rules)
            self.play(Ask(8.0, False), (ONE,), Attempt(ONE, 1.0), "refused", Report(ONE), Pause(0.05))
            self.play(*round_, Pause(0.1), *round_, Pause(0.2), *round_)
            anew()
            again = self.trying.next(self.now)
            self.assertIsInstance(again, Ask)
            self.play((ONE,), Attempt(ONE, 1.0), "refused", Report(ONE), Pause(0.05))

    def test_no_answer(self) -> None:
        """Without an answer those that are known are tried again; where none is known it is over."""
        for error in (NoRegistrar("none"), UnknownPool(b"pool")):
            self.begin(RULES)
            self.play((ONE,), Attempt(ONE, 1.0), "refused", Report(ONE), Pause(0.05), Ask(2.0, True), error)
            self.play(Attempt(ONE, 1.0))
            self.begin(RULES)
            self.play(Ask(10.0, False), error)
            self.assertIs(error, self.given_up())

    def test_deadline(self) -> None:
        """The last attempt ends with the time; then what was tried is told."""
        self.play((ONE, TWO), 109.5, Attempt(ONE, 0.5), "no answer", 110.0, Report(ONE))
        error = self.given_up()
        self.assertIsInstance(error, NoElement)
        self.assertEqual(
            "no element of pool 'pool' could be used: 0x00000001 at tcp 10.0.1.1:8001: no answer", str(error)
        )
        self.begin(RULES)
        self.play((ONE,), 130.0)
        self.assertEqual("no element of pool 'pool' could be used: there was no time", str(self.given_up()))

    def test_passed_over(self) -> None:
        """Who cannot be used here is not reported; if all are so there is nothing to wait for."""
        self.play((ONE, TWO), Attempt(ONE, 1.0), PassedOver("no SCTP"), Attempt(TWO, 1.0), PassedOver("UDP"))
        self.assertIn("10.0.1.1:8001: no SCTP; 0x00000002 at tcp 10.0.1.1:8002: UDP", str(self.given_up()))

    def test_mistaken(self) -> None:
        """Nobody can fail who was not tried."""
        self.assertRaises(ImpossibleEvent, self.trying.failed, "refused")


class RuleTests(Case):
    """Others than endpoints."""

    def test_once(self) -> None:
        """Without pauses nobody is tried twice; an element that is given comes first, before anybody is asked."""
        self.begin(replace(RULES, pauses=None), first=TWO)
        self.play(Attempt(TWO, 1.0), "refused", Report(TWO), Ask(10.0, False), (ONE, TWO))
        self.play(Attempt(ONE, 1.0), "refused", Report(ONE))
        self.assertIsInstance(self.given_up(), NoElement)

    def test_each(self) -> None:
        """The registrar may be asked after each that failed, and their number may be limited."""
        self.begin(replace(RULES, pauses=None, each=True, attempts=2))
        self.play(Ask(10.0, False), (ONE, TWO, THREE), Attempt(ONE, 1.0), PassedOver("status 1"))
        self.play(Ask(2.0, True), (ONE, THREE, TWO), Attempt(THREE, 1.0), "status 1", Report(THREE))
        self.given_up()

    def test_hopeful(self) -> None:
        """An empty pool, and a registrar that does not answer, are waited out: somebody may come."""
        words = Words(SessionEnded, "could be used for 10 s", "none was found", lambda element: "it")
        self.begin(replace(RULES, hopeful=True), words=words)
        self.play(Ask(10.0, False), (), Pause(0.05), Ask(2.0, True), NoRegistrar("nobody answers"))
        self.play(Pause(0.1), Ask(2.0, True), (ONE,), Attempt(ONE, 1.0), PassedOver("not for me"))
        self.play(Pause(0.2), 109.75, Ask(0.25, True), ())
        error = self.given_up()
        self.assertIsInstance(error, SessionEnded)
        reasons = "the registrar: nobody answers; it: not for me"
        self.assertEqual(f"no element of pool 'pool' could be used for 10 s: {reasons}", str(error))

    def test_accepted(self) -> None:
        """Who accepted may fail later: the others are still there; or all of it begins anew, with the time it had."""
        self.play((ONE, TWO, THREE), Attempt(ONE, 1.0))
        self.trying.reorder((THREE, ONE, TWO))
        self.play("it closed at once", Report(ONE), Attempt(THREE, 1.0))
        self.trying.ask_again()
        self.play(Ask(2.0, True), (TWO, ONE), Attempt(TWO, 1.0), 3600.0, "it is lost")
        self.trying.begin(self.now)
        self.play(Report(TWO), Ask(10.0, False))

    def test_no_hope(self) -> None:
        """Whoever tries may know better."""
        self.trying.resolved((ONE,))
        self.trying.give_up(SessionEnded("nobody takes my cookie"))
        self.assertEqual("nobody takes my cookie", str(self.given_up()))


class Hands:
    """Does what is said, and notes it; each answer and each attempt ends as the test says."""

    def __init__(self, *ends: Any) -> None:
        self.done: list[Any] = []
        self._ends = list(ends)

    def now(self) -> float:
        return 0.0

    async def _end(self, what: Any) -> Any:
        self.done.append(what)
        end = self._ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    def resolve(self, seconds: float, fresh: bool) -> Any:
        return self._end("fresh" if fresh else "ask")

    def attempt(self, element: Any, seconds: float) -> Any:
        return self._end(element.identifier)

    def report(self, element: Any) -> None:
        self.done.append(-element.identifier)

    async def pause(self, seconds: float) -> None:
        self.done.append(seconds)


class DriverTests(SynchronousTestCase):
    """C{try_elements}, where nothing takes time."""

    def run_with(self, hands: Hands) -> Deferred[Any]:
        return ensureDeferred(try_elements(Trying(b"pool", RULES, 0.0), hands))

    def test_accepted(self) -> None:
        """Until one accepts."""
        hands = Hands((ONE, TWO), NotAccepted(), SctpUnavailable(), NoRegistrar(), NotAccepted(), "accepted")
        self.assertEqual("accepted", self.successResultOf(self.run_with(hands)))
        self.assertEqual(["ask", 1, -1, 2, 0.05, "fresh", 1, -1, 2], hands.done)

    def test_nobody(self) -> None:
        """Or it raises what the machine says."""
        hands = Hands((ONE,), PassedOver("not here"))
        self.assertIn("not here", str(self.failureResultOf(self.run_with(hands), NoElement)))
        self.assertEqual(["ask", 1], hands.done)
