"""How an endpoint of a real stack ends: gracefully, or at once (RFC 9260 section 9)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed


class Ending:
    """The end of an endpoint, and of its associations.

    @ivar present: its associations, set-ups included.
    """

    present: dict[Any, None]

    def __init__(self) -> None:
        self._closing = False
        self._stopping: list[Deferred[None]] = []

    def stopListening(self) -> Deferred[None]:
        """See L{ISctpEndpoint<rserpool.sctp.interfaces.ISctpEndpoint>}."""
        if not self._closing:
            self._closing = True
            self._accept_no_more()
            for association in list(self.present):
                if association.established:
                    association.close()
                else:
                    association.abort()
        if not self.present:
            self._free()
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._stopping.append(done)
        return done

    def abort(self) -> None:
        """See L{ISctpEndpoint<rserpool.sctp.interfaces.ISctpEndpoint>}."""
        self._closing = True
        for association in list(self.present):
            association.abort()
        self._free()

    def _stopped(self) -> None:
        """Nothing is left: tell all who wait for that."""
        stopping, self._stopping = self._stopping, []
        for done in stopping:
            done.callback(None)

    def _accept_no_more(self) -> None:
        """Refuse new associations."""
        raise NotImplementedError

    def _free(self) -> None:
        """Free the port, as far as that is possible yet."""
        raise NotImplementedError
