"""C{rserpool config}: is a configuration file right, and what holds, and from where?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, TextIO

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python import usage

from rserpool.cli.codes import OK, OTHER
from rserpool.cli.show import table
from rserpool.config.checking import check
from rserpool.config.showing import held_by, held_by_users
from rserpool.core.errors import ConfigurationError

EPILOG = "exit codes: 0 all is well, 1 something is wrong with the file, 2 a wrong option, or no such file"
TAKES_COMMAND = True
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
    showing = actions.add_parser(
        "show",
        help="say what holds for a role, and where each value comes from",
        usage="%(prog)s [-h] [--config FILE] [--json] {registrar,element,proxy,user} [-- OPTIONS]",
        allow_abbrev=False,
    )
    showing.add_argument(
        "role",
        choices=[*SUBCOMMANDS, "user"],
        nargs="?",
        default="user",
        help="of whom (default: user, every user of this host); what follows -- are options as on its command line",
    )
    showing.add_argument("--config", metavar="FILE", help="the file that it would be started with")
    showing.add_argument("--json", action="store_true", help="print JSON, an object for each key")


async def run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    """Do it."""
    return _check(options, out) if options.action == "check" else _show(options, out)


def _check(options: argparse.Namespace, out: TextIO) -> int:
    there, problems = check(options.file, {role: maker_of(name).options for role, name in SUBCOMMANDS.items()})
    for problem in problems:
        print(problem, file=out)
    if problems:
        return OTHER
    print(f"{options.file}: all is well with {', '.join(there)}", file=out)
    return OK


def _show(options: argparse.Namespace, out: TextIO) -> int:
    if options.role == "user":
        if options.config is not None or options.command:
            raise ConfigurationError("users have no --config and no options of their own: their files say what holds")
        held = held_by_users()
    else:
        role = maker_of(SUBCOMMANDS[options.role]).options()
        file = [] if options.config is None else ["--config", options.config]
        try:
            role.read_words([*file, *options.command])
        except usage.UsageError as error:
            raise ConfigurationError(str(error)) from None
        held = held_by(role)
    if options.json:
        for each in held:
            print(json.dumps({"key": each.key, "value": each.value, "from": each.source}), file=out)
        return OK
    for line in table([("KEY", "VALUE", "FROM"), *((each.key, each.value, each.source) for each in held)]):
        print(line, file=out)
    return OK


def maker_of(name: str) -> Any:
    """The plugin of twistd with this name.

    @raise ConfigurationError: if it is not installed.
    """
    for maker in getPlugins(IServiceMaker):
        if maker.tapname == name:
            return maker
    raise ConfigurationError(f"twistd has no {name}: is rserpool installed where Python looks for twisted.plugins?")
