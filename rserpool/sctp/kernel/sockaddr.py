"""Socket addresses as the kernel's SCTP options have them (RFC 6458 section 8, RFC 3493)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable

_FAMILY = struct.Struct("=H")
_IPV4 = struct.Struct("!2xH4s8x")
_IPV6 = struct.Struct("!2xHI16s")
_SIZE = {socket.AF_INET: 16, socket.AF_INET6: 28}
STORAGE = 128
"""Bytes of a C{struct sockaddr_storage}."""


def pack(host: str, port: int) -> bytes:
    """An address as bytes.

    @raise OSError: if C{host} is no IP address, or its interface does not exist.
    """
    host, _, interface = host.partition("%")
    if ":" not in host:
        return _FAMILY.pack(socket.AF_INET) + _IPV4.pack(port, socket.inet_pton(socket.AF_INET, host))[2:]
    scope = 0
    if interface:
        scope = int(interface) if interface.isdigit() else socket.if_nametoindex(interface)
    address = _IPV6.pack(port, 0, socket.inet_pton(socket.AF_INET6, host))
    return _FAMILY.pack(socket.AF_INET6) + address[2:] + struct.pack("=I", scope)


def pack_all(hosts: Iterable[str], port: int) -> bytes:
    """Addresses one after another, as bindx and connectx take them."""
    return b"".join(pack(host, port) for host in hosts)


def host_and_port(data: bytes, offset: int = 0) -> tuple[str, int] | None:
    """Read one address; C{None} if it is of no family that we know.

    @raise struct.error: if it is cut short.
    """
    (family,) = _FAMILY.unpack_from(data, offset)
    if family == socket.AF_INET:
        port, raw = _IPV4.unpack_from(data, offset)
        return socket.inet_ntop(family, raw), port
    if family != socket.AF_INET6:
        return None
    port, _, raw = _IPV6.unpack_from(data, offset)
    (scope,) = struct.unpack_from("=I", data, offset + _IPV6.size)
    if raw[:12] == b"\0" * 10 + b"\xff\xff":
        return socket.inet_ntop(socket.AF_INET, raw[12:]), port
    host = socket.inet_ntop(family, raw)
    if scope and raw[0] == 0xFE and raw[1] & 0xC0 == 0x80:
        try:
            host += f"%{socket.if_indextoname(scope)}"
        except OSError:
            host += f"%{scope}"
    return host, port


def unpack_all(data: bytes, count: int) -> list[tuple[str, int]]:
    """Read so many addresses that stand one after another, or as many as make sense."""
    found: list[tuple[str, int]] = []
    offset = 0
    try:
        for _ in range(count):
            address = host_and_port(data, offset)
            if address is None:
                break
            found.append(address)
            offset += _SIZE[_FAMILY.unpack_from(data, offset)[0]]
    except struct.error:
        pass
    return found
