"""C{rserpool evict}: an element is removed from its pool, and refused for a while."""

from __future__ import annotations

import argparse
import re
from typing import Any, TextIO

from rserpool.admin.client import AdminClient
from rserpool.cli.codes import OK
from rserpool.cli.drain import act
from rserpool.cli.operator import add_admin_options, add_element_arguments, client_of
from rserpool.cli.options import configured
from rserpool.core.described import identifier_text
from rserpool.core.errors import ConfigurationError
from rserpool.core.handles import handle_text

LONGEST = 7 * 86_400
"""Seconds for which an element may be evicted."""
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


def configure(parser: argparse.ArgumentParser) -> None:
    add_element_arguments(parser)
    parser.add_argument(
        "--for",
        dest="seconds",
        metavar="TIME",
        type=configured(duration),
        default=600,
        help="how long: 30s, 10m, 2h, 7d (default: 10m, at most: 7d; again with 1s ends it)",
    )
    add_admin_options(parser)


def duration(text: str) -> int:
    """Seconds.

    @raise ConfigurationError: if it is no time that somebody may be evicted for.
    """
    found = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text.strip(), re.ASCII)
    seconds = 0 if found is None else int(found[1]) * _UNITS[found[2]]
    if not 1 <= seconds <= LONGEST:
        raise ConfigurationError(f"{text!r} is no time from 1s to 7d, such as 30s, 10m, 2h")
    return seconds


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, client: AdminClient | None = None) -> int:
    """Ask any registrar of the scope."""
    await act(reactor, client or client_of(options), options, "evict", seconds=options.seconds)
    name = f"element {identifier_text(options.element)} of {handle_text(options.pool)}"
    print(
        f"{name} is evicted, and refused for {options.seconds} s; it serves whom it has, and goes on asking "
        "(registrars of rsplib, and of older releases, know no evictions, and take it if it asks them)",
        file=out,
    )
    return OK
