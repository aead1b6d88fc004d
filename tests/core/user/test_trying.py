"""Trying the elements of a pool until one accepts: what comes next, and when it is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import NoElement, NoRegistrar, SctpUnavailable, SessionEnded, UnknownPool
from rserpool.core.user import trying
from rserpool.core.user.trying import Ask, Attempt, GiveUp, NotAccepted, PassedOver, Pause, Report, Rules, Trying, Words
from tests.core.user.stage import element

ONE, TWO, THREE = element(1), element(2), element(3)
RULES = Rules(attempt=1.0, timeout=10.0, again=2.0)


class Case(SynchronousTestCase):
    """One search, with a clock by hand."""

    def setUp(self) -> None:
        self.now = 100.0
        self.trying = Trying(b"pool", RULES, self.now)

    def begin(self, rules: Rules, **options: Any) -> None:
        self.trying = Trying(b"pool", rules, self.now, **options)

    def expect(self, *steps: Any) -> None:
        """What comes next, one after the other; pauses and attempts take their time."""
        for step in steps:
            self.assertEqual(step, self.trying.next(self.now))

    def given_up(self) -> Any:
        """The error with which it is over."""
        over = self.trying.next(self.now)
        assert isinstance(over, GiveUp)
        self.assertEqual(over, self.trying.next(self.now))
        return over.error


class TryingTests(Case):
    """As an endpoint tries."""

    def test_in_order(self) -> None:
        """The pool is resolved; its elements come in order, and who failed is reported before the next is tried."""
        self.expect(Ask(10.0, False))
        self.trying.resolved((TWO, ONE))
        self.expect(Attempt(TWO, 1.0))
        self.trying.failed("refused")
        self.expect(Report(TWO), Attempt(ONE, 1.0))
        self.assertEqual(ONE, self.trying.element)
        self.assertEqual({"0x00000002 at tcp 10.0.1.1:8002": "refused"}, self.trying.tried)

    def test_again(self) -> None:
        """All have failed: a pause that doubles, then the registrar itself is asked, and given twice T1."""
        self.expect(Ask(10.0, False))
        self.trying.resolved((ONE,))
        for pause in (0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0):
            self.expect(Attempt(ONE, 1.0))
            self.trying.failed("refused")
            self.expect(Report(ONE), Pause(pause))
            self.now += pause
            self.expect(Ask(2.0, True))
            self.trying.resolved((ONE,))

    def test_no_answer(self) -> None:
        """Without an answer those that are known are tried again; where none is known it is over."""
        for error in (NoRegistrar("none"), UnknownPool(b"pool")):
            self.begin(RULES)
            self.trying.resolved((ONE,))
            self.expect(Attempt(ONE, 1.0))
            self.trying.failed("refused")
            self.expect(Report(ONE), Pause(0.05), Ask(2.0, True))
            self.trying.unresolved(error)
            self.expect(Attempt(ONE, 1.0))
            self.begin(RULES)
            self.expect(Ask(10.0, False))
            self.trying.unresolved(error)
            self.assertIs(error, self.given_up())

    def test_deadline(self) -> None:
        """The last attempt and the last question end with the time; then what was tried is told."""
        self.trying.resolved((ONE, TWO))
        self.now = 109.5
        self.expect(Attempt(ONE, 0.5))
        self.trying.failed("no answer")
        self.now = 110.0
        self.expect(Report(ONE))
        error = self.given_up()
        self.assertIsInstance(error, NoElement)
        self.assertEqual(
            "no element of pool 'pool' could be used: 0x00000001 at tcp 10.0.1.1:8001: no answer", str(error)
        )
        self.begin(RULES)
        self.trying.resolved((ONE,))
        self.now = 130.0
        self.assertEqual("no element of pool 'pool' could be used: there was no time", str(self.given_up()))

    def test_passed_over(self) -> None:
        """Who cannot be used here is not reported; if all are so there is nothing to wait for."""
        self.trying.resolved((ONE, TWO))
        self.expect(Attempt(ONE, 1.0))
        self.trying.passed("no SCTP here")
        self.expect(Attempt(TWO, 1.0))
        self.trying.passed("UDP")
        self.assertIn("10.0.1.1:8001: no SCTP here; 0x00000002 at tcp 10.0.1.1:8002: UDP", str(self.given_up()))

    def test_mistaken(self) -> None:
        """Nobody can fail who was not tried."""
        self.assertRaises(RuntimeError, self.trying.failed, "refused")


class RuleTests(Case):
    """Others than endpoints."""

    def test_once(self) -> None:
        """Without pauses nobody is tried twice; an element that is given comes first, before anybody is asked."""
        self.begin(replace(RULES, pauses=None), first=TWO)
        self.expect(Attempt(TWO, 1.0))
        self.trying.failed("refused")
        self.expect(Report(TWO), Ask(10.0, False))
        self.trying.resolved((ONE, TWO))
        self.expect(Attempt(ONE, 1.0))
        self.trying.failed("refused")
        self.expect(Report(ONE))
        self.assertIsInstance(self.given_up(), NoElement)

    def test_each(self) -> None:
        """The registrar may be asked after each that failed, and their number may be limited."""
        self.begin(replace(RULES, pauses=None, each=True, attempts=2))
        self.expect(Ask(10.0, False))
        self.trying.resolved((ONE, TWO, THREE))
        self.expect(Attempt(ONE, 1.0))
        self.trying.passed("status 1")
        self.expect(Ask(2.0, True))
        self.trying.resolved((ONE, THREE, TWO))
        self.expect(Attempt(THREE, 1.0))
        self.trying.failed("status 1")
        self.expect(Report(THREE))
        self.given_up()

    def test_hopeful(self) -> None:
        """An empty pool, and a registrar that does not answer, are waited out: somebody may come."""
        words = Words(SessionEnded, "could be used for 10 s", "none was found", lambda element: "it")
        self.begin(replace(RULES, hopeful=True), words=words)
        self.expect(Ask(10.0, False))
        self.trying.resolved(())
        self.expect(Pause(0.05), Ask(2.0, True))
        self.trying.unresolved(NoRegistrar("nobody answers"))
        self.expect(Pause(0.1), Ask(2.0, True))
        self.trying.resolved((ONE,))
        self.expect(Attempt(ONE, 1.0))
        self.trying.passed("not for me")
        self.expect(Pause(0.2))
        self.now = 109.75
        self.expect(Ask(0.25, True))
        self.trying.resolved(())
        error = self.given_up()
        self.assertIsInstance(error, SessionEnded)
        self.assertEqual(
            "no element of pool 'pool' could be used for 10 s: the registrar: nobody answers; it: not for me",
            str(error),
        )

    def test_accepted(self) -> None:
        """Who accepted may fail later: the others are still there; or all of it begins anew, with the time it had."""
        self.trying.resolved((ONE, TWO, THREE))
        self.expect(Attempt(ONE, 1.0))
        self.trying.reorder((THREE, ONE, TWO))
        self.trying.failed("it closed at once")
        self.expect(Report(ONE), Attempt(THREE, 1.0))
        self.trying.ask_again()
        self.expect(Ask(2.0, True))
        self.trying.resolved((TWO,))
        self.expect(Attempt(TWO, 1.0))
        self.now += 3600
        self.trying.failed("it is lost")
        self.trying.begin(self.now)
        self.expect(Report(TWO), Ask(10.0, False))


class Hands:
    """Does what is said, and notes it; each answer and each attempt is an error, or not."""

    def __init__(self, *ends: Any) -> None:
        self.done: list[Any] = []
        self._ends = list(ends)

    def now(self) -> float:
        return 0.0

    def _end(self) -> Any:
        end = self._ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end

    async def resolve(self, seconds: float, fresh: bool) -> Any:
        self.done.append("fresh" if fresh else "ask")
        return self._end()

    async def attempt(self, element: Any, seconds: float) -> Any:
        self.done.append(element.identifier)
        return self._end()

    def report(self, element: Any) -> None:
        self.done.append(-element.identifier)

    async def pause(self, seconds: float) -> None:
        self.done.append(seconds)


class DriverTests(SynchronousTestCase):
    """C{try_elements}, where nothing takes time."""

    def run_with(self, *ends: Any) -> tuple[Any, list[Any]]:
        """What it returns or raises, and what was done."""
        hands = Hands(*ends)
        running = trying.try_elements(Trying(b"pool", RULES, 0.0), hands)
        try:
            running.send(None)
        except StopIteration as stop:
            return stop.value, hands.done
        except NoElement as error:
            return error, hands.done
        raise AssertionError("it waits")

    def test_accepted(self) -> None:
        """Until one accepts."""
        result, done = self.run_with(
            (ONE, TWO), NotAccepted("no"), SctpUnavailable("no"), NoRegistrar("no"), NotAccepted("no"), "accepted"
        )
        self.assertEqual("accepted", result)
        self.assertEqual(["ask", 1, -1, 2, 0.05, "fresh", 1, -1, 2], done)

    def test_nobody(self) -> None:
        """Or it raises what the machine says."""
        result, done = self.run_with((ONE,), PassedOver("not here"))
        self.assertIn("not here", str(result))
        self.assertEqual(["ask", 1], done)
