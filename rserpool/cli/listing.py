"""Where C{rserpool pools}, C{elements} and C{registrars} know it from: an admin interface, or ENRP's handle table."""

from __future__ import annotations

import argparse
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TextIO, TypeAlias, TypeVar

from rserpool.admin.client import AdminClient, AdminError
from rserpool.cli.fitting import fitted
from rserpool.cli.operator import add_admin_options, client_of, in_thread, place_of
from rserpool.cli.options import add_backend_option, configured, number, security_from
from rserpool.cli.show import table
from rserpool.core.addresses import ASAP_PORT, ENRP_PORT, TransportAddress, over_tls
from rserpool.core.choices import REGISTRARS
from rserpool.core.described import element_json, identifier_text, policy_name
from rserpool.core.errors import NoRegistrar, UnknownPool
from rserpool.core.handles import handle_text
from rserpool.core.profiles import DEFAULT
from rserpool.core.reading import parse_transport_address
from rserpool.node import tables
from rserpool.node.candidates import local_hosts_towards, named_registrars
from rserpool.node.neighbours import on_this_host
from rserpool.node.securing import tls_of
from rserpool.sctp.base import PPID_ENRP
from rserpool.sctp.interfaces import ISctpStack
from rserpool.sctp.lookup import each_place
from rserpool.sctp.stack import open_stack

Described: TypeAlias = dict[str, Any]
"""As the admin interface describes it."""
T = TypeVar("T")
WIDTH = 80
"""Columns of a table where it goes to no terminal, and at least."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Whom to ask."""
    add_admin_options(parser, needed=False)
    parser.add_argument(
        "--registrar",
        metavar="HOST:PORT[/UDPPORT]",
        action="append",
        default=[],
        type=configured(partial(parse_transport_address, default_port=ENRP_PORT)),
        help=f"where a registrar speaks ENRP, port {ENRP_PORT}; may be repeated "
        f"(default: those of {REGISTRARS}, else of this host)",
    )
    add_backend_option(parser)
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=number(float), default=5.0, help="how long to wait for an answer (5)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, an object a line")


class Source(Protocol):
    """Who knows.

    @ivar says: who that is, in words.
    """

    says: str

    async def pools(self) -> list[Described]:
        """The pools."""

    async def elements(self, handle: bytes) -> list[Described]:
        """The elements of a pool.

        @raise UnknownPool: if there is no such pool.
        """

    async def registrars(self) -> list[Described]:
        """The registrars."""

    async def draining(self) -> list[Described]:
        """The elements that drain, as far as that is known there; and those that are evicted."""


class Interface:
    """An admin interface."""

    def __init__(self, reactor: Any, client: AdminClient) -> None:
        self._reactor = reactor
        self._client = client
        self.says = f"the admin interface {client.place}"

    async def pools(self) -> list[Described]:
        return await self._ask(lambda: list(self._client.pools()))

    async def elements(self, handle: bytes) -> list[Described]:
        try:
            return await self._ask(lambda: list(self._client.elements(handle)))
        except AdminError as error:
            if error.status == 404:
                raise UnknownPool(handle) from None
            raise

    async def registrars(self) -> list[Described]:
        return await self._ask(self._client.registrars)

    async def draining(self) -> list[Described]:
        draining = await self._ask(partial(self._client.get, "/v1/draining"))
        evicted = await self._ask(partial(self._client.get, "/v1/evicted"))
        found = [each | {"draining": True} for each in draining["elements"]]
        return [*found, *(each | {"evicted": True} for each in evicted["elements"])]

    async def _ask(self, question: Callable[[], T]) -> T:
        return await in_thread(self._reactor, question)


class HandleTable:
    """What a registrar has told over ENRP."""

    def __init__(self, told: tables.Table) -> None:
        self._told = told
        self.says = f"the registrar {identifier_text(told.identifier)} at {told.address}"

    async def pools(self) -> list[Described]:
        return [
            {
                "pool": handle_text(handle),
                "handle": handle.hex(),
                "policy": policy_name(next(iter(elements.values())).policy.type),
                "elements": len(elements),
                "homes": dict(Counter(identifier_text(element.home) for element in elements.values())),
            }
            for handle, elements in self._told.pools.items()
            if elements
        ]

    async def elements(self, handle: bytes) -> list[Described]:
        found = self._told.pools.get(handle)
        if found is None:
            raise UnknownPool(handle, str(self._told.address))
        return [element_json(element) | {"pool": handle_text(handle)} for element in found.values()]

    async def registrars(self) -> list[Described]:
        told = self._told
        count = Counter(element.home for pool in told.pools.values() for element in pool.values())
        others = [
            {
                "identifier": identifier_text(peer.identifier),
                "own": False,
                "state": "known",
                "address": str(
                    TransportAddress(peer.transport.addresses, peer.transport.port or ENRP_PORT, peer.encapsulation)
                ),
                "elements": count[peer.identifier],
                "checksum": None,
            }
            for peer in told.peers or ()
            if peer.identifier != told.identifier
        ]
        own = {
            "identifier": identifier_text(told.identifier),
            "own": True,
            "state": "ready",
            "address": str(told.address),
            "elements": count[told.identifier],
            "checksum": None if told.checksum is None else f"0x{told.checksum:04x}",
            "peers": [each["identifier"] for each in others] if told.peers is not None else None,
        }
        return [own, *others]

    async def draining(self) -> list[Described]:
        return []


async def source(reactor: Any, options: argparse.Namespace, stack: ISctpStack | None = None) -> Source:
    """Who knows, by these options.

    @raise NoRegistrar: if no registrar tells over ENRP.
    """
    if not options.registrar and place_of(options) is not None:
        return Interface(reactor, client_of(options))
    secured = security_from(options)
    named = [enrp_place(one) for one in options.registrar or named_registrars()]
    named = [one for address in named for one in await each_place(reactor, address)]
    addresses = named or on_this_host()
    if secured is not None:
        addresses = list(dict.fromkeys(map(over_tls, addresses)))
    hosts = local_hosts_towards(addresses)
    opened = stack or open_stack(reactor, backend=options.backend, profile=DEFAULT, hosts=hosts)
    try:
        speaking = opened if secured is None else tls_of(secured, "client", PPID_ENRP).stack(reactor, opened, False)
        told, why = await tables.ask(reactor, speaking, addresses, options.timeout)
    finally:
        if stack is None:
            await opened.close()
    if told is None:
        where = f"at {', '.join(map(str, addresses))}" if named else "on this host"
        heard = "".join(f"; {address}: {reason}" for address, reason in why.items())
        raise NoRegistrar(f"no registrar told what it has {where}{heard}")
    return HandleTable(told)


def enrp_place(address: TransportAddress) -> TransportAddress:
    """Who names its port for ASAP means the registrar."""
    return replace(address, port=ENRP_PORT) if address.port == ASAP_PORT else address


def show(rows: Sequence[Sequence[str]], out: TextIO) -> None:
    """A table with a heading, no wider than the terminal, or than L{WIDTH}: what is too long is made shorter."""
    width = max(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns) if out.isatty() else WIDTH
    for line in table(fitted(rows, width)):
        print(line, file=out)
