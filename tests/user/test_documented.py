"""docs/failover.md: what it says of each way in is what the code does where nothing else is said."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from twisted.internet import reactor
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.parser import make_parser
from rserpool.proxy.clients import RETRIES
from rserpool.user.endpoint_string import endpoint_from
from rserpool.web.agent import READ_AHEAD

TEXT = (Path(__file__).resolve().parent.parent.parent / "docs" / "failover.md").read_text("utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in TEXT.splitlines() if line.startswith("| ")]


class DocumentedTests(SynchronousTestCase):
    """The table of ways in."""

    def test_defaults(self) -> None:
        """Every C{name=value} and C{--name value} of a row is the default of its way in."""
        ways = [row for row in ROWS if len(row) == 5 and row[0] not in ("way in", "---")]
        self.assertEqual(14, len(ways))
        checked = 0
        for way, _, _, reported, seconds in ways:
            name = re.findall("`(.*?)`", way)[0]
            if name == "rserpool exec":
                given = vars(make_parser().parse_args(["exec", "pool"]))
            elif way.startswith("`"):
                given = {key: each.default for key, each in inspect.signature(namedAny(name)).parameters.items()}
            else:
                given = {"timeout": endpoint_from(reactor, "pool")._rules.timeout}
            for key, value in re.findall(r"`(?:--)?([a-z_]+)[= ]([\w.]+)`", reported + seconds):
                self.assertEqual(value, str(given[key]), f"{name}: {key}")
                checked += 1
        self.assertEqual(14, checked)

    def test_numbers(self) -> None:
        """And so are the constants."""
        numbers = [row for row in ROWS if len(row) == 2 and row[0].startswith("`")]
        self.assertEqual(6, len(numbers))
        for name, value in numbers:
            self.assertEqual(float(value), namedAny(name.strip("`")), name)
        self.assertIn(f"another element, {RETRIES} times", TEXT)
        self.assertIn(f"in the first {READ_AHEAD >> 10} KiB", TEXT)
