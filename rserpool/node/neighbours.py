"""Which registrars there are at some addresses, and whether they know each other (RFC 5353 sections 3.2 and 3.4).

They are asked over ENRP by somebody who is no registrar: with the server identifier 0, which no registrar has.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure

from rserpool.core.addresses import ENCAPSULATION_PORT, ENRP_PORT, TransportAddress, only_this_host, scope
from rserpool.core.errors import CauseCode, ConfigurationError, WireError
from rserpool.core.wire import enrp
from rserpool.node.candidates import THIS_HOST, local_host_towards
from rserpool.node.own_addresses import present_hosts
from rserpool.sctp.base import PPID_ENRP, REGISTRAR_ENCAPSULATION_PORTS, SctpHandler
from rserpool.sctp.interfaces import ISctpAssociation, ISctpEndpoint, ISctpStack

MOST_HOSTS = 16
"""So many addresses of this host are looked at."""


@dataclass
class Answer:
    """What one registrar said.

    @ivar ready: None while it has not said so.
    @ivar peers: the server identifiers of its peers.
    @ivar tls: whether it was asked over TLS.
    @ivar why: what TLS said, if it failed.
    @ivar refused: whether it has refused to answer us, for security reasons.
    """

    address: TransportAddress
    identifier: int | None = None
    checksum: int | None = None
    ready: bool | None = None
    peers: tuple[int, ...] = ()
    refused: bool = False
    tls: bool = False
    why: str | None = None

    @property
    def complete(self) -> bool:
        """Whether it has said who it is and whether it is ready."""
        return self.identifier is not None and self.ready is not None


class Asking(SctpHandler):
    """Asks every registrar who it is and whom it knows.

    @ivar done: fires when each has answered, or will not.
    """

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
        registrar.tls = association.credentials is not None
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
            case enrp.Error(causes=causes):
                registrar.refused = any(cause.code == CauseCode.REJECTED_FOR_SECURITY for cause in causes)
        if registrar.complete or registrar.refused:
            self.heard(association.peer)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        registrar = self.registrars[association.peer]
        failure = getattr(association, "failure", None)
        if failure is not None and not registrar.complete:
            registrar.why = str(failure)
        if association.credentials is not None and not registrar.complete:
            # TLS 1.3: whoever is nobody hears so when the handshake is over at its end.
            registrar.refused = True
        self.heard(association.peer)

    def heard(self, address: TransportAddress) -> None:
        """Nothing more is to be expected from there."""
        self._silent.discard(address)
        if not self._silent and not self.done.called:
            self.done.callback(None)


async def ask(
    reactor: Any, stack: ISctpStack, addresses: Sequence[TransportAddress], timeout: float, own: tuple[str, ...] = ()
) -> list[Answer]:
    """Ask, for so many seconds at most.

    @param own: from these of our addresses; none lets each be asked from the address that the system would take.
    @return: an answer for each address, that of a silent one empty.
    """
    asking = Asking(addresses)
    endpoints: dict[tuple[str, ...], ISctpEndpoint] = {}
    try:
        for address in addresses:
            try:
                hosts = own or tuple(dict.fromkeys(local_host_towards(host) for host in address.hosts))
                if hosts not in endpoints:
                    endpoints[hosts] = stack.open(0, asking, hosts, False)
                endpoints[hosts].connect(address)
            except (CannotListenError, ConfigurationError, OSError):
                # For example an address family that this host does not have.
                asking.heard(address)
        asking.done.addTimeout(timeout, reactor, lambda result, seconds: None)
        await asking.done
    finally:
        for endpoint in endpoints.values():
            endpoint.abort()
    return list(asking.registrars.values())


def on_this_host() -> list[TransportAddress]:
    """Where registrars of this host may speak ENRP, if nobody has told them another port: 127.0.0.1 first, then
    wherever one of their UDP ports is open, then each address (for the kernel's SCTP)."""
    found = [(THIS_HOST, udp) for udp in REGISTRAR_ENCAPSULATION_PORTS]
    found += [(host, udp) for host, udp in _udp_ports() if udp in REGISTRAR_ENCAPSULATION_PORTS]
    with suppress(ConfigurationError, OSError):
        found += [(host, 0) for host in present_hosts(("0.0.0.0", "::"))[:MOST_HOSTS]]  # noqa: S104
    return [TransportAddress((host,), ENRP_PORT, udp) for host, udp in dict.fromkeys(found)]


def world(address: TransportAddress) -> str:
    """An address of loopback beside 127.0.0.1 is a world of its own: that address; all others are one, empty."""
    apart = only_this_host(address.hosts) and not {THIS_HOST, "::1"}.intersection(address.hosts)
    return address.hosts[0] if apart else ""


def beside(own: TransportAddress) -> list[TransportAddress]:
    """Where other registrars of this host may be, for one that has these addresses. An address of loopback beside
    127.0.0.1 is a world of its own."""
    apart = only_this_host(own.hosts) and THIS_HOST not in own.hosts
    families = {":" in host for host in own.hosts}
    return [
        address
        for address in on_this_host()
        for host in address.hosts
        if (":" in host) in families
        and (host in own.hosts if apart else scope(host) != "loopback" or host == THIS_HOST or host in own.hosts)
        and (address.encapsulation or ENCAPSULATION_PORT, True) != (own.encapsulation, host in own.hosts)
    ]


def _udp_ports() -> list[tuple[str, int]]:
    """The UDP ports that are open on this host, as Linux tells them; in place of all addresses that of loopback."""
    found = []
    for name, loopback in (("udp", THIS_HOST), ("udp6", "::1")):
        with suppress(OSError), open(f"/proc/net/{name}") as table:
            for line in list(table)[1:]:
                host, port = line.split()[1].split(":")
                words = struct.unpack(f">{len(host) // 8}I", bytes.fromhex(host))
                address = ip_address(struct.pack(f"={len(words)}I", *words))
                found.append((loopback if address.is_unspecified else str(address), int(port, 16)))
    return sorted(found, key=lambda place: -place[1])


def reachable(one: TransportAddress, other: TransportAddress) -> bool:
    """Whether registrars at these addresses could have an association."""
    return not {":" in host for host in one.hosts}.isdisjoint(":" in host for host in other.hosts)


def scopes(answers: Sequence[Answer]) -> list[list[Answer]]:
    """Who knows whom: registrars that know each other, also by others, stand together, in the order of C{answers}."""
    groups: list[tuple[set[int], list[Answer]]] = []
    for answer in {each.identifier: each for each in reversed(answers) if each.identifier is not None}.values():
        known, members = {answer.identifier or 0, *answer.peers}, [answer]
        for group in [group for group in groups if group[0] & known]:
            groups.remove(group)
            known |= group[0]
            members += group[1]
        groups.append((known, members))
    return sorted(
        (sorted(members, key=answers.index) for _, members in groups), key=lambda group: answers.index(group[0])
    )
