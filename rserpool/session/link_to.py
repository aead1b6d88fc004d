"""Which link reaches an element."""

from __future__ import annotations

from rserpool.core.wire.frames import Hello
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL, PoolElementParameter, SctpTransport
from rserpool.session.links import Link, LinkOwner
from rserpool.session.listening import ListeningSctpLink, ListeningTcpLink, Speech
from rserpool.session.sctp import SctpLink
from rserpool.session.tcp import FramedLink


def link_to(element: PoolElementParameter, owner: LinkOwner, hello: Hello, ppid: int, speech: Speech) -> Link:
    """The link that reaches an element which serves over SCTP or TCP (RFC 5352 section 6.5.1, step C).

    @param speech: what elements speak whose registration does not say it.
    """
    transport, framing = element.user_transport, bool(element.framing)
    if isinstance(transport, SctpTransport):
        control = transport.use == DATA_PLUS_CONTROL
        heard = speech.of(element) if control and not framing else framing
        if heard is None:
            return ListeningSctpLink(owner, ppid, element, speech)
        return SctpLink(owner, ppid, control=control, numbered=heard)
    return FramedLink(owner, hello) if framing else ListeningTcpLink(owner, hello, element, speech)
