"""What the endpoints of all backends share: their handler, how they dial, how they end (RFC 9260 section 9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.base import tell
from rserpool.sctp.interfaces import ISctpHandler
from rserpool.sctp.log import LimitedLog
from rserpool.sctp.outgoing import Outgoing

A = TypeVar("A")
"""The associations of a backend."""


class SctpEndpoint(Generic[A]):
    """See L{ISctpEndpoint<rserpool.sctp.interfaces.ISctpEndpoint>}; a backend supplies the port and the associations.

    @ivar present: its associations, set-ups included.
    @ivar message_received: the handler's C{messageReceived}.
    @ivar outgoing: what waits to be sent.
    @ivar log: for what peers do wrong.
    """

    _log = Logger()

    def __init__(self, reactor: Any, port: int, handler: ISctpHandler, hosts: tuple[str, ...]) -> None:
        self.reactor = reactor
        self.log = LimitedLog(self._log, reactor.seconds)
        self.port = port
        self.handler = handler
        self.outgoing = Outgoing()
        self.message_received: Callable[..., Any] = handler.messageReceived
        self.hosts = hosts
        self.present: dict[A, None] = {}
        self._closing = False
        self._stopping: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<SCTP endpoint {','.join(self.hosts)}:{self.port}>"

    # What users call.

    @property
    def associations(self) -> int:
        return len(self.present)

    def connect(self, peer: TransportAddress) -> A:
        association: Any = self._outbound(peer)
        if self._closing:
            association.abort()
        elif (failure := self._dial(association)) is not None:
            self.later(association.lose, failure)
        return association  # type: ignore[no-any-return]

    def acceptNoMore(self) -> None:
        """Refuse new associations; those that are up already are told of during this call, and stay."""
        if not self._closing:
            self._accept_no_more()
            self._read_waiting()

    def stopListening(self) -> Deferred[None]:
        if not self._closing:
            self._closing = True
            self._accept_no_more()
            association: Any
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
        self._closing = True
        association: Any
        for association in list(self.present):
            association.abort()
        self._free()

    # What associations call.

    def tell(self, method: str, *arguments: object) -> None:
        """Call the handler."""
        tell(self.log, getattr(self.handler, method), *arguments)

    def later(self, call: Callable[..., object], *arguments: object) -> None:
        """Call this once the present call has returned."""
        self.reactor.callLater(0, call, *arguments)

    def waits(self, association: A, waiting: bool) -> None:
        """Whether an association wants C{flush} to be called once the stack has room."""

    def gone(self, association: A) -> None:
        """The handler has been told that the association is lost."""
        self.present.pop(association, None)
        if self._closing and not self.present:
            self._free()

    def _free(self) -> None:
        """Free the port; once nothing is left, tell all who wait for that."""
        self._close()
        if not self.present:
            stopping, self._stopping = self._stopping, []
            for done in stopping:
                done.callback(None)

    # What a backend supplies.

    def _outbound(self, peer: TransportAddress) -> A:
        """An association that we open."""
        raise NotImplementedError

    def _dial(self, association: A) -> Exception | None:
        """Begin its set-up.

        @return: why that is not possible.
        """
        raise NotImplementedError

    def _accept_no_more(self) -> None:
        """Refuse new associations."""
        raise NotImplementedError

    def _read_waiting(self) -> None:
        """Read what the system has for us, where it may have something."""

    def _close(self) -> None:
        """Free the port, unless that is done."""
        raise NotImplementedError
