"""One association of a usrsctp endpoint (RFC 9260 section 1.3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from random import uniform
from typing import Any, Final

from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.sctp.interfaces import ISctpAssociation
from rserpool.sctp.sockets import SocketAssociation, SocketEndpoint
from rserpool.sctp.usrsctp.engine import LESSONS
from rserpool.sctp.usrsctp.library import SCTP_SACK_IMMEDIATELY
from rserpool.sctp.usrsctp.pace import Where
from rserpool.sctp.usrsctp.packets import abort_with_tag
from rserpool.sctp.usrsctp.peers import UdpPeer
from rserpool.sctp.usrsctp.sockets import UsrsctpSocket

LEAST = 1000
"""Bytes that go out at least when the library sends a part of a message."""
AGAIN = 10
"""So many ticks lie between two looks at why nothing goes out."""
REPRIEVE = 100
"""So many ticks after that the path may have potentially failed again."""
MORE: Final = 1.0
"""So many seconds after the heartbeat interval, or as many as that has, a silent peer is asked (RFC 9260 section 8.3
adds the RTO): we notice within less time than the library that it does not answer."""
SAME: Final = 16
"""So many peers with one SCTP port are found by it; those beyond that by their association's number."""
SPREAD: Final = 0.4
"""This part of that may be added, so that not both ends ask at once: who is asked needs not ask. It is the end that has
dialled which asks: a registrar with many users is woken once for each question, and not twice."""


