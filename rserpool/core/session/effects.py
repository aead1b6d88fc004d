"""What a session asks its caller to do, and tells its application (RFC 5352 sections 3.8, 3.9 and 6).

To resolve the pool, and to report an element, it asks in the words of L{rserpool.core.user.trying}.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeAlias

from rserpool.core.errors import RequestFailed, SessionEnded
from rserpool.core.frozen import frozen
from rserpool.core.session.retired import Retired
from rserpool.core.user.trying import Ask, Report
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import PoolElementParameter


@frozen
class Dial:
    """Connect to this element; C{connected} or C{failed} follows."""

    element: PoolElementParameter
    resumed: bool
    """Whether a cookie will be echoed."""


@frozen
class HangUp:
    """Abort the connection or the attempt; nothing more may come from it."""


@frozen
class SayGoodbye:
    """Close the connection gracefully; nothing more may come from it."""


@frozen
class Retire:
    """The element leaves the pool: keep the connection for its answers, and send nothing more over it."""

    retired: Retired


@frozen
class Release:
    """Nothing is expected of it any more: close that connection."""

    retired: Retired


@frozen
class ProbeLink:
    """An answer is late: ask the transport whether the element is still there."""


@frozen
class SendControl:
    """Send an ASAP message on the control channel."""

    message: asap.CookieEcho | asap.BusinessCard


@frozen
class SendData:
    """Send a message of the application."""

    data: bytes


@frozen
class SendRequest:
    """Send a request; without numbers on this transport, as a message of the application."""

    number: int
    data: bytes
    repeated: bool


@frozen
class Deliver:
    """A message for the application."""

    data: bytes


@frozen
class Answered:
    """The answer to a request."""

    token: Hashable
    data: bytes


@frozen
class Unanswered:
    """A request failed."""

    token: Hashable
    error: RequestFailed


@frozen
class Served:
    """The session is at an element; C{old} is the one that served it before, None at the beginning."""

    old: PoolElementParameter | None
    new: PoolElementParameter


@frozen
class Over:
    """The session is over; C{error} is None if the application closed it."""

    error: SessionEnded | None


@frozen
class Notice:
    """Something that the person who runs this should know, in one sentence."""

    text: str


SessionEffect: TypeAlias = (
    Ask
    | Dial
    | HangUp
    | SayGoodbye
    | Retire
    | Release
    | Report
    | ProbeLink
    | SendControl
    | SendData
    | SendRequest
    | Deliver
    | Answered
    | Unanswered
    | Served
    | Over
    | Notice
)
