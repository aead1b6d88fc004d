"""Pool elements as the tuples that C{socket.getaddrinfo} returns."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TypeAlias

from rserpool.core.wire.parameters import PoolElementParameter, SctpTransport, TcpTransport, UdpTransport
from rserpool.names.errors import NO_DATA, NoSuchAddress

SocketAddress: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
AddressInfo: TypeAlias = tuple[socket.AddressFamily, socket.SocketKind, int, str, SocketAddress]
"""C{(family, type, proto, canonname, sockaddr)}, for C{socket.socket(family, type, proto)} and C{connect(sockaddr)}."""

IPPROTO_SCTP = 132


def address_infos(
    pool: str,
    elements: Sequence[PoolElementParameter],
    *,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[AddressInfo]:
    """The addresses of elements, in their order, an element with several having them one after the other.

    @param family: C{AF_INET} or C{AF_INET6}; 0 for both.
    @param type: C{SOCK_STREAM} for elements that serve over TCP, C{SOCK_DGRAM} for UDP; 0 for both.
    @param proto: C{IPPROTO_TCP}, C{IPPROTO_UDP}; C{IPPROTO_SCTP} for elements that serve over SCTP without UDP
        encapsulation, which are left out otherwise, as C{socket.getaddrinfo} does it; 0 for those of the type.
    @param flags: with C{AI_CANONNAME} the first tuple has the pool's name.
    @raise NoSuchAddress: if none is left.
    """
    found: list[AddressInfo] = []
    for element in elements:
        for its_family, kind, protocol, host, port in _sockets(element):
            if family not in (0, its_family) or type not in (0, kind) or proto not in (0, protocol):
                continue
            if protocol == IPPROTO_SCTP and proto != IPPROTO_SCTP:
                continue
            name = pool if flags & socket.AI_CANONNAME and not found else ""
            where: SocketAddress = (host, port) if its_family == socket.AF_INET else (host, port, 0, 0)
            found.append((its_family, kind, protocol, name, where))
    if not found:
        count = len(elements)
        raise NoSuchAddress(
            NO_DATA,
            f"pool {pool!r} has {count} element{'' if count == 1 else 's'}, "
            f"and none with an address of the kind that was asked for",
        )
    return found


def _sockets(element: PoolElementParameter) -> list[tuple[socket.AddressFamily, socket.SocketKind, int, str, int]]:
    match element.user_transport:
        case TcpTransport(port=port, address=address):
            kind, protocol, hosts = socket.SOCK_STREAM, socket.IPPROTO_TCP, (address,)
        case UdpTransport(port=port, address=address):
            kind, protocol, hosts = socket.SOCK_DGRAM, socket.IPPROTO_UDP, (address,)
        case SctpTransport(port=port, addresses=addresses) if not element.encapsulation:
            return [(_family(host), socket.SOCK_STREAM, IPPROTO_SCTP, host, port) for host in addresses]
        case _:
            return []
    return [(_family(host), kind, int(protocol), host, port) for host in hosts]


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
