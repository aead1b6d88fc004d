"""Our command lines as parsers that programs can read: for completion, and for manual pages."""

from __future__ import annotations

import argparse
import re
from typing import Any

PREFIX = "rserpool-"


def command_parser() -> argparse.ArgumentParser:
    """That of C{rserpool} and all its subcommands."""
    from rserpool.cli.parser import make_parser

    return make_parser()


def twistd_parser() -> argparse.ArgumentParser:
    """That of C{twistd}, and of our subcommands; others are named."""
    from twisted.application.service import IServiceMaker
    from twisted.plugin import getPlugins
    from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined]

    parser = argparse.ArgumentParser(prog="twistd", description="The Twisted daemon.", add_help=False)
    _add_options(parser, ServerOptions())
    commands = parser.add_subparsers(metavar="PLUGIN")
    for maker in sorted(getPlugins(IServiceMaker), key=lambda maker: str(maker.tapname)):
        subparser = commands.add_parser(maker.tapname, help=_escaped(maker.description), add_help=False)
        if maker.tapname.startswith(PREFIX):
            describe(subparser, maker.options())
    return parser


def describe(parser: argparse.ArgumentParser, options: Any) -> None:
    """Say in C{parser} what the options of a C{twistd} subcommand are (C{twisted.python.usage.Options})."""
    description, usage = getattr(options, "longdesc", ""), getattr(options, "synopsis", "[options]")
    parser.description = _escaped(description)
    parser.usage = _escaped(f"twistd [options of twistd] {parser.prog.rpartition(' ')[2]} {usage}")
    _add_options(parser, options)


def _add_options(parser: argparse.ArgumentParser, options: Any) -> None:
    shorts: dict[str, str] = {long: short for short, long in options.synonyms.items() if len(short) == 1}
    for option in options.longOpt:
        name = option.removesuffix("=")
        names = [f"-{shorts[name]}", f"--{name}"] if name in shorts else [f"--{name}"]
        text = " ".join(str(options.docs[name] or "").split())
        if option == name:
            parser.add_argument(*names, action="store_true", help=_escaped(text))
            continue
        # Texts that begin with what is to be written name it.
        metavar, text = _metavar(text)
        default = options.defaults.get(name)
        if default is not None and default != "":
            text += f" (default: {default})"
        parser.add_argument(*names, metavar=metavar, help=_escaped(text))


def _metavar(text: str) -> tuple[str, str]:
    """What is to be written for a value, and what it means: C{"FILE: keys"} and C{"HOST of a monitor"} say both."""
    word, _, rest = text.partition(" ")
    value = word.rstrip(",:;")
    if not re.search("[A-Z]{3}", value) or value in ("SCTP", "UDP"):
        return "VALUE", text
    return value, rest if value != word else text


def _escaped(text: Any) -> str:
    return str(text).replace("%", "%%")
