"""The audit trail: one line for each act, and never too many."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, TransportAddress
from rserpool.core.peering.events import PeerError
from rserpool.core.registrar.events import NotYetRequired
from rserpool.core.trail import Act, Acted
from rserpool.core.wire.causes import ErrorCause
from rserpool.registrar.log import OperatorLog
from rserpool.registrar.trail import MOST, MOST_KINDS, PERIOD, Trail

PLACE = TransportAddress(("10.0.0.1",), 5000, 9899)


class TrailTests(SynchronousTestCase):
    """Lines, by the clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[Any] = []
        self.log = Logger(namespace="rserpool.registrar.trail", observer=self.events.append)  # type: ignore[arg-type]
        self.trail = Trail(self.clock.seconds)
        self.patch(Trail, "log", self.log)

    def lines(self) -> list[str]:
        events, self.events[:] = list(self.events), []
        return [formatEvent(event) for event in events]

    def refused(self, identity: str = "psk:web") -> None:
        self.trail.tell(Acted(Act.REFUSED, identity, PLACE, "www 0x00000007", "TLS is required"))

    def test_who_what_why_and_from_where(self) -> None:
        self.refused()
        self.trail.tell(Acted(Act.REMOVED, "this registrar", None, "www 0x00000007", "unreachable"))
        self.trail.tell(Acted(Act.REGISTERED, "psk:web", PLACE, "www 0x00000008"))
        self.assertEqual(
            [
                "audit: psk:web at 10.0.0.1:5000/9899 refused www 0x00000007: TLS is required",
                "audit: this registrar removed www 0x00000007: unreachable",
                "audit: psk:web at 10.0.0.1:5000/9899 registered www 0x00000008",
            ],
            self.lines(),
        )

    def test_over_and_over(self) -> None:
        """It is counted, hides nobody else, and is summed up with the next line."""
        for _ in range(MOST + 5):
            self.refused()
        self.assertEqual(MOST, len(self.lines()))
        self.refused("psk:mail")
        self.assertEqual(1, len(self.lines()))
        self.clock.advance(PERIOD)
        self.refused()
        self.assertEqual("audit: psk:web refused: 5 more lines were left out", self.lines()[0])

    def test_names_without_end(self) -> None:
        for number in range(MOST_KINDS + 2 * MOST):
            self.refused(f"dns:host{number}")
        self.assertEqual(MOST_KINDS + MOST, len(self.lines()))
        self.clock.advance(PERIOD)
        self.refused("dns:new")
        self.assertEqual(["audit: others refused: 20 more lines were left out"], self.lines()[:-1])

    def test_what_a_terminal_would_obey(self) -> None:
        self.refused("dns:\x1b[2J")
        self.assertIn("dns:\\x1b[2J", self.lines()[0])

    def test_the_operator_log_keeps_it(self) -> None:
        operator = OperatorLog(self.clock, Logger(observer=self.events.append), 0x5E12)  # type: ignore[arg-type]
        operator.tell(Acted(Act.CHANGED, "psk:web", PLACE, "www 0x00000007"))
        operator.tell(PeerError(0x1111, (ErrorCause(CauseCode.REJECTED_FOR_SECURITY),)))
        operator.tell(NotYetRequired(7, ((b"www", 7), (b"www", 8)), (0x1111,)))
        self.assertEqual(
            [
                "audit: psk:web at 10.0.0.1:5000/9899 changed www 0x00000007",
                "registrar 0x00001111 does not take us for a registrar (cause 0xa): is our key in its files?",
                "TLS is not required yet, but will be without them: elements that nobody has proved to own: 7 "
                "(www 0x00000007, www 0x00000008, ...); "
                "registrars that speak in the clear: 0x00001111",
            ],
            self.lines(),
        )
