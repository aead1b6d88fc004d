"""C{rserpool ping}: pings to a pool of pingpong servers, counted across failovers (RFC 5352 section 3.8)."""

from __future__ import annotations

import argparse
from typing import Any, TextIO

from rserpool.cli.asking import add_options, add_size, ask
from rserpool.services.clients import Pinging
from rserpool.services.names import POOLS
from rserpool.user.service import PoolUserService


def configure(parser: argparse.ArgumentParser) -> None:
    add_options(parser, POOLS["pingpong"])
    add_size(parser)


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, user: PoolUserService | None = None) -> int:
    return await ask(reactor, options, out, Pinging, "pings", user)
