"""Manual pages."""

from __future__ import annotations

import argparse
import re

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.described import command_parser, twistd_parser
from tests.release import manual


class ManualTests(SynchronousTestCase):
    """What C{man} would show."""

    def test_whole(self) -> None:
        """A page for C{rserpool} and for each of our plugins; each option of each command is there."""
        pages = manual.pages()
        self.assertEqual("rserpool rserpool-calcapp rserpool-chargen".split(), sorted(pages)[:3])
        parsers = {"rserpool": command_parser(), **manual.children(twistd_parser())}
        for name, page in pages.items():
            waiting = [parsers[name]]
            for parser in waiting:
                waiting += manual.children(parser).values()
                for action in manual.arguments(parser):
                    for option in action.option_strings:
                        self.assertIn(f"\\fB{manual.escaped(option)}\\fP", page, name)

    def test_sections(self) -> None:
        """Each has those that readers look for, in order."""
        for name, page in manual.pages().items():
            sections = re.findall(r"^\.SH (.*)$", page, re.MULTILINE)
            self.assertEqual(["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS"], sections[:4], name)
            self.assertEqual("SEE ALSO", sections[-1])

    def test_lines(self) -> None:
        """None is longer than the tools like it; none is empty, or begins with what roff takes for a request."""
        requests = {"TH", "SH", "SS", "B", "BR", "PP", "TP"}
        for name, page in manual.pages().items():
            for line in page.splitlines():
                self.assertTrue(0 < len(line) <= 100, f"{name}: {line}")
                if line.startswith((".", "'")):
                    self.assertIn(line[1:].partition(" ")[0], requests)

    def test_escapes(self) -> None:
        """What roff would obey is printed."""
        self.assertEqual(["\\&.SH x\\-y \\e"], list(manual.wrapped(".SH x-y \\")))
        parser = argparse.ArgumentParser(prog="p", description="does it")
        parser.add_argument("--size", metavar="N", help="50%% of 'all'")
        page = manual.page("p", "Does it", parser, [])
        self.assertIn(".SH NAME\np \\-\ndoes it\n", page)
        self.assertIn(".TP\n\\fB\\-\\-size\\fP \\fIN\\fP\n50% of 'all'\n", page)
