"""Which ports of a host are open, in whatever process, as its system says: on Linux by sock_diag(7) or proc(5)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
_LISTENS, _UNCONNECTED = 10, 7
_SOCK_DIAG, _BY_FAMILY, _DUMP = 4, 20, 0x301
_ERROR, _DONE = 2, 3
_HEAD = struct.Struct("=IHHII")
_PATIENCE = 1.0
"""Seconds in which the kernel answers."""
_NET = Path("/proc/net")

Address = IPv4Address | IPv6Address


def listens(kind: str, port: int, hosts: Sequence[str]) -> bool | None:
    """Whether a process of this system has a port open at one of these addresses; None where the system does not say.

    @param kind: C{tcp}, C{udp} or C{sctp}. An SCTP port that the kernel does not know may be that of a stack in some
        process.
    """
    if kind not in _PROTOCOLS:
        return None
    try:
        bound = list(_asked(kind, port))
    except OSError:
        if (read := _read(kind, port)) is None:
            return None
        bound = read
    found = any(_reaches(address, host) for address in bound for host in hosts)
    return found or (None if kind == "sctp" else False)


def _asked(kind: str, port: int) -> Iterator[Address]:
    """Where it is open, as the kernel answers."""
    state = 1 << (_UNCONNECTED if kind == "udp" else _LISTENS)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
        kernel.settimeout(_PATIENCE)
        for family in (socket.AF_INET, socket.AF_INET6):
            wanted = struct.pack("=BBBxI48x", family, _PROTOCOLS[kind], 0, state)
            kernel.send(_HEAD.pack(_HEAD.size + len(wanted), _BY_FAMILY, _DUMP, 1, 0) + wanted)
            for answer in _answers(kernel):
                if struct.unpack_from("!H", answer, 4)[0] == port:
                    size = 4 if answer[0] == socket.AF_INET else 16
                    yield ip_address(answer[8 : 8 + size])


def _answers(kernel: socket.socket) -> Iterator[bytes]:
    while True:
        data = kernel.recv(1 << 16)
        while data:
            length, kind, *_ = _HEAD.unpack_from(data)
            if kind == _DONE:
                return
            if kind == _ERROR:
                raise OSError("the kernel does not say")
            yield data[_HEAD.size : length]
            data = data[(length + 3) & ~3 :]


def _read(kind: str, port: int) -> list[Address] | None:
    """Where it is open, as the files say; None if there are none."""
    found, said = [], False
    state = f"{_UNCONNECTED if kind == 'udp' else _LISTENS:02X}"
    for family in ("", "6"):
        with suppress(OSError):
            lines = (_NET / f"{kind}{family}").read_text("ascii").splitlines()[1:]
            said = True
            for local, _, now, *_ in (line.split()[1:] for line in lines):
                if now == state and local.endswith(f":{port:04X}"):
                    found.append(_parsed(local.partition(":")[0]))
    return found if said else None


def _parsed(text: str) -> Address:
    # Words in the byte order of the host.
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    return ip_address(b"".join(struct.pack("=I", word) for word in words))


def _reaches(bound: Address, host: str) -> bool:
    # A link-local address may have an interface; the system lists it without.
    wanted = ip_address(host.partition("%")[0])
    if isinstance(bound, IPv6Address):
        # At all IPv6 addresses is at all IPv4 addresses, too.
        return int(bound) == 0 or wanted in (bound, bound.ipv4_mapped)
    return bound == wanted or (int(bound) == 0 and wanted.version == 4)