@implementer(ISctpAssociation)
class UsrsctpAssociation(SocketAssociation[UsrsctpSocket]):
    """See L{ISctpAssociation<rserpool.sctp.interfaces.ISctpAssociation>}.

    @ivar tag: our own verification tag in network order, known while we set the association up.
    @ivar own_tag: the same, once it is up.
    @ivar asked: whether a heartbeat of ours is not answered yet.
    @ivar where: where packets go to it, known once it is up: the peer's handle, and both ports.
    @ivar ask_at: when the next one is due, if nothing comes of the peer until then.
    @ivar heard_at: when something came of it, or was sent that the library waits for.
    @ivar untried: those hosts of the peer that were not dialled yet.
    """

    __slots__ = (
        "_early", "_patience", "_place", "_reprieved", "_still", "_udp_peer", "ask_at", "asked", "heard_at",
        "local_addresses", "own_tag", "peer_addresses", "tag", "untried", "where",
    )  # fmt: skip

    def __init__(
        self,
        endpoint: SocketEndpoint[Any, UsrsctpSocket],
        socket: UsrsctpSocket,
        peer: TransportAddress,
        outbound: bool,
        identifier: int = 0,
        udp_peer: UdpPeer | None = None,
    ) -> None:
        super().__init__(endpoint, socket, peer, outbound, identifier)
        self.peer_addresses = peer.hosts
        self.local_addresses: tuple[str, ...] = ()
        self.tag = self.own_tag = b""
        self.asked = self._still = False
        self.where: Where = 0, b""
        # The peer's port and handle, by which it is found among many.
        self._place: tuple[int, int] | None = None
        self.ask_at = inf
        self.heard_at = 0.0
        self._bear()
        self.untried = list(peer.hosts) if outbound else []
        self._udp_peer: UdpPeer | None = None
        # A message that rides with the set-up, whichever of the peer's hosts that succeeds with.
        self._early: tuple[bytes, int] | None = None
        # The tick in which new data was let go over a path that had potentially failed; 0 if none was.
        self._reprieved = 0
        socket.engine.clock.retain()
        if udp_peer is not None:
            self._reached(udp_peer)

    # What users call.

    @property
    def smoothed_round_trip(self) -> float | None:
        return self.socket.round_trip(self.identifier) if self.established else None

    def probe(self) -> None:
        if self.established and self._udp_peer is not None:
            clock = self.socket.engine.clock
            if self._still:
                # The library would not notice that it is not answered.
                if clock.pace.coarse:
                    clock.awake()
                self.ask(clock.now)
            else:
                self.socket.demand_heartbeat(self.peer.port, self._udp_peer.handle)

    def early(self, data: bytes, ppid: int) -> bool:
        if self.established or not self.identifier or self._early is not None:
            return False
        self._early = data, ppid
        self._ride(data, ppid)
        return True

    def after(self, call: Callable[[], object]) -> None:
        endpoint: Any = self.endpoint
        endpoint.after(call)

    def bundle(self) -> None:
        endpoint: Any = self.endpoint
        endpoint.bundle()

    # What the endpoint calls.

    def dialled(self, identifier: int, udp_peer: UdpPeer, tag: bytes) -> None:
        """An INIT has gone to one of the peer's hosts."""
        self.identifier = identifier
        self.tag = tag
        self._reached(udp_peer)
        if self._early is not None:
            self._ride(*self._early)

    def _reached(self, udp_peer: UdpPeer) -> None:
        self.socket.engine.peers.hold(udp_peer)
        self._leave()
        self._udp_peer = udp_peer
        self.peer_addresses = (udp_peer.host,)
        self.local_addresses = (udp_peer.local,)

    def _leave(self) -> None:
        if self._udp_peer is not None:
            self.socket.engine.peers.release(self._udp_peer)

    def failed(self, data: bytes, ppid: int, fragment: int) -> None:
        # What rides with a set-up that fails goes to the next host.
        if self.established:
            super().failed(data, ppid, fragment)

    def set_up(self, streams: int) -> None:
        self.tag = b""
        self._early = None
        engine = self.socket.engine
        # The packet that was read last has completed the set-up: it bears our tag.
        self.own_tag = bytes(engine.room[4:8])
        if self._udp_peer is not None:
            self.where = self._udp_peer.handle, bytes((*engine.room[2:4], *engine.room[:2]))
        engine.clock.pace.by_tag[self.own_tag] = self
        endpoint: Any = self.endpoint
        few = endpoint.comes(self.peer.port) <= SAME
        self._place = (self.peer.port, self._udp_peer.handle) if few and self._udp_peer is not None else None
        self.hear(engine.clock.now)
        super().set_up(streams)
        engine.clock.pace.crowd.joins(self, engine.clock.now)
        self._learn()

    def _learn(self) -> None:
        """Measure the round trip anew if it seems long.

        A set-up that lost a packet lasts as long as a time-out, and the library takes that for the round trip: for many
        seconds it would not believe that a packet is late, and send nothing again in time. Where many come at once, one
        of us is slow, and heartbeats by the dozen would keep all of them from being served.
        """
        far = self.smoothed_round_trip
        if far is not None and 3 * far >= self.endpoint.profile.rto_max:
            engine = self.socket.engine
            for _ in range(LESSONS):
                if not engine.lessons.take(engine.reactor.seconds()):
                    break
                self.probe()

    def released(self) -> None:
        """The handler has been told that it is lost."""
        by_tag = self.socket.engine.clock.pace.by_tag
        if by_tag.get(self.own_tag) is self:
            del by_tag[self.own_tag]
        endpoint: Any = self.endpoint
        if self.own_tag:
            endpoint.goes(self.peer.port)
        self._leave()
        self.socket.engine.clock.release()

    # What the clock calls while nothing goes over it, or where there are many.

    def rest(self, now: float) -> None:
        self._quiet(True)
        self.ask_at = max(now, self.ask_at)

    def rouse(self) -> None:
        if not self.asked:
            self._quiet(False)

    def settle(self, now: float) -> None:
        if not self._still and not self.asked:
            self.ask(now)

    def visit(self, now: float) -> float:
        if self._lost:
            return inf
        if not self.asked:
            self.hear(self.heard_at)
        if self.ask_at <= now:
            if self.asked:
                self.hear(now)
            else:
                self.ask(now)
        return self.ask_at

    def doubt(self, now: float) -> None:
        """The library does not hear of the peer, and has sent a heartbeat: it shall go on with that."""
        if self._still and self.established:
            self.asked, self._still = True, False
            self.hear(now)
            self._beat(self.endpoint.profile.rto_min)

    def ask(self, now: float) -> None:
        self._bear()
        self.hear(now)
        if self.established and self._udp_peer is not None:
            self.asked, self._still = True, False
            doubted = self.socket.engine.clock.pace.crowd.doubted
            before = len(doubted)
            self.socket.ask(self.peer.port, self._udp_peer.handle)
            # This one was sent because we wanted it.
            del doubted[before:]

    def hear(self, now: float) -> None:
        """Something came of the peer, or it is asked: until when nothing more has to."""
        self.heard_at = now
        self.ask_at = now + self._patience

    def _bear(self) -> None:
        """Choose how long it may say nothing."""
        seconds: float = self.socket.heartbeat
        least, most = (0.0, 0.25) if self.outbound else (0.5, 1.0)
        self._patience = seconds + min(seconds, MORE) * (1.0 + SPREAD * uniform(least, most))

    def answered(self) -> None:
        """A heartbeat was."""
        if self.asked and self.established:
            pace = self.socket.engine.clock.pace
            self.asked, self._still = False, pace.coarse or pace.crowd.here
            self._beat(0.0 if self._still else self.socket.heartbeat)

    def set_heartbeat(self) -> None:
        """The endpoint's interval is another one."""
        self._bear()
        if not self._still:
            self._beat(self.socket.heartbeat)

    def _quiet(self, still: bool) -> None:
        """Whether the library sends no heartbeats by itself."""
        if still != self._still and self.established:
            self._still = still
            self._beat(0.0 if still else self.socket.heartbeat)

    def _beat(self, seconds: float) -> None:
        """The library is to send heartbeats so often, or with 0 none."""
        if self._udp_peer is not None:
            self.socket.set_heartbeat(seconds, self.peer.port, self._udp_peer.handle)

    # What goes out.

    def _ride(self, data: bytes, ppid: int) -> None:
        """The library puts it beside the COOKIE ECHO."""
        self.socket.send(data, self.socket.beside(self.identifier, 0, 0, ppid))

    def _at_once(self, key: tuple[int, int, bool]) -> Any:
        """What goes beside an answer, behind which nothing follows: it is acknowledged at once (RFC 7053)."""
        ppid, stream, unordered = key
        flags = SCTP_SACK_IMMEDIATELY | (self.socket.UNORDERED if unordered else 0)
        return self.socket.beside(self.identifier, stream if stream < self._streams else 0, flags, ppid)

    def put(self, data: bytes, ppid: int, stream: int, unordered: bool) -> bool:
        engine = self.socket.engine
        clock = engine.clock
        clock.pace.moved = True
        self.heard_at = clock.now
        coarse = clock.pace.coarse
        if coarse:
            # Whoever answers may have taken long for it.
            clock.show()
        engine.volume = 0
        sent = self._give(data, ppid, stream, unordered)
        if engine.volume < len(data) + 28 and engine.volume < LEAST:
            if coarse:
                # No packet tells that something waits.
                clock.awake()
            if sent >= 0:
                self._held(clock.ticks)
        elif self._reprieved and clock.ticks > self._reprieved + REPRIEVE:
            self._quick(0)
        if coarse and not clock.reading:
            clock.sooner()
        return sent >= 0

    def _give(self, data: bytes, ppid: int, stream: int, unordered: bool) -> int:
        socket, pace = self.socket, self.socket.engine.clock.pace
        if self._place is not None and pace.crowd.here:
            return socket.send_to(self._place, data, (ppid, stream if stream < self._streams else 0, unordered))
        key = (ppid, stream, unordered)
        if pace.coarse and socket.answering:
            return socket.send(data, self._at_once(key))
        return socket.send(data, self._prepared.get(key) or self.prepare(key))

    def put_all(self, several: Sequence[bytes], ppid: int) -> int:
        """With Nagle's algorithm the library makes packets that are full of all but the last, behind which nothing
        comes; without it, one of each message."""
        if len(several) < 2:
            return super().put_all(several, ppid)
        clock, taken = self.socket.engine.clock, 0
        if clock.pace.coarse:
            clock.show()
        self.socket.set_no_delay(False)
        try:
            while taken < len(several) - 1 and self._give(several[taken], ppid, 0, False) >= 0:
                taken += 1
        finally:
            self.socket.set_no_delay()
        if taken == len(several) - 1 and self.put(several[-1], ppid, 0, False):
            taken += 1
        return taken

    def _held(self, now: int) -> None:
        """The library took a message and sent nothing: its window is full, or it takes the path for a failed one.

        There is no other path: the message goes there all the same (RFC 7829 section 3).
        """
        if not self._reprieved or now > self._reprieved + AGAIN:
            self._quick(now)

    def _quick(self, reprieved: int) -> None:
        self._reprieved = reprieved
        if self._udp_peer is not None:
            self.socket.set_quick(not reprieved, self.peer.port, self._udp_peer.handle)
            # What waits goes out now: the message, and a heartbeat that would look like one.
            self.probe()

    def cut(self) -> None:
        if self.endpoint.forget(self):
            if not self.tag or self._udp_peer is None:
                self.socket.control(self.identifier, self.socket.ABORT)
            else:
                # The library aborts nothing that is not up: let it believe that the peer refuses.
                packet = abort_with_tag(self.socket.engine.library, self.peer.port, self.endpoint.port, self.tag)
                self.socket.engine.input(self._udp_peer.handle, packet, len(packet), 0)
