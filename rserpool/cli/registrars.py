"""C{rserpool registrars}: the registrars of a scope, as one of them knows them."""

from __future__ import annotations

import argparse
import json
from typing import Any, TextIO

from rserpool.cli.codes import OK
from rserpool.cli.listing import Described, add_options, show, source
from rserpool.sctp.interfaces import ISctpStack

configure = add_options


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, stack: ISctpStack | None = None) -> int:
    """Print them: first who was asked."""
    found = await (await source(reactor, options, stack)).registrars()
    if options.json:
        for each in found:
            print(json.dumps(each), file=out)
        return OK
    rows = [("REGISTRAR", "AT", "STATE", "ELEMENTS", "PEERS", "CHECKSUM")]
    for each in found:
        state = f"{each['state']} (asked)" if each.get("own") else each["state"]
        elements, peers = each.get("elements"), each.get("peers")
        rows.append(
            (
                each.get("identifier") or "-",
                each.get("address") or "-",
                state,
                "-" if elements is None else str(elements),
                "-" if peers is None else str(len(peers)),
                _checksum(each),
            )
        )
    show(rows, out)
    return OK


def _checksum(each: Described) -> str:
    """Ours over its elements, and whether itself tells the same."""
    ours, told = each.get("checksum"), each.get("told")
    if ours is None or told is None or each.get("own"):
        return ours or "-"
    return f"{ours} agrees" if ours == told else f"{ours}, and it tells {told}"
