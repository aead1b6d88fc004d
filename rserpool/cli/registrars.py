"""C{rserpool registrars}: the registrars of a scope, as one of them knows them."""

from __future__ import annotations

import argparse
import json
from typing import Any, TextIO

from rserpool.cli.listing import add_options, show, source
from rserpool.cli.options import OK
from rserpool.sctp.interfaces import ISctpStack

SUMMARY = "list the registrars of the scope, as one of them knows them, and how many elements each is the home of"

configure = add_options


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, stack: ISctpStack | None = None) -> int:
    """Print them: first who was asked."""
    found = await (await source(reactor, options, stack)).registrars()
    if options.json:
        for each in found:
            print(json.dumps(each), file=out)
        return OK
    rows = [("REGISTRAR", "AT", "STATE", "ELEMENTS", "CHECKSUM")]
    for each in found:
        state = f"{each['state']} (asked)" if each.get("own") else each["state"]
        elements = each.get("elements")
        rows.append(
            (
                each.get("identifier") or "-",
                each.get("address") or "-",
                state,
                "-" if elements is None else str(elements),
                each.get("checksum") or "-",
            )
        )
    show(rows, out)
    return OK
