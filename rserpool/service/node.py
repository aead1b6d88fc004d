"""Node: one role on one reactor. It decodes, calls the role, performs the effects, and keeps one timer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.base import ReactorBase
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.addresses import TransportAddress
from rserpool.effects import (
    Abort,
    Announce,
    Association,
    Close,
    Connect,
    Effect,
    Notify,
    Send,
    StopConnecting,
)
from rserpool.errors import WireError
from rserpool.sctp.base import PPID_ASAP, SctpHandler
from rserpool.sctp.interfaces import ISctpAssociation, ISctpEndpoint
from rserpool.wire import asap
from rserpool.wire.causes import cause_of, unrecognized_parameters

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

MOST_FAULTS = 100
"""An association that sends so many undecodable messages is aborted."""


class Role(Protocol):
    """What a Node runs: Registrar, PoolElement or PoolUser."""

    def association_up(
        self, association: Association, peer: TransportAddress, now: float, outbound: bool = False
    ) -> list[Effect]: ...

    def connect_failed(self, peer: TransportAddress, now: float) -> list[Effect]: ...

    def association_lost(self, association: Association, now: float) -> list[Effect]: ...

    def association_paused(self, association: Association, now: float) -> list[Effect]: ...

    def association_resumed(self, association: Association, now: float) -> list[Effect]: ...

    def receive(self, association: Association, message: Any, now: float) -> list[Effect]: ...

    def announcement(self, message: Any, source: str, now: float) -> list[Effect]: ...

    def tick(self, now: float) -> list[Effect]: ...

    def next_deadline(self) -> float | None: ...


def clock_of(reactor: Any) -> Callable[[], float]:
    """The monotonic clock that goes with a reactor: a real one counts wall-clock time, which may jump."""
    return time.monotonic if isinstance(reactor, ReactorBase) else reactor.seconds


class Node(SctpHandler):
    """Runs a role over the SCTP endpoint (and TCP connections) that its owner gives it.

    @ivar endpoint: the L{ISctpEndpoint} over which the role's associations are opened; None for TCP alone.
    @ivar connect_tcp: C{connect_tcp(peer, handler)}, for a role that speaks ASAP over TCP (RFC 5352 section 2.1).
    @ivar announce: C{announce(data)}, which multicasts a message; None where announcements are off.
    @ivar faults: how many undecodable messages came in.
    """

    _log = Logger()

    def __init__(self, reactor: Any, role: Role, notify: Callable[[Any], None]) -> None:
        self._reactor = reactor
        self._role = role
        self._notify = notify
        self._dialled: dict[TransportAddress, ISctpAssociation] = {}
        self._faults: dict[ISctpAssociation, int] = {}
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0
        self._stopped = False
        self.now = clock_of(reactor)
        self.endpoint: ISctpEndpoint | None = None
        self.connect_tcp: Callable[[TransportAddress, Node], ISctpAssociation] | None = None
        self.announce: Callable[[bytes], None] | None = None
        self.faults = 0

    def perform(self, effects: list[Effect]) -> None:
        """Do what the role asked for, in order, and re-arm the timer."""
        if self._stopped:
            return
        for effect in effects:
            if type(effect) is Send:
                message = effect.message
                association: Any = effect.association
                association.send(message if type(message) is bytes else asap.encode(message), PPID_ASAP)
            else:
                self._perform(effect)
        self._rearm()

    def stop(self) -> None:
        """Do nothing more: neither on our own nor for anybody."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        for association in list(self._dialled.values()):
            association.abort()
        self._dialled.clear()

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Notify(event):
                self._notify(event)
            case Connect(peer):
                self._connect(peer)
            case StopConnecting(peer):
                dialled = self._dialled.pop(peer, None)
                if dialled is not None:
                    dialled.abort()
            case Close(association):
                association.close()  # type: ignore[attr-defined]
            case Abort(association):
                association.abort()  # type: ignore[attr-defined]
            case Announce(message):
                if self.announce is not None:
                    self.announce(asap.encode(message))
            case _:
                raise TypeError(f"no such effect: {effect!r}")

    def _connect(self, peer: TransportAddress) -> None:
        if peer in self._dialled:
            return
        try:
            if peer.protocol == "tcp":
                if self.connect_tcp is None:
                    raise RuntimeError("this node speaks no TCP")
                self._dialled[peer] = self.connect_tcp(peer, self)
            else:
                if self.endpoint is None:
                    raise RuntimeError("this node speaks no SCTP")
                self._dialled[peer] = self.endpoint.connect(peer)
        except Exception as error:  # noqa: BLE001
            # For example an address family that this host does not have: the role tries another peer.
            self._log.warn("cannot reach {peer}: {error}", peer=str(peer), error=error)
            self._reactor.callLater(0, self._connect_failed, peer)

    def _connect_failed(self, peer: TransportAddress) -> None:
        self.perform(self._role.connect_failed(peer, self.now()))

    def _rearm(self) -> None:
        deadline = self._role.next_deadline()
        if deadline is None:
            return
        # A timer that comes too early does no harm, and moving it costs more.
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self._reactor.callLater(max(0.0, deadline - self.now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.perform(self._role.tick(self.now()))

    # ISctpHandler

    def associationUp(self, association: ISctpAssociation) -> None:
        outbound = association.outbound
        if outbound:
            if self._dialled.get(association.peer) is not association:
                association.abort()
                return
            del self._dialled[association.peer]
        self.perform(self._role.association_up(association, association.peer, self.now(), outbound))

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if ppid != PPID_ASAP:
            self._fault(association, f"a message with PPID {ppid}, where ASAP (PPID {PPID_ASAP}) is spoken")
            return
        try:
            decoded = asap.decode(data)
        except WireError as error:
            self._fault(association, str(error))
            # An error is never answered by an error.
            if error.report and data[0] != asap.Error.TYPE:
                association.send(asap.encode(asap.Error((cause_of(error),))), PPID_ASAP)
            return
        if decoded.unrecognized:
            association.send(asap.encode(asap.Error(unrecognized_parameters(decoded.unrecognized))), PPID_ASAP)
        self.perform(self._role.receive(association, decoded.message, self.now()))

    def announcementReceived(self, data: bytes, source: str) -> None:
        """A datagram came in at the multicast group."""
        try:
            decoded = asap.decode(data)
        except WireError as error:
            self._log.debug("{source} announced something that is not ASAP: {error}", source=source, error=error)
            return
        self.perform(self._role.announcement(decoded.message, source, self.now()))

    def associationPaused(self, association: ISctpAssociation) -> None:
        self.perform(self._role.association_paused(association, self.now()))

    def associationResumed(self, association: ISctpAssociation) -> None:
        self.perform(self._role.association_resumed(association, self.now()))

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        self._faults.pop(association, None)
        if association.outbound and self._dialled.get(association.peer) is association:
            del self._dialled[association.peer]
            self.perform(self._role.connect_failed(association.peer, self.now()))
        else:
            self.perform(self._role.association_lost(association, self.now()))

    def _fault(self, association: ISctpAssociation, what: str) -> None:
        self.faults += 1
        faults = self._faults[association] = self._faults.get(association, 0) + 1
        if faults == 1:
            self._log.warn("{peer} sent garbage: {what}", peer=str(association.peer), what=what)
        elif faults == MOST_FAULTS:
            self._log.warn("{peer} sent garbage {faults} times: closed", peer=str(association.peer), faults=faults)
            association.abort()
