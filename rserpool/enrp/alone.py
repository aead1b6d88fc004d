"""A registrar that is alone in its operational scope: what it answers to others (RFC 5353 sections 3.2 and 3.4).

It has no peers (section 3.2.2.1: without a mentor a registrar is alone, and offers its services at once), shares no
handlespace, and says so: it presents itself, and rejects requests for its peer list and its handle table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rserpool.errors import CauseCode
from rserpool.wire import enrp
from rserpool.wire.parameters import ErrorCause, ServerInformation


class Alone:
    """Answers ENRP messages for a registrar without peers.

    @param information: who and where this registrar is.
    @param checksum: gives its PE checksum (section 3.6.2).
    """

    def __init__(self, information: ServerInformation, checksum: Callable[[], int]) -> None:
        self._information = information
        self._checksum = checksum

    def answer(self, message: Any) -> enrp.Message | None:
        """The answer to a message, or None."""
        own = self._information.identifier
        peer = message.sender
        match message:
            case enrp.Presence(reply_required=True):
                return enrp.Presence(own, peer, self._checksum(), self._information)
            case enrp.ListRequest():
                return enrp.ListResponse(own, peer, rejected=True)
            case enrp.HandleTableRequest():
                return enrp.HandleTableResponse(own, peer, rejected=True)
            case enrp.HandleUpdate():
                return enrp.Error(own, peer, (ErrorCause(CauseCode.LACK_OF_RESOURCES),))
            case _:
                return None
