"""C{rserpool undrain}: an element that drains serves again."""

from __future__ import annotations

import argparse
from typing import Any, TextIO

from rserpool.admin.client import AdminClient
from rserpool.cli.codes import OK
from rserpool.cli.drain import act
from rserpool.cli.operator import add_admin_options, add_element_arguments, client_of
from rserpool.core.described import identifier_text
from rserpool.core.handles import handle_text


def configure(parser: argparse.ArgumentParser) -> None:
    add_element_arguments(parser)
    add_admin_options(parser)


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, client: AdminClient | None = None) -> int:
    """Ask any registrar."""
    await act(reactor, client or client_of(options), options, "undrain")
    name = f"element {identifier_text(options.element)} of {handle_text(options.pool)}"
    print(f"{name} serves again", file=out)
    return OK
