"""The picture of C{rserpool demo}, its first lines, and its verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.demo import story
from rserpool.cli.demo.opening import OPENING, begin
from rserpool.cli.demo.screen import Row, Screen
from rserpool.cli.demo.traffic import Requests
from rserpool.cli.demo.verdict import Act, table, verdict, what_next
from rserpool.cli.terminal import too_small


class Terminal(StringIO):
    """Says that it is one, and of 80 columns and 24 lines, or what else its size is made."""

    def __init__(self, columns: int = 80, lines: int = 24) -> None:
        super().__init__()
        self.size = os.terminal_size((columns, lines))

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 1


class ScreenTests(SynchronousTestCase):
    """On a terminal of 80 columns and 24 lines; a line that wraps, or one too many, would not be drawn over."""

    def setUp(self) -> None:
        self.out = Terminal()
        self.patch(os, "get_terminal_size", lambda descriptor: self.out.size)
        self.rows = [Row(f"ns-{number}", number, 4194304, "starting") for number in range(1, 4)]
        self.rows += [Row(f"web-{number}", 100 + number, 4194304, "serves", "ns-1", True) for number in range(1, 6)]
        self.requests = Requests()
        self.requests.served.update({100 + number: 123456 * number for number in range(1, 6)})
        self.requests.answered = 1234567

    def drawn(self, screen: Screen) -> list[str]:
        """The lines of one picture."""
        self.out.truncate(0)
        self.out.seek(0)
        screen.draw(self.rows, self.requests)
        return self.out.getvalue().split("\n")

    def test_it_fits(self) -> None:
        """Three registrars and five servers, whatever has happened, and whatever happens next."""
        screen = Screen(self.out)
        sentences = [value for name, value in vars(story).items() if name.isupper() and isinstance(value, str)]
        self.assertGreater(len(sentences), 8)
        for number, sentence in enumerate(sentences):
            screen.event(f"event {number}")
            screen.tell(sentence.format(name="web-1"))
            lines = self.drawn(screen)
            self.assertLess(max(len(line.rpartition("\x1b[J")[2]) for line in lines), 80)
            self.assertLessEqual(len(lines), 24)
            self.assertIn(sentence.split()[-1], " ".join(lines))
            self.assertIn(f"event {number}", "\n".join(lines))
        self.assertTrue(self.drawn(screen)[0].startswith(f"\x1b[{len(lines) - 1}F\x1b[J"))

    def test_legend(self) -> None:
        """No line of it is cut off."""
        text = "\n".join(self.drawn(Screen(self.out)))
        self.assertIn("the registrar\n", text)
        self.assertIn("the next page.\n", text)

    def test_too_small(self) -> None:
        """Where it is too small there are lines, and a sentence says why; a picture as soon as it is larger."""
        self.out.size = os.terminal_size((79, 24))
        self.assertIn("has 79 columns and 24 lines; the picture needs 80 and 24", too_small(self.out))
        screen = Screen(self.out)
        screen.tell("Now.")
        self.assertIn("NOW: Now.", self.out.getvalue())
        self.assertNotIn("Ctrl-C", "\n".join(self.drawn(screen)))
        self.out.size = os.terminal_size((80, 24))
        self.assertIn("Ctrl-C", "\n".join(self.drawn(screen)))
        self.out.size = os.terminal_size((80, 23))
        self.assertIn("has 80 columns and 23 lines", "\n".join(self.drawn(screen)))

    def test_unknown_size(self) -> None:
        """A terminal that says 0 has not been told, and what is no terminal has none."""
        self.out.size = os.terminal_size((0, 0))
        self.assertEqual("", too_small(self.out))
        self.assertEqual("", too_small(StringIO()))


class OpeningTests(SynchronousTestCase):
    """What is shown before anything else."""

    def test_at_once(self) -> None:
        """Nothing large is imported for it."""
        program = "import sys, rserpool.cli.start as start; start._begin_demo(); print([*sys.modules])"
        printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        self.assertTrue(printed.startswith(OPENING))
        self.assertNotIn("twisted", printed)
        self.assertLess(max(map(len, OPENING.split("\n"))), 80)

    def test_help(self) -> None:
        """Who asks for help gets that alone."""
        out = StringIO()
        begin(["--phase", "1", "--help"], out)
        self.assertEqual("", out.getvalue())


class VerdictTests(SynchronousTestCase):
    """What is said at the end is what was counted."""

    def said(self, *acts: Act, lost: int = 0, answered: int = 7) -> str:
        requests = Requests()
        requests.lost, requests.answered, requests.repeated, requests.gap = lost, answered, 2, 0.5
        lines = verdict(acts, requests)
        self.assertLess(max(map(len, lines)), 80)
        return " ".join(lines)

    def test_none_lost(self) -> None:
        said = self.said(Act("all was well", False, 0.1), Act("a server was killed", True, 0.5))
        self.assertIn("No request was lost: 7 were answered while a server was killed.", said)
        self.assertIn("2 of them had to be asked again", said)
        self.assertIn("500 ms, the longest of all, when a server was killed.", said)

    def test_lost(self) -> None:
        said = self.said(Act("a server was killed"), Act("a server was frozen"), lost=1)
        self.assertIn("1 request of 8 was lost while a server was killed and a server was frozen", said)

    def test_nothing(self) -> None:
        self.assertIn("Nothing was answered at all", self.said(answered=0))

    def test_table(self) -> None:
        act = Act("a server was killed", True, 0.25, ["web-1 out of the pool after 12 ms"])
        lines = table([act])
        self.assertIn("when a server was killed", lines[1])
        self.assertIn("250 ms", lines[1])
        self.assertIn("web-1 out of the pool after 12 ms", lines[2])
        self.assertEqual("web-1 out of the pool after 12 ms; longest wait 250 ms", act.sentence())

    def test_waiting(self) -> None:
        """Whoever has no answer yet has waited, too."""
        requests = Requests()
        requests.begin("worker", 10.0)
        requests.answer("worker", 1, 10.5)
        self.assertEqual(0.5, requests.take_gap(10.6))
        self.assertEqual(2.5, requests.take_gap(13.0))
        requests.end("worker")
        self.assertEqual(0.0, requests.take_gap(20.0))
        self.assertEqual(2.5, requests.gap)

    def test_next(self) -> None:
        """The commands are there to be copied."""
        lines = what_next(".venv/bin/")
        self.assertIn("  .venv/bin/rserpool ping", lines)
        self.assertLess(max(map(len, lines)), 80)
