"""This host's IP addresses, as they come and go: what an element that serves at all of them registers (RFC 5061)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rserpool.core.errors import ConfigurationError
from rserpool.core.wire.parameters import SctpTransport, UserTransport
from rserpool.node.netlink import ADDRESSES, ROOM, Netlink

WILDCARDS = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}  # noqa: S104
"""What names all addresses of a family."""

_DONE, _ERROR, _NEWADDR, _DELADDR, _GETADDR = 3, 2, 20, 21, 22
_REQUEST_DUMP = 0x1 | 0x300
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_UNUSABLE = 0x08 | 0x20 | 0x40
"""IFA_F_DADFAILED, IFA_F_DEPRECATED, IFA_F_TENTATIVE."""
_HEAD = struct.Struct("=IHHII")
_ADDRESS = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_ANYWHERE = 0
"""RT_SCOPE_UNIVERSE: not of a link, not of this host alone."""


def wildcard(hosts: tuple[str, ...]) -> bool:
    """Whether these hosts name all addresses of a family."""
    return any(host in WILDCARDS for host in hosts)


def moved(transport: UserTransport, before: tuple[str, ...], now: tuple[str, ...]) -> UserTransport:
    """A transport of ours after our addresses have changed; SCTP is at all of them if it was, the others at one."""
    if isinstance(transport, SctpTransport):
        if set(before) <= set(transport.addresses):
            return replace(transport, addresses=now)
        left = tuple(host for host in transport.addresses if host in now or host not in before)
        return replace(transport, addresses=left or now)
    address = getattr(transport, "address", None)
    if address is None or address in now or address not in before:
        return transport
    same = [host for host in now if (":" in host) == (":" in address)]
    return replace(transport, address=(same or now)[0])  # type: ignore[arg-type]


def present_hosts(hosts: tuple[str, ...]) -> tuple[str, ...]:
    """What these hosts stand for now.

    @raise ConfigurationError: if they stand for all addresses, and this system does not tell them, or has none.
    """
    if not wildcard(hosts):
        return hosts
    look = OwnAddresses(None, hosts)
    look.close()
    return look.present


class OwnAddresses(Netlink):
    """The addresses that C{hosts} stand for, and their changes.

    @ivar present: they, those that do not reach beyond this host left out.
    """

    def __init__(
        self, reactor: Any, hosts: tuple[str, ...], changed: Callable[[tuple[str, ...]], object] = lambda hosts: None
    ) -> None:
        """
        @param hosts: with C{0.0.0.0}, C{::} or both among them.
        @param changed: is called with the addresses when they have changed, between L{start} and L{stop}.
        @raise ConfigurationError: if this system does not tell them, or there are none.
        """
        super().__init__(reactor, ADDRESSES)
        self._families = {WILDCARDS[host] for host in hosts if host in WILDCARDS}
        self._others = tuple(host for host in hosts if host not in WILDCARDS)
        self._changed = changed
        self._known: dict[tuple[int, str], None] = {}
        try:
            self._socket.settimeout(5.0)
            self.missed()
            while not self._take(self._socket.recv(ROOM)):
                pass
            self._socket.setblocking(False)
        except BaseException:
            self.close()
            raise
        self.present = self._now()
        if not self.present:
            self.close()
            raise ConfigurationError(f"this host has no address that {' or '.join(hosts)} could stand for")

    def heard(self, data: bytes) -> None:
        self._take(data)

    def missed(self) -> None:
        # The answer tells all that there are.
        self._known.clear()
        length = _HEAD.size + _ADDRESS.size
        request = _HEAD.pack(length, _GETADDR, _REQUEST_DUMP, 1, 0) + _ADDRESS.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        self._socket.send(request)

    def look(self) -> None:
        present = self._now()
        if present and present != self.present:
            self.present = present
            self._changed(present)

    def _now(self) -> tuple[str, ...]:
        found = dict.fromkeys(self._others)
        for family in sorted(self._families):
            found.update(dict.fromkeys(host for _, host in self._known if (":" in host) == (family != socket.AF_INET)))
        return tuple(found)

    def _take(self, data: bytes) -> bool:
        """Take in what the kernel says.

        @return: whether that was all that was asked for.
        """
        offset = 0
        while offset + _HEAD.size <= len(data):
            length, kind, _, _, _ = _HEAD.unpack_from(data, offset)
            if kind in (_DONE, _ERROR) or length < _HEAD.size:
                return True
            if kind in (_NEWADDR, _DELADDR):
                self._address(data[offset + _HEAD.size : offset + length], there=kind == _NEWADDR)
            offset += length + 3 & ~3
        return False

    def _address(self, data: bytes, there: bool) -> None:
        family, _, flags, scope, interface = _ADDRESS.unpack_from(data)
        raw = {}
        offset = _ADDRESS.size
        while offset + _ATTRIBUTE.size <= len(data):
            length, kind = _ATTRIBUTE.unpack_from(data, offset)
            if length < _ATTRIBUTE.size:
                break
            raw[kind] = data[offset + _ATTRIBUTE.size : offset + length]
            offset += length + 3 & ~3
        if len(raw.get(_IFA_FLAGS, b"")) == 4:
            (flags,) = struct.unpack("=I", raw[_IFA_FLAGS])
        address = raw.get(_IFA_LOCAL) or raw.get(_IFA_ADDRESS)
        if (
            address is None
            or scope != _ANYWHERE
            or len(address) != {socket.AF_INET: 4, socket.AF_INET6: 16}.get(family)
        ):
            return
        key = interface, socket.inet_ntop(family, address)
        if there and not flags & _UNUSABLE:
            self._known[key] = None
        else:
            self._known.pop(key, None)
