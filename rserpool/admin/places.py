"""Where the admin interface is: a Unix socket, or a HOST:PORT."""

from __future__ import annotations

import os
from typing import TypeAlias

from rserpool.core.addresses import TransportAddress, only_this_host
from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.core.reading import parse_transport_address

LONGEST_PATH = 107
"""Bytes of the path of a Unix socket, on Linux."""


@frozen
class UnixPlace:
    """A socket in the file system; who may open it is an operator."""

    path: str

    def __str__(self) -> str:
        return self.path


@frozen
class TcpPlace:
    """A port.

    @ivar tls: whether it speaks TLS: beyond this host always.
    """

    address: TransportAddress
    tls: bool

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.address}"


Place: TypeAlias = UnixPlace | TcpPlace


def parse_place(text: str) -> Place:
    """Read C{PATH}, C{HOST:PORT} or C{https://HOST:PORT}; what has a slash and no C{://} is a path.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    scheme, mark, rest = text.strip().partition("://")
    if not mark and "/" in text:
        path = os.path.abspath(text.strip().removeprefix("unix:"))
        if len(os.fsencode(path)) > LONGEST_PATH:
            raise ConfigurationError(f"{path}: the path of a socket has {LONGEST_PATH} bytes at most")
        return UnixPlace(path)
    if mark and scheme not in ("http", "https"):
        raise ConfigurationError(f"{text!r}: expected the path of a socket, HOST:PORT or https://HOST:PORT")
    where = rest.rstrip("/") if mark else text.strip()
    address = parse_transport_address(where, default_port=0)
    if not _names_port(where) or address.encapsulation:
        raise ConfigurationError(f"{text!r}: expected the path of a socket (with a /), or HOST:PORT")
    return TcpPlace(address, scheme == "https" if mark else False)


def secured(place: TcpPlace, text: str) -> TcpPlace:
    """The same, with TLS where it can be reached from elsewhere; its hosts are IP addresses by now.

    @raise ConfigurationError: if it was asked to be without.
    """
    if only_this_host(place.address.hosts):
        return place
    if text.strip().startswith("http://"):
        raise ConfigurationError(f"{text}: beyond this host TLS is spoken alone: https://")
    return TcpPlace(place.address, True)


def _names_port(text: str) -> bool:
    return text.rpartition("]")[2].rpartition(":")[2].isdigit() and ":" in text.rpartition("]")[2]
