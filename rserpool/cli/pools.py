"""C{rserpool pools}: the pools that a registrar knows."""

from __future__ import annotations

import argparse
import json
from typing import Any, TextIO

from rserpool.cli.codes import OK
from rserpool.cli.listing import add_options, show, source
from rserpool.sctp.interfaces import ISctpStack

configure = add_options


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, stack: ISctpStack | None = None) -> int:
    """Print them, by name."""
    pools = sorted(await (await source(reactor, options, stack)).pools(), key=lambda pool: str(pool["pool"]))
    if options.json:
        for pool in pools:
            print(json.dumps(pool), file=out)
    elif not pools:
        print("there are no pools", file=out)
    else:
        rows = [("POOL", "ELEMENTS", "POLICY", "HOMES")]
        rows += [(pool["pool"], str(pool["elements"]), pool["policy"] or "-", _homes(pool)) for pool in pools]
        show(rows, out)
    return OK


def _homes(pool: dict[str, Any]) -> str:
    return ", ".join(f"{home} ({number})" if number > 1 else home for home, number in pool["homes"].items())
