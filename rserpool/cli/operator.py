"""What the commands of operators have in common: which admin interface they ask, and as whom."""

from __future__ import annotations

import argparse
import os
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.threads import deferToThreadPool

from rserpool.admin.client import AdminClient, AdminError
from rserpool.admin.places import Place, TcpPlace, parse_place
from rserpool.cli.options import add_security_option, configured, security_from
from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import between, handle
from rserpool.security.files import read_secret
from rserpool.security.settings import Security

ADMIN = "RSERPOOL_ADMIN"
"""The environment variable with the admin interface that is asked where no option names one."""
TOKEN = "RSERPOOL_ADMIN_TOKEN"  # noqa: S105
"""The environment variable with the path of the file of the token."""

T = TypeVar("T")


def add_admin_options(parser: argparse.ArgumentParser, needed: bool = True, otherwise: str = "ENRP is spoken") -> None:
    """Which interface is asked, and by what one proves to be an operator there.

    @param otherwise: what happens where none is named, and none is needed.
    """
    default = ADMIN if needed else f"{ADMIN}, else {otherwise}"
    parser.add_argument(
        "--admin",
        metavar="PLACE",
        type=configured(parse_place),
        help=f"a registrar's admin interface: the path of its socket, or [https://]HOST:PORT (default: {default})",
    )
    parser.add_argument(
        "--admin-token", metavar="FILE", help=f"with the token of an operator, for a HOST:PORT (default: {TOKEN})"
    )
    add_security_option(parser)


def add_element_arguments(parser: argparse.ArgumentParser) -> None:
    """Which element is meant."""
    parser.add_argument("pool", metavar="POOL", type=configured(handle), help="the pool's name (its handle)")
    parser.add_argument(
        "element",
        metavar="ELEMENT",
        type=configured(between(1, 2**32 - 1)),
        help="its identifier, as 'rserpool elements' shows it: 0x1234abcd",
    )


def place_of(options: argparse.Namespace) -> Place | None:
    """The interface that is meant; None if none is named.

    @raise ConfigurationError: if the environment names none that can be.
    """
    if options.admin is not None:
        return options.admin  # type: ignore[no-any-return]
    named = os.environ.get(ADMIN)
    if not named:
        return None
    try:
        return parse_place(named)
    except ConfigurationError as error:
        raise ConfigurationError(f"{ADMIN}: {error}") from None


def client_of(options: argparse.Namespace, place: Place | None = None) -> AdminClient:
    """What asks the interface.

    @raise ConfigurationError: if none is named, or what is to prove who asks cannot be used.
    """
    place = place or place_of(options)
    if place is None:
        raise ConfigurationError(
            f"name the admin interface of a registrar with --admin (or in {ADMIN}): that one that it was started with,"
            " such as twistd -n rserpool-ns --admin /run/rserpool/registrar.sock"
        )
    token, file = "", options.admin_token or os.environ.get(TOKEN)
    if file and isinstance(place, TcpPlace):
        token = read_secret(Path(file)).strip().decode("ascii", "replace")
    tls = None
    if isinstance(place, TcpPlace) and place.tls:
        secured = security_from(options)
        tls = None if secured is None else _context(secured.current)
    return AdminClient(place, token=token, tls=tls)


async def in_thread(reactor: Any, function: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Ask beside the reactor."""
    asked: Any = deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments, **options)
    answer: T = await asked
    return answer


def nobody_there(error: AdminError) -> bool:
    """Whether nobody answers there any more."""
    return not error.status


def _context(security: Security) -> ssl.SSLContext:
    """Who issues certificates of registrars is believed, and our own certificate shown."""
    context = ssl.create_default_context(cadata=security.server_ca.decode("ascii") if security.server_ca else None)
    own = security.certificate
    if own is not None:
        with tempfile.NamedTemporaryFile() as file:  # readable for us alone
            file.write(own.chain + b"\n" + own.private_key)
            file.flush()
            context.load_cert_chain(file.name)
    return context
