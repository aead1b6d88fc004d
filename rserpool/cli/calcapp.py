"""C{rserpool calcapp}: jobs for a pool of CalcApp elements, which go on elsewhere when theirs fails."""

from __future__ import annotations

import argparse
from typing import Any, TextIO

from rserpool.cli.asking import add_options, ask
from rserpool.cli.options import configured
from rserpool.core import reading
from rserpool.services.calcapp.messages import LARGEST
from rserpool.services.calcapp.user import Calculating
from rserpool.services.names import POOLS
from rserpool.user.service import PoolUserService

_size = reading.number(
    reading.digits, lambda size: size <= LARGEST, lambda text: f"{text!r} is not a number of calculations"
)


def configure(parser: argparse.ArgumentParser) -> None:
    add_options(parser, POOLS["calcapp"], "jobs")
    parser.add_argument(
        "--size",
        metavar="CALCULATIONS",
        type=configured(_size),
        default=1_000_000,
        help="of each job (default: 1000000, a second's worth for an element that has nothing else to do)",
    )


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, user: PoolUserService | None = None) -> int:
    return await ask(reactor, options, out, Calculating, "jobs", user)
