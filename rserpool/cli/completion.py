"""C{rserpool completion}: prints what has a shell complete command lines, made from what C{--help} shows."""

from __future__ import annotations

import argparse
from importlib.metadata import PackageNotFoundError, files
from typing import Any, TextIO

from rserpool.cli.codes import OK
from rserpool.cli.described import command_parser, twistd_parser
from rserpool.core.choices import BACKENDS
from rserpool.core.errors import ConfigurationError, RSerPoolError
from rserpool.core.profiles import PROFILES

EPILOG = """bash: rserpool completion bash >~/.local/share/bash-completion/completions/rserpool (needs bash-completion).
            zsh: rserpool completion zsh >DIR/_rserpool, where DIR is in $fpath.
            fish: rserpool completion fish >~/.config/fish/completions/rserpool.fish.
            Then start a new shell. With --twistd the file is called twistd in place of rserpool.
            exit codes: 0 all is well, 1 shtab is not installed, 2 a wrong option"""
SHELLS = ("bash", "zsh", "fish")
SHIPPED = {
    "bash": "share/bash-completion/completions/rserpool",
    "zsh": "share/zsh/site-functions/_rserpool",
    "fish": "share/fish/vendor_completions.d/rserpool.fish",
}
"""Where a wheel has them, ready made."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=SHELLS, help="the shell that completes")
    parser.add_argument(
        "--twistd", action="store_true", help="complete twistd and its subcommands rserpool-ns, rserpool-pe, ..."
    )


async def run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    """Print it."""
    if options.twistd and options.shell == "zsh":
        raise ConfigurationError("zsh comes with a completion of twistd, which asks Twisted and knows our subcommands")
    text = made(options.shell, options.twistd)
    if text is None and not options.twistd:
        text = shipped(options.shell)
    if text is None:
        raise RSerPoolError("shtab makes completions, and is not installed: pip install 'rserpool[completion]'")
    print(text, end="", file=out, flush=True)
    return OK


def made(shell: str, twistd: bool = False) -> str | None:
    """A completion, made now; None if shtab is not there."""
    try:
        import shtab
    except ImportError:
        return None
    parser = twistd_parser() if twistd else command_parser()
    _mark(parser, shtab.FILE, shtab.DIRECTORY)
    return f"{shtab.complete(parser, shell=shell).rstrip()}\n"


def shipped(shell: str) -> str | None:
    """What came with the wheel; None if it is not installed from one that has it."""
    try:
        found = files("rserpool") or []
    except PackageNotFoundError:
        return None
    for file in found:
        if str(file).endswith(SHIPPED[shell]):
            return file.read_text(encoding="utf-8")
    return None


def _mark(parser: argparse.ArgumentParser, file: Any, directory: Any) -> None:
    """Say which arguments name files or directories, and which values there are."""
    for action in parser._actions:
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                _mark(each, file, directory)
        elif "--profile" in action.option_strings and metavar.startswith("NAME"):
            action.choices = list(PROFILES)
        elif "--backend" in action.option_strings:
            action.choices = list(BACKENDS)
        elif "FILE" in metavar:
            action.complete = file  # type: ignore[attr-defined]
        elif metavar.startswith("DIR"):
            action.complete = directory  # type: ignore[attr-defined]
