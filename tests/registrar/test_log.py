"""What a registrar's operator reads about elements: who, where, and why."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.registrar.events import ElementRegistered, ElementRemoved, RegistrationRefused
from rserpool.node.counting import LINES
from rserpool.registrar.log import OperatorLog
from tests.core.handlespace.elements import HOME, handlespace
from tests.loglines import LogLines
from tests.pool_scope import PoolScope


class OperatorTests(SynchronousTestCase):
    """Lines, and the names of what they tell."""

    def setUp(self) -> None:
        self.events: list[Any] = []
        self.operator = OperatorLog(Clock(), Logger(observer=self.events.append), HOME)  # type: ignore[arg-type]
        (self.element,) = handlespace((b"www", 7, HOME)).owned_by(HOME)

    def test_where_and_who(self) -> None:
        """The address, the policy, and who could not reach it."""
        self.operator.tell(ElementRegistered(b"www", 7, self.element))
        reporters = frozenset({"10.0.0.9", "10.0.0.8"})
        self.operator.tell(ElementRemoved(b"www", 7, "unreachable", self.element, reporters))
        at = "tcp 10.0.0.1:80, round-robin"
        self.assertEqual(
            [
                f"www: element 0x00000007 registered ({at})",
                f"www: element 0x00000007 removed: unreachable ({at}; not reached by 10.0.0.8, 10.0.0.9)",
            ],
            [formatEvent(event) for event in self.events],
        )
        removed = self.events[1]
        self.assertEqual(
            ("element-removed", "www", 7, "tcp 10.0.0.1:80", "round-robin", "unreachable", "10.0.0.8, 10.0.0.9"),
            tuple(removed[name] for name in "event pool identifier address policy why reporters".split()),
        )

    def test_refused(self) -> None:
        """It is told who, from where, and why."""
        self.operator.tell(RegistrationRefused(b"www", 7, TransportAddress(("10.0.0.1",), 5000), 6, "lack (cause 0x6)"))
        (event,) = self.events
        self.assertEqual("www: element 0x00000007 from 10.0.0.1:5000 is refused: lack (cause 0x6)", formatEvent(event))
        self.assertEqual(("registration-refused", 6), (event["event"], event["cause"]))

    def test_many(self) -> None:
        """Of what is only counted nothing is described."""
        calls: list[object] = []
        self.patch(self.element.__class__, "parameter", lambda element: calls.append(element))
        for _ in range(LINES):
            self.operator.tell(ElementRegistered(b"www", 7))
        for _ in range(LINES):
            self.operator.tell(ElementRegistered(b"www", 7, self.element))
        self.assertEqual((LINES, []), (len(self.events), calls))


class ScopeTests(SynchronousTestCase):
    """In a whole scope."""

    def test_life(self) -> None:
        """One comes, is killed, and the line of each says where it was."""
        lines = LogLines(self)
        scope = PoolScope(self)
        scope.kill(scope.member(1))
        scope.until(lambda: any("removed" in line for line in lines.lines))
        about = [line for line in lines.lines if "element 0x00000001" in line]
        self.assertEqual(2, len(about))
        for line in about:
            self.assertRegex(line, r"\(tcp [0-9.]+:8001, round-robin\)$")

    def test_refused(self) -> None:
        """A registration that a plain registrar refuses is in its log."""
        lines = LogLines(self)
        scope = PoolScope(self)
        scope.member(1)
        scope.member(2, policy="random")
        self.assertTrue(any("0x00000002 from" in line and "is refused: " in line for line in lines.lines), lines.lines)
