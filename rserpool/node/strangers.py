"""Peers that send what cannot be understood: told once, closed when it goes on (RFC 5354 section 4); and how much is
looked at of what anybody may announce by multicast."""

from __future__ import annotations

from rserpool.core.admission import Rate
from rserpool.core.errors import CauseCode
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.tlv import LONGEST_INFORMATION, POOL_HANDLE, parameter, whole
from rserpool.node.loop import Carrier, Log

MOST = 100
"""An association that sends so many messages that cannot be understood is aborted."""


class Strangers:
    """Counts what they send.

    @ivar total: how many such messages came in.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._counts: dict[Carrier, int] = {}
        self.total = 0

    def came(self, carrier: Carrier, what: str) -> None:
        """One more came in."""
        self.total += 1
        count = self._counts[carrier] = self._counts.get(carrier, 0) + 1
        if count == 1:
            self._log.warn("{peer} sent garbage: {what}", peer=str(carrier.peer), what=what)
        elif count == MOST:
            self._log.warn("{peer} sent garbage {count} times: closed", peer=str(carrier.peer), count=count)
            carrier.abort()

    def too_long(self, carrier: Carrier, handle: bytes, error: ValueError) -> ErrorCause:
        """A question came with so long a pool handle that no answer can hold it; what is to be reported."""
        self.came(carrier, f"a question whose answer fits no message: {error}")
        return ErrorCause(CauseCode.INVALID_VALUES, whole(parameter(POOL_HANDLE, handle[:LONGEST_INFORMATION])))

    def forget(self, carrier: Carrier) -> None:
        """It is gone."""
        self._counts.pop(carrier, None)


LONGEST_ANNOUNCEMENT = 1500
"""Bytes: a registrar with fifty addresses announces itself with fewer."""
OF_ONE = 20
"""So many announcements a second of one machine are looked at: several registrars may share it."""
OF_ALL = 200
"""So many of all together."""


class Announcers:
    """Keeps announcements cheap: who floods the group takes no time from who is served."""

    def __init__(self, log: Log | None = None) -> None:
        self._log = log
        self._rate = Rate(OF_ONE, OF_ALL)

    def admits(self, length: int, source: str, now: float) -> bool:
        """Whether an announcement of so many bytes from the IP address C{source} is looked at."""
        if length > LONGEST_ANNOUNCEMENT:
            return False
        admitted = self._rate.admits(source, now)
        if not admitted and self._rate.refused == 1 and self._log is not None:
            self._log.warn(
                "more announcements come than {one} a second of one machine or {all} of all, {source} among them: "
                "those beyond that are not looked at",
                one=OF_ONE,
                all=OF_ALL,
                source=source,
            )
        return admitted
