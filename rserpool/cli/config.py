"""C{rserpool config}: is a configuration file right, and what holds, and from where?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TextIO

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins

from rserpool.cli.options import OK
from rserpool.config.checking import check
from rserpool.core.errors import ConfigurationError

SUMMARY = "check a configuration file (TOML), and show what holds"
EPILOG = "exit codes: 0 all is well, 1 something is wrong with the file, 2 a wrong option, or no such file"
SUBCOMMANDS = {
    "registrar": "rserpool-ns",
    "element": "rserpool-pe",
    "proxy": "rserpool-proxy",
    "worker": "rserpool-worker",
}
"""The table of a file, and the subcommand of twistd that it is for."""


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    checking = actions.add_parser(
        "check", help="say what is wrong with a file: the line, the key, and what is allowed", allow_abbrev=False
    )
    checking.add_argument("file", metavar="FILE", type=Path, help="what --config names, or a user.toml")


async def run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    """Do it."""
    there, problems = check(options.file, {role: maker_of(name).options for role, name in SUBCOMMANDS.items()})
    for problem in problems:
        print(problem, file=out)
    if problems:
        return 1
    print(f"{options.file}: all is well with {', '.join(there)}", file=out)
    return OK


def maker_of(name: str) -> Any:
    """The plugin of twistd with this name.

    @raise ConfigurationError: if it is not installed.
    """
    for maker in getPlugins(IServiceMaker):
        if maker.tapname == name:
            return maker
    raise ConfigurationError(f"twistd has no {name}: is rserpool installed where Python looks for twisted.plugins?")
