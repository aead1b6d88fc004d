"""One association in memory (RFC 9260): set-up, window, shutdown, and what faults of the network do to it."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    TimeoutError,
)
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.addresses import ENCAPSULATION_PORT, TransportAddress
from rserpool.sctp.base import HIGH_WATER, LOW_WATER, SEND_LIMIT, check_message
from rserpool.sctp.interfaces import ISctpAssociation

if TYPE_CHECKING:
    from rserpool.sctp.memory.network import MemoryEndpoint

Message = tuple[bytes, int, int, bool]
"""Data, PPID, stream, unordered."""


class Control(Enum):
    """What travels beside messages (RFC 9260 section 3.3)."""

    UP = "COOKIE ACK"
    SHUTDOWN = "SHUTDOWN"
    SHUTDOWN_ACK = "SHUTDOWN ACK"
    ABORT = "ABORT"


@implementer(ISctpAssociation)
class MemoryAssociation:
    """One end of an association, and the way from this end to the other."""

    __slots__ = (
        "_call", "_closing", "_deadline", "_doubtful", "_flight", "_flying", "_lost", "_network", "_paused", "_queue",
        "_remote", "_said", "_suspicion", "buffered", "endpoint", "established", "local_addresses", "outbound", "peer",
        "peer_addresses",
    )  # fmt: skip

    def __init__(self, endpoint: MemoryEndpoint, peer: TransportAddress, outbound: bool) -> None:
        self.endpoint = endpoint
        self.peer = peer
        self.peer_addresses = peer.hosts
        self.local_addresses: tuple[str, ...] = ()
        self.outbound = outbound
        self.established = False
        self.buffered = 0
        self._network = endpoint.stack.network
        self._remote: MemoryAssociation | None = None
        self._queue: deque[Message] = deque()
        self._flight: deque[tuple[float, Message | Control]] = deque()
        self._flying = 0
        # Delivered, while the way back was cut: no SACK told us.
        self._doubtful: list[Message] = []
        self._paused = False
        # How we want to shut down, and what of it the peer has been told.
        self._closing: Control | None = None
        self._said: Control | None = None
        self._lost = False
        self._deadline = 0.0
        self._call: IDelayedCall | None = None
        self._suspicion: IDelayedCall | None = None
        endpoint.present[self] = None

    def __repr__(self) -> str:
        way = "to" if self.outbound else "from"
        return f"<MemoryAssociation {self.endpoint.stack!r}:{self.endpoint.port} {way} {self.peer}>"

    # What users call.

    def send(self, data: bytes, ppid: int = 0, stream: int = 0, unordered: bool = False) -> None:
        check_message(data, stream)
        if self._lost or self._closing is not None:
            return
        message = (data, ppid, stream, unordered)
        if self.established and not self._queue and self._flying < self._network.window:
            self._put(message)
            return
        self._queue.append(message)
        self.buffered += len(data)
        if self.buffered > SEND_LIMIT:
            self.endpoint.log.error("{peer} takes no more data: aborting", peer=self.peer)
            self.abort()
        elif self.buffered > HIGH_WATER and not self._paused:
            self._paused = True
            self.endpoint.tell("associationPaused", self)

    def close(self) -> None:
        if not self._lost and self._closing is None:
            self._closing = Control.SHUTDOWN
            self._fill()

    @property
    def smoothed_round_trip(self) -> float | None:
        """There and back, without jitter: that is what would be left of it in the long run."""
        if not self.established or self._remote is None:
            return None
        here, there = self.endpoint.stack, self._remote.endpoint.stack
        return self._network.undisturbed(here, there) + self._network.undisturbed(there, here)

    def probe(self) -> None:
        """A crash is told by itself here (L{Network<rserpool.sctp.memory.Network>}, C{icmp_delay})."""

    def abort(self) -> None:
        if not self._lost:
            failed = self._finish()
            if self._remote is not None:
                self._put(Control.ABORT)
            self._network.clock.callLater(0, self._report, failed, ConnectionAborted())

    # Set-up (RFC 9260 section 5).

    def initiate(self) -> None:
        """Send an INIT."""
        clock = self._network.clock
        self._deadline = clock.seconds() + self._network.setup_timeout
        self._call = clock.callLater(self._network.latency, self._init)

    def fail_later(self, reason: Exception, seconds: float = 0.0) -> None:
        """The set-up has failed, and this will be known in so many seconds."""
        self._call = self._network.clock.callLater(seconds, self._lose, reason)

    def _init(self) -> None:
        """The INIT may have arrived."""
        network, stack = self._network, self.endpoint.stack
        self._call = None
        refused = held = False
        for host in self.peer.hosts:
            target, living = network.find(stack, host, self.peer.encapsulation or ENCAPSULATION_PORT)
            sources = self.endpoint.reaching(host, target.machine if target else stack.machine)
            if not sources:
                continue
            if target is None:
                refused = refused or living
            elif not network.stopped(stack, target) and not network.stopped(target, stack):
                endpoint = target.endpoints.get(self.peer.port)
                if endpoint is None or host not in endpoint.hosts or not self._accepted(endpoint, sources):
                    self.fail_later(_refused(), network.transit(target, stack))
                return
            else:
                held = held or not (network.broken(stack, target) or network.broken(target, stack))
        if refused:
            self.fail_later(_refused(), network.latency)
        elif held or network.clock.seconds() < self._deadline:
            self._call = network.clock.callLater(network.init_retry, self._init)
        else:
            self._lose(TimeoutError("no answer to the set-up of the association"))

    def _accepted(self, endpoint: MemoryEndpoint, sources: tuple[str, ...]) -> bool:
        """The INIT is at C{endpoint}: whether it takes the association."""
        stack = self.endpoint.stack
        peer = TransportAddress(sources, self.endpoint.port, stack.encapsulation_port)
        remote = endpoint.find(peer)
        if remote is not None and remote._remote is not None:
            # We have forgotten what the peer still believes in: a restart (RFC 9260 section 5.2.4).
            remote._lose(ConnectionLost())
            remote = None
        if remote is None:
            if not endpoint.listening:
                return False
            remote = MemoryAssociation(endpoint, peer, outbound=False)
            endpoint.claim(remote)
        elif remote is self:
            return False
        elif remote._call is not None:
            # Both dialled at once, and one association comes of it (RFC 9260 section 5.2.1).
            remote._call.cancel()
            remote._call = None
        self._remote, remote._remote = remote, self
        self.local_addresses = remote.peer_addresses = sources
        self.peer_addresses = remote.local_addresses = endpoint.reaching(sources[0], stack.machine)
        remote._put(Control.UP)
        remote._up()
        return True

    def _up(self) -> None:
        self.established = True
        self.endpoint.tell("associationUp", self)
        self._fill()

    # The way to the other end.

    def _put(self, item: Message | Control) -> None:
        assert self._remote is not None
        seconds = self._network.transit(self.endpoint.stack, self._remote.endpoint.stack)
        clock = self._network.clock
        self._flight.append((clock.seconds() + seconds, item))
        if not isinstance(item, Control):
            self._flying += len(item[0])
        if self._call is None:
            self._call = clock.callLater(seconds, self._flush)

    def _flush(self) -> None:
        """Deliver what is due."""
        network, remote, flight = self._network, self._remote, self._flight
        assert remote is not None
        stack, target = self.endpoint.stack, remote.endpoint.stack
        self._call = None
        now = network.clock.seconds()
        while flight and self._call is None:
            due, item = flight[0]
            if network.stopped(stack, target) or target.crashed:
                return
            if due > now:
                self._call = network.clock.callLater(due - now, self._flush)
                break
            if remote._lost:
                # An association that the peer does not know: it answers with ABORT (RFC 9260 section 8.4).
                self._lose(ConnectionLost())
                return
            flight.popleft()
            if isinstance(item, Control):
                remote._receive(item)
            else:
                self._flying -= len(item[0])
                if network.broken(target, stack):
                    self._doubtful.append(item)
                remote.endpoint.tell("messageReceived", remote, *item)
        self._fill()

    def _fill(self) -> None:
        """Put on the way what the window has room for; the last thing is the shutdown."""
        if self._lost or not self.established:
            return
        while self._queue and self._flying < self._network.window:
            message = self._queue.popleft()
            self.buffered -= len(message[0])
            self._put(message)
        if self._closing is not self._said and not self._queue and not self._flight:
            self._said = self._closing
            assert self._closing is not None
            self._put(self._closing)
        if self._paused and self.buffered <= LOW_WATER:
            self._paused = False
            self.endpoint.tell("associationResumed", self)

    def _receive(self, control: Control) -> None:
        remote = self._remote
        assert remote is not None
        match control:
            case Control.UP:
                self._up()
            case Control.SHUTDOWN:
                self._closing = Control.SHUTDOWN_ACK
                self._fill()
            case Control.SHUTDOWN_ACK:
                self._lose(ConnectionDone())
                remote._lose_later(self._network.transit(self.endpoint.stack, remote.endpoint.stack), ConnectionDone())
            case Control.ABORT:
                self._lose(ConnectionLost() if self.established else _refused())

    # The end.

    def both_ends(self) -> tuple[MemoryAssociation, ...]:
        """This end, and the other if there is one."""
        return (self,) if self._remote is None else (self, self._remote)

    def review(self) -> None:
        """The network changed."""
        remote, network = self._remote, self._network
        if remote is None or self._lost:
            return
        stack, target = self.endpoint.stack, remote.endpoint.stack
        if network.broken(stack, target) or network.broken(target, stack):
            if self._suspicion is None:
                self._suspicion = network.clock.callLater(network.detection, self._suspected)
            return
        self._doubtful.clear()
        if self._suspicion is not None:
            self._suspicion.cancel()
            self._suspicion = None
        if remote._lost:
            self._lose_later(network.latency, ConnectionLost())
        elif self._flight and self._call is None:
            self._call = network.clock.callLater(max(0.0, self._flight[0][0] - network.clock.seconds()), self._flush)

    def die(self) -> None:
        """The process was killed."""
        self._finish(keep=True)
        if self._remote is not None:
            self._remote._lose_later(self._network.icmp_delay, ConnectionLost())

    def _suspected(self) -> None:
        self._suspicion = None
        self._lose(ConnectionLost())

    def _lose_later(self, seconds: float, reason: Exception) -> None:
        """Let the end know, if nothing broke the path meanwhile."""
        assert self._remote is not None
        other = self._remote.endpoint.stack

        def lose() -> None:
            if not self._network.broken(other, self.endpoint.stack):
                self._lose(reason)

        self._network.clock.callLater(seconds, lose)

    def _lose(self, reason: Exception) -> None:
        if not self._lost:
            self._report(self._finish(), reason)

    def _finish(self, keep: bool = False) -> list[Message]:
        """Nothing more goes in or out.

        @param keep: whether what is on the way may still arrive.
        @return: the messages that were not delivered.
        """
        self._lost = True
        self.established = False
        self.endpoint.release(self)
        if self._suspicion is not None:
            self._suspicion.cancel()
            self._suspicion = None
        failed = [*self._doubtful, *(item for _, item in self._flight if not isinstance(item, Control)), *self._queue]
        self._doubtful.clear()
        self._queue.clear()
        self.buffered = 0
        if not keep or self._remote is None:
            self._flight.clear()
            self._flying = 0
            if self._call is not None:
                if self._call.active():
                    self._call.cancel()
                self._call = None
        return failed

    def _report(self, failed: list[Message], reason: Exception) -> None:
        for data, ppid, _, _ in failed:
            self.endpoint.tell("sendFailed", self, data, ppid)
        self.endpoint.tell("associationLost", self, Failure(reason))
        self.endpoint.remove(self)


def _refused() -> ConnectionRefusedError:
    return ConnectionRefusedError("no endpoint listens there")
