"""The command line of C{rserpool}: help alone loads neither Twisted nor the subcommands."""

from __future__ import annotations

import argparse
import re
import sys
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

import rserpool
from rserpool.cli.codes import BAD_OPTION, EXIT_CODES
from rserpool.cli.commands import COMMANDS

if TYPE_CHECKING:
    from rserpool.config.words import Configured


class Parser(argparse.ArgumentParser):
    chosen: Parser | None = None
    role: str | None = None
    configured: Configured | None = None

    def error(self, message: str) -> NoReturn:
        """One sentence will do."""
        found = re.match("argument --([a-z-]+): (.*)", message)
        place = found and self.configured and self.configured.place_of(found[1])
        if found and place:
            self.exit(BAD_OPTION, f"{self.prog}: {place}: {found[1]}: {found[2]}\n")
        self.exit(BAD_OPTION, f"{self.prog}: {message} (see {self.prog} --help)\n")

    def print_help(self, file: Any = None) -> None:
        """Whether it can be written matters: C{argparse} itself is silent about that."""
        (file or sys.stdout).write(self.format_help())

    def with_files(self, words: list[str]) -> list[str]:
        """A command line, with what files say that it does not: that of C{--config}, and those of users."""
        if self.chosen is None:
            return words
        from rserpool.config.user import may_say

        if self.chosen.role is None and not may_say():
            return words
        from rserpool.config.commands import words_for
        from rserpool.core.errors import ConfigurationError

        try:
            more, self.configured = words_for(self.chosen, self.chosen.role, words[1:])
        except ConfigurationError as error:
            self.chosen.exit(BAD_OPTION, f"{self.chosen.prog}: {error}\n")
        self.chosen.configured = self.configured
        return [words[0], *more, *words[1:]]


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """What is installed says so itself."""
        print(f"rserpool {rserpool.__version__}")
        parser.exit()


def make_parser(chosen: str | None = None, loaded: bool = True) -> Parser:
    """The parser of the whole command line.

    @param chosen: the subcommand that is meant, if that is known: there are no others then.
    @param loaded: False for what C{rserpool --help} shows alone.
    """
    parser = Parser(
        prog="rserpool",
        description="Reliable Server Pooling (RFC 5351 to 5356).",
        epilog=EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (module, summary) in COMMANDS.items():
        if not loaded:
            commands.add_parser(name, help=summary)
        if not loaded or chosen not in (None, name):
            continue
        command: Any = import_module(module)
        subparser = commands.add_parser(
            name,
            help=summary,
            description=summary + ".",
            usage=getattr(command, "USAGE", None),
            epilog=getattr(command, "EPILOG", EXIT_CODES),
            allow_abbrev=False,
        )
        command.configure(subparser)
        if chosen is not None:
            parser.chosen, subparser.role = subparser, getattr(command, "ROLE", None)
        subparser.set_defaults(run=command.run, prog=subparser.prog)
    return parser


def read(chosen: str | None, words: list[str]) -> argparse.Namespace:
    """What a command line says, with the files that it goes by; C{read_again} reads them again.

    @raise SystemExit: if something is wrong, which has been told; or help was asked for.
    """
    parser = make_parser(chosen, loaded=chosen is not None)
    options, surplus = parser.parse_known_args(parser.with_files(words))
    if surplus:
        # The subcommand's help knows what there is.
        parser.prog = options.prog
        parser.error(f"unrecognized arguments: {' '.join(surplus)}{_meant(parser, chosen, surplus)}")
    options.configured, options.read_again = parser.configured, partial(read, chosen, words)
    return options


def _meant(parser: argparse.ArgumentParser, chosen: str | None, surplus: list[str]) -> str:
    """What somebody may have meant by words that nothing takes."""
    if chosen is None:
        return ""
    from difflib import get_close_matches

    commands: Any = next(action for action in parser._actions if isinstance(action.choices, dict))
    options = [option for action in commands.choices[chosen]._actions for option in action.option_strings]
    for word in surplus:
        like = get_close_matches(word.partition("=")[0], options, 1) if word.startswith("--") else []
        if like:
            return f"; did you mean {like[0]}?"
    return "; the command stands behind --" if hasattr(import_module(COMMANDS[chosen].module), "TAKES_COMMAND") else ""
