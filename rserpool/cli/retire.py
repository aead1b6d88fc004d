"""C{rserpool retire}: a registrar hands its elements over to others, and ends."""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any, TextIO

from twisted.internet.task import deferLater

from rserpool.admin.client import AdminClient, AdminError
from rserpool.admin.places import parse_place
from rserpool.cli.codes import OK
from rserpool.cli.operator import add_admin_options, client_of, in_thread, nobody_there
from rserpool.core.errors import ConfigurationError

LONGEST = 3600.0
"""Seconds that it may take; it tells itself when it makes no progress."""
ENDS = 15.0
"""Seconds that its process may take to end then."""
EVERY = 0.25


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "registrar",
        metavar="REGISTRAR",
        help="its identifier, as 'rserpool registrars' shows it, to be sure that --admin names the right one; or its "
        "admin interface itself",
    )
    add_admin_options(parser)


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, client: AdminClient | None = None) -> int:
    """Have it retire, and wait until it has ended."""
    identifier = _identifier(options.registrar)
    client = client or client_of(options, None if identifier is not None else parse_place(options.registrar))
    about = await in_thread(reactor, client.about)
    if about.get("role") != "registrar":
        raise ConfigurationError(f"{client.place} is the admin interface of no registrar")
    if identifier is not None and int(about["identifier"], 16) != identifier:
        raise ConfigurationError(
            f"{client.place} is registrar {about['identifier']}, and not {options.registrar}: a registrar retires by "
            "its own admin interface alone, so name that of this one with --admin"
        )
    answer = await in_thread(reactor, partial(client.post, "/v1/retire", timeout=LONGEST))
    print(f"registrar {about['identifier']}: {answer['result']} elements are handed over", file=out, flush=True)
    print(await _ended(reactor, client, about["identifier"]), file=out)
    return OK


async def _ended(reactor: Any, client: AdminClient, identifier: str) -> str:
    for _ in range(round(ENDS / EVERY)):
        try:
            if (await in_thread(reactor, client.about)).get("identifier") != identifier:
                break
        except AdminError as error:
            if nobody_there(error):
                break
        await deferLater(reactor, EVERY)
    else:
        return "it runs yet: it is part of a program that goes on"
    return "it has ended"


def _identifier(text: str) -> int | None:
    try:
        return int(text, 16) if text.lower().startswith("0x") else None
    except ValueError:
        raise ConfigurationError(f"{text!r} is no identifier of a registrar") from None
