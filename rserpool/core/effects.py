"""What a role asks its caller to do: messages and time go in, these come out.

A role never sends. A L{Driver<rserpool.node.driver.Driver>} (or a test) performs the effects in order.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeAlias

from rserpool.core.addresses import TransportAddress
from rserpool.core.frozen import frozen

Association: TypeAlias = Hashable
"""A token by which a role names an SCTP association or a TCP connection; the caller chooses it."""


@frozen
class Send:
    """Send one message over an existing association.

    @ivar message: an ASAP or ENRP message, or one that is encoded already.
    """

    association: Association
    message: Any


@frozen
class Announce:
    """Send one message to the multicast group of its protocol (RFC 5352 section 3.6, RFC 5353 section 3.1).

    @ivar channel: C{"asap"} or C{"enrp"}.
    """

    message: Any
    channel: str = "asap"


@frozen
class Connect:
    """Have an association with C{peer}; C{association_up} or C{connect_failed} follows, naming the same address.

    Where the peer has opened one already, that is the one: two endpoints have one association (RFC 9260 section 1.3).

    @ivar channel: from which of our endpoints: C{"asap"} or C{"enrp"}.
    """

    peer: TransportAddress
    channel: str = "asap"


@frozen
class StopConnecting:
    """Give up an attempt that L{Connect} started; nothing follows."""

    peer: TransportAddress


@frozen
class Probe:
    """Ask the peer now, by means of the transport, for a sign of life: an answer is late."""

    association: Association


@frozen
class Close:
    """Shut an association down gracefully."""

    association: Association


@frozen
class Abort:
    """Abort an association."""

    association: Association


@frozen
class Notify:
    """Tell the local user of the role what happened; C{event} is one of the role's own event classes."""

    event: Any


Effect: TypeAlias = Send | Announce | Connect | StopConnecting | Probe | Close | Abort | Notify
