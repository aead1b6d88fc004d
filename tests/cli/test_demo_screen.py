"""The picture of C{rserpool demo}."""

from __future__ import annotations

from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.demo.screen import Row, Screen
from rserpool.cli.demo.traffic import Requests


class Terminal(StringIO):
    """Says that it is one."""

    def isatty(self) -> bool:
        return True


class ScreenTests(SynchronousTestCase):
    """On a terminal of 80 columns and 24 lines; a line that wraps, or one too many, would not be drawn over."""

    def test_it_fits(self) -> None:
        """Three registrars and five servers, whatever has happened."""
        rows = [Row(f"ns-{number}", number, 4194304, "starting") for number in range(1, 4)]
        rows += [Row(f"web-{number}", 100 + number, 4194304, "starting", "ns-1", True) for number in range(1, 6)]
        requests = Requests()
        requests.served.update({100 + number: 123456 * number for number in range(1, 6)})
        requests.answered = 1234567
        out = Terminal()
        screen = Screen(out)
        for number in range(30):
            screen.event(f"event {number}")
        screen.draw(rows, requests)
        lines = out.getvalue().split("\n")
        self.assertLess(max(map(len, lines)), 80)
        self.assertLessEqual(len(lines), 24)
        self.assertIn("event 29", lines[-2])
        out.truncate(0)
        screen.draw(rows, requests)
        self.assertIn(f"\x1b[{len(lines) - 1}F\x1b[J", out.getvalue())
