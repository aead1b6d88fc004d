"""What C{create_connection} and C{open_connection} have in common: they connect over TCP alone."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from rserpool.core.handles import handle_text
from rserpool.core.profiles import Profile
from rserpool.core.user.trying import Trying, Words, rules_of
from rserpool.core.wire.parameters import PoolElementParameter, TcpTransport
from rserpool.names.errors import NothingAccepts
from rserpool.names.tuples import address_infos


def where(element: PoolElementParameter) -> tuple[str, int]:
    """Where an element serves over TCP."""
    transport: Any = element.user_transport
    return transport.address, transport.port


def over_tcp(pool: bytes, elements: Sequence[PoolElementParameter]) -> list[PoolElementParameter]:
    """Those that serve over TCP.

    @raise NoSuchAddress: if none does.
    """
    address_infos(handle_text(pool), elements, type=socket.SOCK_STREAM)
    return [element for element in elements if isinstance(element.user_transport, TcpTransport)]


def trying(
    pool: bytes,
    profile: Profile,
    timeout: float,
    attempt: float | None,
    now: float,
    first: PoolElementParameter | None = None,
) -> Trying:
    """The search of one connect.

    @param attempt: seconds that one element may take to accept; T1 of the profile by default.
    @param first: an element that is tried before anybody is asked.
    """
    return Trying(pool, rules_of(profile, timeout, attempt or None), now, words=_WORDS, first=first)


def _name(element: PoolElementParameter) -> str:
    address, port = where(element)
    return f"0x{element.identifier:08x} at {address}:{port}"


_WORDS = Words(NothingAccepts, "accepts a connection", name=_name)
