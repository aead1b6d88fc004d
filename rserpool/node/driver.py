"""Node: one role on one reactor. It decodes, calls the role, performs the effects, and keeps one timer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.base import ReactorBase
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import (
    Abort,
    Announce,
    Association,
    Close,
    Connect,
    Effect,
    Notify,
    Probe,
    Send,
    StopConnecting,
)
from rserpool.core.errors import CauseCode, WireError
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.causes import ErrorCause, cause_of, unrecognized_parameters
from rserpool.node.paths import Paths
from rserpool.node.strangers import Garbled
from rserpool.sctp.base import PPID_ASAP, SctpHandler
from rserpool.sctp.interfaces import ISctpAssociation, ISctpEndpoint

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall


class Face(Protocol):
    """What a role shows to those who speak one protocol with it."""

    def association_up(
        self, association: Association, peer: TransportAddress, now: float, outbound: bool = False
    ) -> list[Effect]: ...

    def connect_failed(self, peer: TransportAddress, now: float) -> list[Effect]: ...

    def association_lost(self, association: Association, now: float) -> list[Effect]: ...

    def association_paused(self, association: Association, now: float) -> list[Effect]: ...

    def association_resumed(self, association: Association, now: float) -> list[Effect]: ...

    def receive(self, association: Association, message: Any, now: float) -> list[Effect]: ...

    def announcement(self, message: Any, source: str, now: float) -> list[Effect]: ...


class Role(Face, Protocol):
    """What a Node runs: Registrar, PoolElement or PoolUser."""

    def tick(self, now: float) -> list[Effect]: ...

    def next_deadline(self) -> float | None: ...


def clock_of(reactor: Any) -> Callable[[], float]:
    """The monotonic clock that goes with a reactor: a real one counts wall-clock time, which may jump."""
    return time.monotonic if isinstance(reactor, ReactorBase) else reactor.seconds


class Channel(SctpHandler):
    """One protocol of a Node over one SCTP endpoint (and TCP connections): decodes, and tells the role.

    @ivar endpoint: the L{ISctpEndpoint} over which associations are opened; None for TCP alone.
    @ivar connect_tcp: C{connect_tcp(peer, handler)}, for a role that speaks ASAP over TCP (RFC 5352 section 2.1).
    @ivar announce: C{announce(data)}, which multicasts a message; None where announcements are off.
    @ivar garbled: who sends what cannot be understood.
    @ivar addresses_changed: what hears that a peer's addresses are not those that it came with; None for nothing.
    """

    _log = Logger()

    def __init__(self, node: Node, face: Face, codec: Any, ppid: int) -> None:
        self.node = node
        self.face = face
        self.codec = codec
        self.ppid = ppid
        self.endpoint: ISctpEndpoint | None = None
        self.connect_tcp: Callable[[TransportAddress, Channel], ISctpAssociation] | None = None
        self.garbled = Garbled(self._log)
        self.announce: Callable[[bytes], None] | None = None
        self.addresses_changed: Callable[[Association, tuple[str, ...], float], list[Effect]] | None = None
        self._dialled: dict[TransportAddress, ISctpAssociation] = {}
        self._given_up: set[ISctpAssociation] = set()

    def send(self, association: ISctpAssociation, message: Any) -> None:
        """Send a message, or one that is encoded already."""
        association.send(message if type(message) is bytes else self.codec.encode(message), self.ppid)

    def connect(self, peer: TransportAddress) -> None:
        """Open an association; the role hears how that went, after this call."""
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
            self.node.reactor.callLater(0, self._connect_failed, peer)

    def does_not_fit(self, association: ISctpAssociation, error: ValueError) -> None:
        """A message cannot be encoded: the peer asked with a pool handle so long that no answer can hold it."""
        self.garbled.came(association, f"a question whose answer fits no message: {error}")
        self._report(association, 0, (ErrorCause(CauseCode.INVALID_VALUES),))

    def stop_connecting(self, peer: TransportAddress) -> None:
        """Give up an attempt."""
        dialled = self._dialled.pop(peer, None)
        if dialled is not None:
            self._given_up.add(dialled)
            dialled.abort()

    def stop(self) -> None:
        """Give up every attempt."""
        for peer in list(self._dialled):
            self.stop_connecting(peer)

    def _connect_failed(self, peer: TransportAddress) -> None:
        self.node.perform(self.face.connect_failed(peer, self.node.now()))

    # ISctpHandler

    def associationUp(self, association: ISctpAssociation) -> None:
        outbound = association.outbound
        if outbound:
            if self._dialled.get(association.peer) is not association:
                self._given_up.add(association)
                association.abort()
                return
            del self._dialled[association.peer]
        self.node.perform(self.face.association_up(association, association.peer, self.node.now(), outbound))
        if outbound and association.established and set(association.peer_addresses) != set(association.peer.hosts):
            self._moved(association)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if ppid != self.ppid:
            self.garbled.came(association, f"a message with PPID {ppid}, where PPID {self.ppid} is spoken")
            return
        try:
            decoded = self.codec.decode(data)
        except WireError as error:
            self.garbled.came(association, str(error))
            if error.report:
                self._report(association, 0, (cause_of(error),))
            return
        if decoded.unrecognized:
            sender = getattr(decoded.message, "sender", 0)
            self._report(association, sender, unrecognized_parameters(decoded.unrecognized))
        node = self.node
        node.perform(self.face.receive(association, decoded.message, node.now()))

    def announcementReceived(self, data: bytes, source: str) -> None:
        """A datagram came in at the multicast group."""
        try:
            decoded = self.codec.decode(data)
        except WireError as error:
            self._log.debug("{source} announced what cannot be understood: {error}", source=source, error=error)
            return
        self.node.perform(self.face.announcement(decoded.message, source, self.node.now()))

    def addressChanged(self, association: ISctpAssociation, host: str, reachable: bool) -> None:
        self.node.paths.changed(association, host, reachable)

    def peerAddressesChanged(self, association: ISctpAssociation) -> None:
        self.node.paths.moved(association)
        self._moved(association)

    def _moved(self, association: ISctpAssociation) -> None:
        if self.addresses_changed is not None:
            self.node.perform(self.addresses_changed(association, association.peer_addresses, self.node.now()))

    def associationPaused(self, association: ISctpAssociation) -> None:
        self.node.perform(self.face.association_paused(association, self.node.now()))

    def associationResumed(self, association: ISctpAssociation) -> None:
        self.node.perform(self.face.association_resumed(association, self.node.now()))

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        self.garbled.forget(association)
        self.node.forget(association)
        if association in self._given_up:
            self._given_up.discard(association)
            return
        if association.outbound and self._dialled.get(association.peer) is association:
            del self._dialled[association.peer]
            self.node.perform(self.face.connect_failed(association.peer, self.node.now()))
        else:
            self.node.perform(self.face.association_lost(association, self.node.now()))

    def _report(self, association: ISctpAssociation, receiver: int, causes: tuple[ErrorCause, ...]) -> None:
        error = asap.Error(causes) if self.ppid == PPID_ASAP else enrp.Error(self.node.server, receiver, causes)
        self.send(association, error)


class PeerChannel(Channel):
    """A channel beside the Node's own: the Node must know which associations are its."""

    def associationUp(self, association: ISctpAssociation) -> None:
        self.node.belongs(association, self)
        super().associationUp(association)


