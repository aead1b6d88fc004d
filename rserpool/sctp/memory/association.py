"""One association in memory (RFC 9260): window, shutdown, and what faults of the network do to it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.association import BufferedAssociation
from rserpool.sctp.endpoint import SctpEndpoint
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.sctp.memory.losses import LossyWay
from rserpool.sctp.memory.medium import Medium

Message = tuple[bytes, int, int, bool]
"""Data, PPID, stream, unordered."""


class Control(Enum):
    """What travels beside messages (RFC 9260 section 3.3)."""

    UP = "COOKIE ACK"
    SHUTDOWN = "SHUTDOWN"
    SHUTDOWN_ACK = "SHUTDOWN ACK"
    ABORT = "ABORT"


@implementer(ISctpAssociation)
class MemoryAssociation(BufferedAssociation):
    """One end of an association, and the way from this end to the other."""

    __slots__ = (
        "_call", "_dead", "_doubtful", "_flight", "_flying", "_network", "_process", "_remote", "_shutdown",
        "_suspicion", "_way", "local_addresses", "peer_addresses",
    )  # fmt: skip

    def __init__(
        self,
        endpoint: SctpEndpoint[Any],
        network: Medium[Any],
        process: object,
        peer: TransportAddress,
        outbound: bool,
    ) -> None:
        super().__init__(endpoint, peer, outbound)
        self.peer_addresses = peer.hosts
        self.local_addresses: tuple[str, ...] = ()
        self._network = network
        self._process = process
        self._remote: MemoryAssociation | None = None
        self._flight: deque[tuple[float, Message | Control]] = deque()
        self._flying = 0
        # Delivered, while the way back was cut: no SACK told us.
        self._doubtful: list[Message] = []
        # How we shut down, once we want to.
        self._shutdown = Control.SHUTDOWN
        self._dead = False
        # What comes next: of the set-up, or of what is on the way.
        self._call: IDelayedCall | None = None
        self._suspicion: IDelayedCall | None = None
        # To the other end, where packets are lost.
        self._way: LossyWay | None = None

    # What users call.

    @property
    def smoothed_round_trip(self) -> float | None:
        """There and back, without jitter: that is what would be left of it in the long run."""
        if not self.established or self._remote is None:
            return None
        here, there = self._process, self._remote._process
        return self._network.undisturbed(here, there) + self._network.undisturbed(there, here)

    def probe(self) -> None:
        """A crash is told by itself here (L{Network<rserpool.sctp.memory.Network>}, C{icmp_delay})."""

    # Set-up.

    def next_step(self, seconds: float, call: Callable[..., None], *arguments: object) -> None:
        """What the set-up does next, in so many seconds."""
        self._call = self._network.clock.callLater(seconds, self._step, call, arguments)

    def _step(self, call: Callable[..., None], arguments: tuple[object, ...]) -> None:
        self._call = None
        call(*arguments)

    @property
    def lost(self) -> bool:
        """Whether there may be another with the same peer."""
        return self._lost

    @property
    def joined(self) -> bool:
        """Whether there is another end."""
        return self._remote is not None

    def join(self, remote: MemoryAssociation, own: tuple[str, ...], theirs: tuple[str, ...]) -> None:
        """Our INIT has been taken by C{remote}, which is up now, and says so."""
        self._remote, remote._remote = remote, self
        if self._network.losses is not None:
            for end in (self, remote):
                end._way = LossyWay(self._network, self._network.clock, self._network.losses, end)
        self.local_addresses = remote.peer_addresses = own
        self.peer_addresses = remote.local_addresses = theirs
        remote._stop()
        remote._put(Control.UP)
        remote.up()

    # The way to the other end.

    def put(self, data: bytes, ppid: int, stream: int, unordered: bool) -> bool:
        if self._flying >= self._network.window:
            return False
        self._put((data, ppid, stream, unordered))
        return True

    def put_end(self) -> bool:
        if self._flight or (self._way is not None and self._way.outstanding):
            return False
        self._put(self._shutdown)
        return True

    def cut(self) -> None:
        if self._remote is not None:
            self._put(Control.ABORT)

    def _put(self, item: Message | Control) -> None:
        assert self._remote is not None
        if not isinstance(item, Control):
            self._flying += len(item[0])
        if self._way is not None and item is not Control.ABORT:
            self._way.send(item)
            return
        seconds = self._network.transit(self._process, self._remote._process)
        clock = self._network.clock
        self._flight.append((clock.seconds() + seconds, item))
        if self._call is None:
            self._call = clock.callLater(seconds, self._arrive)

    def _arrive(self) -> None:
        """Deliver what is due."""
        network, remote, flight = self._network, self._remote, self._flight
        assert remote is not None
        here, there = self._process, remote._process
        self._call = None
        now = network.clock.seconds()
        while flight and self._call is None:
            due, item = flight[0]
            if network.stopped(here, there) or remote._dead:
                return
            if due > now:
                self._call = network.clock.callLater(due - now, self._arrive)
                break
            if remote._lost:
                # An association that the peer does not know: it answers with ABORT (RFC 9260 section 8.4).
                self.lose(ConnectionLost())
                return
            flight.popleft()
            self.left(item)
            if not isinstance(item, Control) and network.broken(there, here):
                self._doubtful.append(item)
            self.deliver(item)
        self.flush()

    def deliver(self, item: Message | Control) -> None:
        """It has come to the other end."""
        remote = self._remote
        assert remote is not None
        if isinstance(item, Control):
            remote._receive(item)
        else:
            remote.endpoint.tell("messageReceived", remote, *item)

    def left(self, item: Message | Control) -> None:
        """It takes no room any more."""
        if not isinstance(item, Control):
            self._flying -= len(item[0])

    # What a way with losses wants to know.

    @property
    def ways(self) -> tuple[object, object]:
        """The processes at this end and the other."""
        assert self._remote is not None
        return self._process, self._remote._process

    @property
    def remote_dead(self) -> bool:
        """Whether the other end's process was killed."""
        return self._remote is None or self._remote._dead

    @property
    def remote_lost(self) -> bool:
        """Whether the other end knows nothing of it any more."""
        return self._remote is None or self._remote._lost

    def remote_aborted(self) -> None:
        """The other end hears an ABORT of ours."""
        if self._remote is not None and not self._remote._dead:
            self._remote._receive(Control.ABORT)

    def _receive(self, control: Control) -> None:
        remote = self._remote
        assert remote is not None
        match control:
            case Control.UP:
                self.up()
            case Control.SHUTDOWN:
                # What waits here is sent yet, then the answer, also if we have sent a SHUTDOWN at the same time.
                self._shutdown = Control.SHUTDOWN_ACK
                self._closing, self._ended = True, False
                self.flush()
            case Control.SHUTDOWN_ACK:
                self.lose(ConnectionDone())
                remote._lose_later(self._network.transit(self._process, remote._process), ConnectionDone())
            case Control.ABORT:
                self.lose(ConnectionLost() if self.established else refused())

    # The end.

    def both_ends(self) -> tuple[MemoryAssociation, ...]:
        """This end, and the other if there is one."""
        return (self,) if self._remote is None else (self, self._remote)

    def review(self) -> None:
        """The network changed."""
        remote, network = self._remote, self._network
        if remote is None or self._lost:
            return
        here, there = self._process, remote._process
        if network.broken(here, there) or network.broken(there, here):
            if self._suspicion is None:
                self._suspicion = network.clock.callLater(network.detection, self._suspected)
            return
        self._doubtful.clear()
        self._trust()
        if remote._lost:
            self._lose_later(network.latency, ConnectionLost())
        elif self._flight and self._call is None:
            self._call = network.clock.callLater(max(0.0, self._flight[0][0] - network.clock.seconds()), self._arrive)

    def die(self) -> None:
        """The process was killed."""
        self._dead = True
        self._finish()
        if self._remote is not None:
            self._remote._lose_later(self._network.icmp_delay, ConnectionLost())

    def _suspected(self) -> None:
        self._suspicion = None
        self.lose(ConnectionLost())

    def _trust(self) -> None:
        if self._suspicion is not None:
            self._suspicion.cancel()
            self._suspicion = None

    def _lose_later(self, seconds: float, reason: Exception) -> None:
        """Let the end know, if nothing broke the path meanwhile."""
        assert self._remote is not None
        other = self._remote._process

        def lose() -> None:
            if not self._network.broken(other, self._process):
                self.lose(reason)

        self._network.clock.callLater(seconds, lose)

    def _finish(self) -> list[tuple[bytes, int]]:
        on_the_way = [item for _, item in self._flight if not isinstance(item, Control)]
        if self._way is not None:
            waiting = [chunk.item for chunk in self._way.outstanding]
            on_the_way += [item for item in waiting if not isinstance(item, Control)]
            self._way.stop()
        failed = [(data, ppid) for data, ppid, _, _ in (*self._doubtful, *on_the_way)]
        self._doubtful.clear()
        self._trust()
        # What a process has put on the way before it died still arrives.
        if not self._dead or self._remote is None:
            self._flight.clear()
            self._flying = 0
            self._stop()
        return failed + super()._finish()

    def _stop(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None


def refused() -> ConnectionRefusedError:
    """Nobody has the UDP port, or nobody listens at the SCTP port."""
    return ConnectionRefusedError("no endpoint listens there")
