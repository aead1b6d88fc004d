"""C{rserpool completion}: what bash makes of it, and where it comes from."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path
from unittest import skipUnless

import shtab
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli import completion
from rserpool.cli.commands import COMMANDS
from rserpool.cli.described import command_parser, twistd_parser
from rserpool.core.errors import ConfigurationError, RSerPoolError

TRY = """
source "$1"
function=$(complete -p "$2" | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
COMPREPLY=()
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[*]}"
"""
"""What bash does when somebody presses the tabulator."""


@skipUnless(shutil.which("bash"), "there is no bash")
class BashTests(SynchronousTestCase):
    """In a bash."""

    def completed(self, script: str, *words: str) -> set[str]:
        """What the last of some words may become."""
        path = Path(self.mktemp())
        path.write_text(script)
        done = subprocess.run(
            ["bash", "--norc", "-c", TRY, "bash", path, *words], capture_output=True, text=True, timeout=60
        )
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        return set(done.stdout.split())

    def test_rserpool(self) -> None:
        """Subcommands, theirs, options, their values, and files."""
        script = completion.made("bash")
        assert script is not None
        self.assertEqual(set(COMMANDS), self.completed(script, "rserpool", ""))
        self.assertEqual({"make", "add", "remove", "check"}, self.completed(script, "rserpool", "keys", ""))
        self.assertEqual({"--transport"}, self.completed(script, "rserpool", "resolve", "--tr"))
        self.assertEqual({"auto", "sctp", "tcp"}, self.completed(script, "rserpool", "watch", "p", "--transport", ""))
        self.assertEqual({"fast"}, self.completed(script, "rserpool", "proxy", "p", "--profile", "f"))
        self.assertIn(__file__, self.completed(script, "rserpool", "proxy", "p", "--tls-ca", __file__[:-2]))

    def test_twistd(self) -> None:
        """Our plugins with their options; those of others by their names."""
        script = completion.made("bash", twistd=True)
        assert script is not None
        names = self.completed(script, "twistd", "-n", "")
        self.assertTrue({"web", "rserpool-ns", "rserpool-pe", "rserpool-proxy", "rserpool-echo"} <= names, names)
        self.assertEqual({"--asap", "--asap-tcp"}, self.completed(script, "twistd", "-n", "rserpool-ns", "--asap"))
        self.assertEqual({"kernel"}, self.completed(script, "twistd", "rserpool-pe", "--backend", "k"))


class PrintTests(SynchronousTestCase):
    """What is printed."""

    def start(self, *arguments: str) -> tuple[Deferred[int], StringIO]:
        """Run it."""
        parser = argparse.ArgumentParser()
        completion.configure(parser)
        out = StringIO()
        return ensureDeferred(completion.run(None, parser.parse_args(arguments), out)), out

    def printed(self, *arguments: str) -> str:
        """What it prints."""
        running, out = self.start(*arguments)
        self.assertEqual(0, self.successResultOf(running))
        return out.getvalue()

    def test_shells(self) -> None:
        """One for each shell; zsh has one for twistd."""
        for shell in completion.SHELLS:
            self.assertIn("completion", self.printed(shell))
        self.assertIn("rserpool-ns", self.printed("fish", "--twistd"))
        self.failureResultOf(self.start("zsh", "--twistd")[0], ConfigurationError)

    def test_without_shtab(self) -> None:
        """Where neither shtab nor a ready-made one is, a sentence says what to install."""
        self.addCleanup(sys.modules.__setitem__, "shtab", shtab)
        sys.modules["shtab"] = None  # type: ignore[assignment]
        self.patch(completion, "SHIPPED", dict.fromkeys(completion.SHELLS, "share/nowhere"))
        error = self.failureResultOf(self.start("bash")[0], RSerPoolError).value
        self.assertIn("pip install 'rserpool[completion]'", str(error))


class DescribedTests(SynchronousTestCase):
    """The parsers that all of it is made from."""

    def test_all(self) -> None:
        """Every subcommand is there, and every option says what it is for."""
        for parser in (command_parser(), twistd_parser()):
            waiting = [parser]
            for each in waiting:
                for action in each._actions:
                    if isinstance(action, argparse._SubParsersAction):
                        waiting += action.choices.values()
                    else:
                        self.assertTrue(action.help, f"{each.prog} {action}")

    def test_values(self) -> None:
        """What is to be written for a value is told as C{--help} tells it."""
        [commands] = [each for each in twistd_parser()._actions if isinstance(each, argparse._SubParsersAction)]
        shown = " ".join(commands.choices["rserpool-ns"].format_help().split())
        self.assertIn("--asap HOST[,HOST...]:PORT ", shown)
        self.assertIn("--limit NAME=NUMBER accept so much", shown)
        self.assertIn("--backend VALUE SCTP: auto", shown)
