"""What a role asks its caller to do: messages and time go in, these come out.

A role never sends. A L{Driver<rserpool.node.driver.Driver>} (or a test) performs the effects in order.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, TypeAlias

from rserpool.core.addresses import TransportAddress
from rserpool.core.quick import quick

Association: TypeAlias = Hashable
"""A token by which a role names an SCTP association or a TCP connection; the caller chooses it."""


@quick
@dataclass(frozen=True, slots=True)
class Send:
    """Send one message over an existing association.

    @ivar message: an ASAP or ENRP message, or one that is encoded already.
    """

    association: Association
    message: Any


@dataclass(frozen=True, slots=True)
class Announce:
    """Send one message to the multicast group of its protocol (RFC 5352 section 3.6, RFC 5353 section 3.1).

    @ivar channel: C{"asap"} or C{"enrp"}.
    """

    message: Any
    channel: str = "asap"


@dataclass(frozen=True, slots=True)
class Connect:
    """Have an association with C{peer}; C{association_up} or C{connect_failed} follows, naming the same address.

    Where the peer has opened one already, that is the one: two endpoints have one association (RFC 9260 section 1.3).

    @ivar channel: from which of our endpoints: C{"asap"} or C{"enrp"}.
    """

    peer: TransportAddress
    channel: str = "asap"


@dataclass(frozen=True, slots=True)
class StopConnecting:
    """Give up an attempt that L{Connect} started; nothing follows."""

    peer: TransportAddress


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask the peer now, by means of the transport, for a sign of life: an answer is late."""

    association: Association


@dataclass(frozen=True, slots=True)
class Close:
    """Shut an association down gracefully."""

    association: Association


@dataclass(frozen=True, slots=True)
class Abort:
    """Abort an association."""

    association: Association


@quick
@dataclass(frozen=True, slots=True)
class Notify:
    """Tell the local user of the role what happened; C{event} is one of the role's own event classes."""

    event: Any


Effect: TypeAlias = Send | Announce | Connect | StopConnecting | Probe | Close | Abort | Notify