class Node(Channel):
    """Runs a role on one reactor; is itself its channel for ASAP.

    @ivar server: the ENRP server identifier of a registrar; 0 for others.
    @ivar paths: what happened to the paths of its associations.
    """

    def __init__(self, reactor: Any, role: Role, notify: Callable[[Any], None], *, server: int = 0) -> None:
        super().__init__(self, role, asap, PPID_ASAP)
        self.paths = Paths(self._log)
        self.reactor = reactor
        self.server = server
        self._role = role
        self._notify = notify
        self._channels: dict[str, Channel] = {"asap": self}
        self._channel_of: dict[Any, Channel] = {}
        self._timer: IDelayedCall | None = None
        self._timer_at = 0.0
        self._stopped = False
        self.now = clock_of(reactor)

    def open_channel(self, name: str, face: Face, codec: Any, ppid: int) -> Channel:
        """Speak another protocol too, over an endpoint of its own."""
        channel = self._channels[name] = PeerChannel(self, face, codec, ppid)
        return channel

    def belongs(self, association: ISctpAssociation, channel: Channel) -> None:
        """An association is not one of ASAP."""
        self._channel_of[association] = channel

    def forget(self, association: ISctpAssociation) -> None:
        """An association is gone."""
        self._channel_of.pop(association, None)
        self.paths.forget(association)

    def perform(self, effects: list[Effect]) -> None:
        """Do what the role asked for, in order, and re-arm the timer."""
        if self._stopped:
            return
        for effect in effects:
            if type(effect) is Send:
                association: Any = effect.association
                message = effect.message
                channel = self._channel_of.get(association, self)
                # What Channel.send does; this is where a registrar's time goes.
                try:
                    association.send(message if type(message) is bytes else channel.codec.encode(message), channel.ppid)
                except ValueError as error:
                    channel.does_not_fit(association, error)
            else:
                self._perform(effect)
        if not self._stopped:  # by whoever was told just now
            self._rearm()

    def stop(self) -> None:
        """Do nothing more: neither on our own nor for anybody."""
        self._stopped = True
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        for channel in self._channels.values():
            Channel.stop(channel)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Notify(event):
                self._notify(event)
            case Connect(peer, channel):
                self._channels[channel].connect(peer)
            case StopConnecting(peer):
                self.stop_connecting(peer)
            case Probe(association):
                association.probe()  # type: ignore[attr-defined]
            case Close(association):
                association.close()  # type: ignore[attr-defined]
            case Abort(association):
                association.abort()  # type: ignore[attr-defined]
            case Announce(message, name):
                speaker = self._channels[name]
                if speaker.announce is not None:
                    speaker.announce(speaker.codec.encode(message))
            case _:
                raise TypeError(f"no such effect: {effect!r}")

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
        self._timer = self.reactor.callLater(max(0.0, deadline - self.now()), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.perform(self._role.tick(self.now()))
