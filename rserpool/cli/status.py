"""C{rserpool status}: is a registrar ready, and who are its peers (RFC 5353 sections 3.2 and 3.4)?

Asks over ENRP as somebody who is no registrar: with the server identifier 0, which no registrar has.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TextIO

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from rserpool.cli.options import OK, OTHER, add_backend_option, configured
from rserpool.cli.show import table
from rserpool.core.addresses import ENRP_PORT, TransportAddress
from rserpool.core.errors import NoRegistrar, WireError
from rserpool.core.profiles import DEFAULT
from rserpool.core.reading import parse_transport_address
from rserpool.core.wire import enrp
from rserpool.node.candidates import local_hosts_towards
from rserpool.sctp.base import PPID_ENRP, REGISTRAR_ENCAPSULATION_PORTS, SctpHandler
from rserpool.sctp.interfaces import ISctpAssociation, ISctpStack
from rserpool.sctp.stack import open_stack

SUMMARY = "show whether registrars are ready, and their peers (the checksum is over each one's own elements)"


@dataclass
class Answer:
    """What one registrar said.

    @ivar ready: None while it has not said so.
    @ivar peers: the server identifiers of its peers.
    """

    address: TransportAddress
    identifier: int | None = None
    checksum: int | None = None
    ready: bool | None = None
    peers: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether it has said who it is and whether it is ready."""
        return self.identifier is not None and self.ready is not None


class _Asking(SctpHandler):
    """Asks every registrar who it is and whom it knows."""

    def __init__(self, addresses: Sequence[TransportAddress]) -> None:
        self.registrars = {address: Answer(address) for address in addresses}
        self.done: Deferred[None] = Deferred()
        self._silent = set(addresses)

    def associationUp(self, association: ISctpAssociation) -> None:
        for question in (enrp.Presence(0, 0, None, None, True), enrp.ListRequest(0, 0)):
            association.send(enrp.encode(question), PPID_ENRP)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        registrar = self.registrars[association.peer]
        try:
            message = enrp.decode(data).message
        except WireError:
            return
        match message:
            case enrp.Presence(sender=sender, checksum=checksum):
                registrar.identifier, registrar.checksum = sender, checksum
            case enrp.ListResponse(servers=servers, rejected=rejected):
                registrar.ready = not rejected
                registrar.peers = tuple(sorted(server.identifier for server in servers))
        if registrar.complete:
            self._heard(association.peer)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        self._heard(association.peer)

    def _heard(self, address: TransportAddress) -> None:
        self._silent.discard(address)
        if not self._silent and not self.done.called:
            self.done.callback(None)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "registrar",
        metavar="HOST:PORT[/UDPPORT]",
        nargs="*",
        type=configured(partial(parse_transport_address, default_port=ENRP_PORT)),
        help=f"where a registrar speaks ENRP, port {ENRP_PORT} (default: every registrar of this host)",
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=2.0, help="how long to wait for answers (2)"
    )
    add_backend_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, one object for each registrar")


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, stack: ISctpStack | None = None) -> int:
    """Ask, print, and tell by the exit code: 0 if every registrar that answered is ready, 4 if none answered."""
    named = options.registrar
    addresses = named or [TransportAddress(("127.0.0.1",), ENRP_PORT, udp) for udp in REGISTRAR_ENCAPSULATION_PORTS]
    hosts = local_hosts_towards(addresses)
    opened = stack or open_stack(reactor, backend=options.backend, profile=DEFAULT, hosts=hosts)
    asking = _Asking(addresses)
    endpoint = opened.open(0, asking, hosts, False)
    try:
        for address in addresses:
            endpoint.connect(address)
        asking.done.addTimeout(options.timeout, reactor, lambda result, seconds: None)
        await asking.done
    finally:
        endpoint.abort()
        if stack is None:
            await opened.close()
    answered = [registrar for registrar in asking.registrars.values() if registrar.identifier is not None]
    shown = list(asking.registrars.values()) if named else answered
    for line in _json(shown) if options.json else _human(shown):
        print(line, file=out)
    if not answered:
        where = ", ".join(map(str, named)) if named else "on this host"
        raise NoRegistrar(f"no registrar answered {'at ' if named else ''}{where}")
    return OK if all(registrar.ready for registrar in answered) else OTHER


def _human(registrars: Sequence[Answer]) -> list[str]:
    if not registrars:
        return []
    rows = [("REGISTRAR", "AT", "STATE", "CHECKSUM", "PEERS")]
    for one in registrars:
        state = "no answer" if one.identifier is None else "ready" if one.ready else "not ready"
        rows.append(
            (
                "-" if one.identifier is None else f"0x{one.identifier:08x}",
                str(one.address),
                state,
                "-" if one.checksum is None else f"0x{one.checksum:04x}",
                " ".join(f"0x{peer:08x}" for peer in one.peers) or "-",
            )
        )
    return table(rows)


def _json(registrars: Sequence[Answer]) -> list[str]:
    return [
        json.dumps(
            {
                "registrar": None if one.identifier is None else f"0x{one.identifier:08x}",
                "at": str(one.address),
                "ready": one.ready,
                "checksum": None if one.checksum is None else f"0x{one.checksum:04x}",
                "peers": [f"0x{peer:08x}" for peer in one.peers],
            }
        )
        for one in registrars
    ]
