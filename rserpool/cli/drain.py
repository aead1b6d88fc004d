"""C{rserpool drain}: an element takes no new users, and serves those that it has."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any, TextIO

from twisted.internet.task import deferLater

from rserpool.admin.client import AdminClient, AdminError, pool_path
from rserpool.cli.codes import OK
from rserpool.cli.operator import add_admin_options, add_element_arguments, client_of, in_thread
from rserpool.core.described import identifier_text
from rserpool.core.errors import UnknownPool
from rserpool.core.handles import handle_text

EVERY = 0.5
"""Seconds between two questions how many connections are left."""
LONGEST = 120.0
"""Seconds that an answer may take: the registrar may have to ask another one, and that the element."""
PATIENCE = 15.0
"""Seconds that C{--wait} goes on while nobody can tell what is left."""
HTTP_UNKNOWN = 404


def configure(parser: argparse.ArgumentParser) -> None:
    add_element_arguments(parser)
    parser.add_argument(
        "--wait", action="store_true", help="until no connection to it is left (to be interrupted at any time)"
    )
    add_admin_options(parser)


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, client: AdminClient | None = None) -> int:
    """Ask any registrar; with C{--wait}, again until nobody is served any more."""
    client = client or client_of(options)
    name = f"element {identifier_text(options.element)} of {handle_text(options.pool)}"
    told: int | None = None
    failing = 0.0
    while True:
        try:
            left = await act(reactor, client, options, "drain")
        except (AdminError, UnknownPool):
            # Once it drains its home may die: the next one that it finds goes on.
            failing = failing or reactor.seconds()
            if told is None or reactor.seconds() > failing + PATIENCE:
                raise
            await deferLater(reactor, EVERY)
            continue
        failing = 0.0
        if told is None or left != told:
            print(f"{name} drains: {_connections(left)}", file=out, flush=True)
        told = left
        if not options.wait or not left:
            return OK
        await deferLater(reactor, EVERY)


async def act(reactor: Any, client: AdminClient, options: argparse.Namespace, verb: str, **said: Any) -> Any:
    """Have something done to an element; what came of it.

    @raise AdminError: if it is refused; the text says why.
    @raise UnknownPool: if there is no such pool.
    """
    path = f"{pool_path(options.pool)}/elements/{identifier_text(options.element)}/{verb}"
    try:
        answer = await in_thread(reactor, partial(client.post, path, said, timeout=LONGEST))
    except AdminError as error:
        if error.status == HTTP_UNKNOWN:
            raise UnknownPool(options.pool, str(client.place)) from None
        raise
    return answer.get("result")


def _connections(left: int | None) -> str:
    if left is None:
        return "how many connections it has yet, it does not say"
    return f"{left or 'no'} connection{'' if left == 1 else 's'} {'is' if left == 1 else 'are'} left"
