"""C{rserpool elements}: the elements of a pool, or of all, that a registrar knows; and those that drain."""

from __future__ import annotations

import argparse
import json
from typing import Any, TextIO

from rserpool.cli.codes import OK
from rserpool.cli.fitting import Cell
from rserpool.cli.listing import Described, add_options, show, source
from rserpool.cli.options import configured
from rserpool.core.errors import UnknownPool
from rserpool.core.handles import handle_text
from rserpool.core.policies import POLICIES
from rserpool.core.reading import handle
from rserpool.sctp.interfaces import ISctpStack


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pool", metavar="POOL", nargs="?", type=configured(handle), help="the pool's name (its handle; default: all)"
    )
    add_options(parser)


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, stack: ISctpStack | None = None) -> int:
    """Print them, pool by pool."""
    asked = await source(reactor, options, stack)
    wanted = None if options.pool is None else handle_text(options.pool)
    found = [each for each in await asked.draining() if wanted in (None, each["pool"])]
    if options.pool is None:
        for pool in await asked.pools():
            try:
                found += await asked.elements(bytes.fromhex(pool["handle"]))
            except UnknownPool:
                continue  # it went meanwhile
    else:
        try:
            found += await asked.elements(options.pool)
        except UnknownPool:
            # All its elements may drain.
            if not found:
                raise
    found.sort(key=lambda each: (str(each["pool"]), str(each["identifier"])))
    if options.json:
        for each in found:
            print(json.dumps(each), file=out)
    elif not found:
        print("there are no elements", file=out)
    else:
        several = options.pool is None
        heading = ("POOL",) * several + ("ELEMENT", "TRANSPORT", "POLICY", "HOME", "STATE")
        show([heading, *((each["pool"],) * several + _row(each) for each in found)], out)
    return OK


def _row(element: Described) -> tuple[str, ...]:
    transport, policy = element.get("transport"), element.get("policy")
    return (
        element["identifier"],
        "-" if transport is None else _transport(transport),
        "-" if policy is None else _policy(policy),
        element.get("home") or "-",
        _state(element),
    )


def _transport(transport: Described) -> str:
    hosts = [f"[{host}]" if ":" in host else host for host in transport["addresses"]]
    port = f":{transport['port']}"
    few = f"{transport['protocol']} {hosts[0]}{',..' if len(hosts) > 1 else ''}{port}" if hosts else None
    return Cell(f"{transport['protocol']} {','.join(hosts)}{port}", few, len(port))


def _policy(policy: Described) -> str:
    """Its name and values; short, as everybody abbreviates it, and as options take it, too."""
    values = ",".join(f"{name}={value}" for name, value in policy.items() if name not in ("type", "name"))
    known = next((each for each in POLICIES.values() if each.name == policy["name"]), None)
    behind = f":{values}" if values else ""
    return Cell(f"{policy['name']}{behind}", None if known is None else known.abbreviation + behind)


def _state(element: Described) -> str:
    if element.get("draining"):
        number = element.get("connections")
        return "drains" if number is None else f"drains ({number} open)"
    if element.get("evicted"):
        return f"evicted ({element['seconds']} s)"
    if element.get("registered") is False:
        return "not registered"
    reports = element.get("reports") or 0
    if reports:
        return f"reported ({reports})"
    if element.get("delay") is not None:
        return Cell(f"answers in {1000 * element['delay']:.1f} ms", f"{1000 * element['delay']:.1f} ms")
    return "asked" if element.get("asked") else "registered"
