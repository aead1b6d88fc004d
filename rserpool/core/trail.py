"""The audit trail of a secured scope: who registered, changed, removed, claimed, or was refused, as events."""

from __future__ import annotations

from enum import Enum

from rserpool.core.access import Standing
from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import Effect, Notify
from rserpool.core.frozen import frozen
from rserpool.core.handles import handle_text


class Act(Enum):
    """What somebody did. The value: in words."""

    REGISTERED = "registered"
    CHANGED = "changed"
    REMOVED = "removed"
    CLAIMED = "claimed"
    REFUSED = "refused"
    DRAINS = "drains"
    SERVES = "lets serve again"
    EVICTED = "evicted"
    RETIRED = "retires"


@frozen
class Acted:
    """In a secured scope: who did what, or was refused.

    @ivar identity: what it has proved to be, in words.
    @ivar address: from where; None if it is not known, or if it was this registrar itself.
    @ivar about: what it is about: a pool and a PE identifier, a registrar.
    @ivar why: the reason, where there is one.
    """

    act: Act
    identity: str
    address: TransportAddress | None
    about: str
    why: str = ""


def trail(
    act: Act, standing: Standing, address: TransportAddress | None, handle: bytes, identifier: int = 0, why: str = ""
) -> list[Effect]:
    """An L{Acted} about a pool, or an element in it, in a secured scope; nothing in a plain one."""
    if not standing.secured:
        return []
    about = f"{handle_text(handle)} 0x{identifier:08x}" if identifier else handle_text(handle)
    return [Notify(Acted(act, str(standing), address, about, why))]
