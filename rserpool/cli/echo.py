"""C{rserpool echo}: lines to a pool of echo servers, counted across failovers (RFC 862)."""

from __future__ import annotations

import argparse
from typing import Any, TextIO

from rserpool.cli.asking import add_options, add_size, ask
from rserpool.services.clients import Echoing
from rserpool.services.names import POOLS
from rserpool.user.service import PoolUserService


def configure(parser: argparse.ArgumentParser) -> None:
    add_options(parser, POOLS["echo"])
    add_size(parser)


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, user: PoolUserService | None = None) -> int:
    return await ask(reactor, options, out, Echoing, "lines", user)
