"""The ports of a secured registrar for those who speak in the clear: they learn that nothing is believed there.

Each message gets an answer with cause 0xa (RFC 5352 section 9.1.1, RFC 5353 section 6), and changes nothing. So many
answers are given, and no more; after the first one the association is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.addresses import machine
from rserpool.core.errors import CauseCode, WireError
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.refusing import refuse
from rserpool.core.wire.tlv import U32
from rserpool.sctp.base import SctpHandler
from rserpool.sctp.guests import Guests
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.security.telling import Suspects

OF_ONE = 20
"""So many answers a second one machine gets."""
OF_ALL = 200
"""So many all together."""
MOST = 100
"""So many are let in at once."""

_CAUSE = ErrorCause(CauseCode.REJECTED_FOR_SECURITY)
_ERROR = WireError("in the clear", cause=CauseCode.REJECTED_FOR_SECURITY)


def refused_asap(data: bytes) -> bytes | None:
    """What ASAP in the clear gets: the response that is due with cause 0xa, or an error; None where none is due."""
    if not data or data[0] in (asap.EndpointKeepAliveAck.TYPE, asap.Error.TYPE):
        return None
    return asap.encode(refuse(data, _ERROR) or asap.Error((_CAUSE,)))


def refused_enrp(identifier: int) -> Callable[[bytes], bytes | None]:
    """The same for ENRP.

    @param identifier: our server identifier.
    """

    def refused(data: bytes) -> bytes | None:
        if len(data) < 8 or data[0] == enrp.Error.TYPE:
            return None
        return enrp.encode(enrp.Error(identifier, U32.unpack_from(data, 4)[0], (_CAUSE,)))

    return refused


class ClearPort(SctpHandler):
    """Hears what comes in the clear.

    @param ppid: of the protocol that is refused; others get no answer.
    @param refused: makes the answer to a message; none where it returns None.
    """

    _log = Logger()

    def __init__(self, reactor: Any, ppid: int, refused: Callable[[bytes], bytes | None]) -> None:
        self.guests = Guests(reactor, "associations in the clear", MOST, MOST // 4)
        self._reactor = reactor
        self._ppid = ppid
        self._refused = refused
        self._suspects = Suspects(
            self._log,
            "{peer} speaks in the clear, and is refused: {why}",
            "{more} more messages in the clear were refused within a minute",
        )
        self._since = 0.0
        self._total = 0
        self._of_one: dict[str, int] = {}

    def associationUp(self, association: ISctpAssociation) -> None:
        host = association.peer.hosts[0]
        if association.peer.protocol == "sctp" and not self.guests.room(host):
            association.abort()
        elif association.peer.protocol == "sctp":
            self.guests.comes(association, host)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        peer, now = association.peer, self._reactor.seconds()
        self._suspects.failed(str(peer), peer.hosts[0], "this registrar is secured (--security)", now)
        answer = self._refused(data) if ppid == self._ppid else None
        if answer is None or not self._admits(association.peer.hosts[0]):
            association.abort()
            return
        association.send(answer, ppid)
        association.close()

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        self.guests.goes(association)

    def _admits(self, host: str) -> bool:
        now = self._reactor.seconds()
        if now - self._since >= 1.0:
            self._since, self._total = now, 0
            self._of_one.clear()
        where = machine(host)
        count = self._of_one[where] = self._of_one.get(where, 0) + 1
        self._total += 1
        return count <= OF_ONE and self._total <= OF_ALL
