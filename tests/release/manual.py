"""Manual pages, made from the parsers that C{--help} shows.

C{python -m tests.release.manual DIR} writes C{rserpool.1}, C{rserpool-ns.1} and the others there.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import rserpool
from rserpool.cli.codes import EXIT_CODES
from rserpool.cli.described import PREFIX, command_parser, twistd_parser

WIDTH = 78
SUMMARY = "ask registrars, show and use server pools (RSerPool, RFC 5351 to 5356)"
ENVIRONMENT = (
    ("RSERPOOL_REGISTRARS", "registrars, separated by blanks, where no option names one"),
    ("RSERPOOL_SECURITY", "keys and certificates for TLS, where no --security says otherwise"),
)


def pages() -> dict[str, str]:
    """Each page by its name."""
    twistd = children(twistd_parser())
    ours = {name: each for name, each in twistd.items() if name.startswith(PREFIX)}
    names = ["rserpool", *ours]
    command = command_parser()
    made = {"rserpool": page("rserpool", SUMMARY, command, [name for name in names if name != "rserpool"])}
    summaries = {action.dest: action.help or "" for action in choices_of(twistd_parser())}
    for name, parser in ours.items():
        made[name] = page(name, summaries[name].rstrip("."), parser, [other for other in names if other != name])
    return made


def page(name: str, summary: str, parser: argparse.ArgumentParser, see: list[str]) -> str:
    """A page about one command, and its subcommands."""
    lines = [
        f'.TH {quoted(name.upper())} 1 "{today():%Y-%m-%d}" {quoted(f"rserpool {rserpool.__version__}")} "RSerPool"',
        ".SH NAME",
        f"{escaped(name)} \\-",
        *wrapped(summary[:1].lower() + summary[1:]),
        ".SH SYNOPSIS",
        *usage(parser),
        ".SH DESCRIPTION",
        *paragraph(parser.description or summary),
    ]
    if any(True for _ in arguments(parser)):
        lines += [".SH OPTIONS", *options(parser)]
    below = children(parser)
    if below:
        lines += [".SH COMMANDS"]
        for child in below.values():
            lines += command(child)
    if parser.epilog:
        lines += [".SH EXIT STATUS", *paragraph(parser.epilog.removeprefix("exit codes: "))]
    told = [(variable, text) for variable, text in ENVIRONMENT if any(variable in line for line in lines)]
    for number, (variable, text) in enumerate(told):
        lines += [".SH ENVIRONMENT"] * (not number) + [".TP", f".B {variable}", *wrapped(text)]
    lines += [".SH SEE ALSO", ",\n".join(f".BR {escaped(other)} (1)" for other in ["twistd", *see]).replace(")\n", ")")]
    return "\n".join(tidy(lines)) + "\n"


def command(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A section about a subcommand, and those beneath it."""
    yield f".SS {quoted(parser.prog)}"
    yield from usage(parser)
    yield ".PP"
    yield from wrapped(parser.description or "")
    yield from options(parser)
    if parser.epilog != EXIT_CODES:
        for text in (parser.epilog or "").replace("exit codes: ", "\n\nExit codes: ").split("\n\n"):
            yield ".PP"
            yield from wrapped(text)
    for child in children(parser).values():
        yield from command(child)


def usage(parser: argparse.ArgumentParser) -> Iterator[str]:
    """What the command line looks like."""
    text = " ".join(parser.format_usage().removeprefix("usage: ").split())
    words = parser.prog if text.startswith(parser.prog) else text.partition(" ")[0]
    yield f".B {escaped(words)}"
    yield from wrapped(text.removeprefix(words).strip())


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A paragraph for each option and argument."""
    formatter = parser._get_formatter()
    for action in arguments(parser):
        value = ""
        if action.nargs != 0:
            shown = action.metavar or (f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest)
            value = f"\\fI{escaped(shown if isinstance(shown, str) else ' '.join(shown))}\\fP"
        names = ", ".join(f"\\fB{escaped(name)}\\fP" for name in action.option_strings)
        yield ".TP"
        yield f"{names} {value}".strip()
        yield from wrapped(formatter._expand_help(action) if action.help else "")


def arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """All that may stand on the command line, but for subcommands and the cry for help."""
    left_out = (argparse._SubParsersAction, argparse._HelpAction)
    return (action for action in parser._actions if not isinstance(action, left_out))


def children(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The subcommands, by their names."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def choices_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """What is said of the subcommands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return list(action._choices_actions)
    return []


def paragraph(text: str) -> Iterator[str]:
    """A text that begins with a capital, and ends with a full stop."""
    text = " ".join(text.split())
    return wrapped(f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}")


def wrapped(text: str) -> Iterator[str]:
    """Short lines of text."""
    words = " ".join(escaped(text).split())
    for line in textwrap.wrap(words, WIDTH, break_on_hyphens=False, break_long_words=False):
        yield f"\\&{line}" if line.startswith((".", "'")) else line


def escaped(text: str) -> str:
    """So that roff prints it as it is."""
    return text.replace("\\", "\\e").replace("-", "\\-")


def quoted(text: str) -> str:
    """One argument of a macro."""
    return f'"{escaped(text)}"'


def tidy(lines: list[str]) -> Iterator[str]:
    """Without paragraphs that are empty."""
    for line, after in zip(lines, [*lines[1:], ".SH"], strict=True):
        if not (line == ".PP" and after.startswith((".SS", ".SH", ".PP", ".TP"))):
            yield line


def today() -> datetime:
    """The day of the release: that of the commit, if C{make dist} says which."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)


def main(directory: Path) -> None:
    """Write them."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (directory / f"{name}.1").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
