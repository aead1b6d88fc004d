"""Which link reaches an element."""

from __future__ import annotations

from rserpool.core.wire.frames import Hello
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL, PoolElementParameter, SctpTransport
from rserpool.session.links import Link, LinkOwner
from rserpool.session.sctp import SctpLink
from rserpool.session.tcp import FramedLink, PlainLink


def link_to(element: PoolElementParameter, owner: LinkOwner, hello: Hello, ppid: int) -> Link:
    """The link that reaches an element which serves over SCTP or TCP (RFC 5352 section 6.5.1, step C)."""
    transport, framing = element.user_transport, bool(element.framing)
    if isinstance(transport, SctpTransport):
        return SctpLink(owner, ppid, control=transport.use == DATA_PLUS_CONTROL, numbered=framing)
    return FramedLink(owner, hello) if framing else PlainLink(owner)
