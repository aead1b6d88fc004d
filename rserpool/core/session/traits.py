"""What the transport to an element can do for a session (RFC 5354 sections 3.4 and 3.5)."""

from __future__ import annotations

from rserpool.core.frozen import frozen


@frozen
class Traits:
    """What the connection to an element can do.

    @ivar control: it has a control channel (cookies, business cards).
    @ivar numbered: requests and answers carry numbers: both ends are ours.
    @ivar messages: it keeps the boundaries of messages.
    """

    control: bool
    numbered: bool
    messages: bool
