"""C{rserpool resolve}: ask a registrar which elements a pool has (RFC 5352 section 3.3)."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any, TextIO

from rserpool.cli.codes import OK
from rserpool.cli.options import add_user_options, number, user_from
from rserpool.cli.show import HEADING, element_json, policy_name, row, table
from rserpool.core.handles import handle_text

if TYPE_CHECKING:
    from rserpool.core.user.events import Resolved
    from rserpool.user.service import PoolUserService


IN_THE_CLEAR = True
"""It speaks no TLS, but where it is told to."""


def configure(parser: argparse.ArgumentParser) -> None:
    add_user_options(parser)
    parser.add_argument(
        "--items", metavar="N", type=number(int), help="ask for at most N elements (default: all that fit an answer)"
    )


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, user: PoolUserService | None = None) -> int:
    """Resolve once, and print elements, policy and the registrar that said so."""
    user = user or user_from(reactor, options)
    user.startService()
    try:
        resolved = await user.resolve(options.pool, items=options.items, timeout=options.timeout)
        text = json_text(resolved, str(user.home)) if options.json else human_text(resolved, str(user.home))
    finally:
        await user.stopService()
    print(text, file=out, flush=True)
    return OK


def human_text(resolved: Resolved, registrar: str) -> str:
    """The answer as a heading and a table, a row for each element."""
    count = len(resolved.elements)
    heading = (
        f"pool {handle_text(resolved.handle)}: {count} element{'' if count == 1 else 's'}"
        f"{' (as many as an answer holds: there may be more)' if resolved.cut else ''}, "
        f"{policy_name(resolved.policy)}, says the registrar at {registrar}"
    )
    return "\n".join([heading, *table([HEADING, *map(row, resolved.elements)])])


def json_text(resolved: Resolved, registrar: str) -> str:
    """One JSON object on one line."""
    return json.dumps(
        {
            "pool": handle_text(resolved.handle),
            "policy": {"type": resolved.policy, "name": policy_name(resolved.policy)},
            "registrar": registrar,
            **({"cut": True} if resolved.cut else {}),
            "elements": [element_json(element) for element in resolved.elements],
        }
    )
