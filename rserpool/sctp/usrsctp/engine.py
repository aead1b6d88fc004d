"""The one libusrsctp of this process: packets and time go in, packets come out (RFC 9260, RFC 6951)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from errno import EAGAIN
from random import getrandbits
from typing import Any, Protocol

from twisted.logger import Logger

from rserpool.core.admission import TokenBucket
from rserpool.core.profiles import Profile
from rserpool.sctp.base import MAX_MESSAGE
from rserpool.sctp.compiled import SHUTTLE
from rserpool.sctp.log import LimitedLog
from rserpool.sctp.steady import make_steady
from rserpool.sctp.usrsctp.bundle import Bundle
from rserpool.sctp.usrsctp.clock import Clock
from rserpool.sctp.usrsctp.library import Library
from rserpool.sctp.usrsctp.pace import HEARTBEAT, INIT
from rserpool.sctp.usrsctp.packets import HEADER, abort_for, ports
from rserpool.sctp.usrsctp.peers import UdpPeer, UdpPeers

LESSONS = 24
"""So many round trips are measured to forget one."""
MOST_LESSONS = 4 * LESSONS
"""So many in a second are measured for that, of all associations together: the others have their usual heartbeats."""


class PortOwner(Protocol):
    """The endpoint that an SCTP port belongs to.

    @ivar hosts: our addresses, as they were asked for.
    @ivar udp_sockets: the UDP sockets through which peers may reach it.
    @ivar only: at which of our addresses; None: at all that these have.
    """

    @property
    def profile(self) -> Profile: ...

    @property
    def hosts(self) -> tuple[str, ...]: ...

    @property
    def udp_sockets(self) -> Collection[object]: ...

    @property
    def only(self) -> Collection[str] | None: ...

    @property
    def associations(self) -> int: ...

    @property
    def present(self) -> Collection[Any]: ...

    def is_settled(self) -> bool:
        """Whether all its associations are up, and nothing is on its way over them."""

    def move(self, hosts: tuple[str, ...], sockets: tuple[Any, ...]) -> None:
        """Be at these addresses instead."""

    def drain(self) -> None:
        """Read what the library has for it."""

    def acknowledged(self) -> None:
        """An acknowledgement came, and nothing else."""

    def look(self) -> None:
        """The same, if there is anything."""

    def doubt(self, handle: int, port: int) -> None:
        """The library has sent this peer a heartbeat by itself."""


class Engine:
    """The library, initialised.

    @ivar endpoints: all endpoints of the process, by SCTP port.
    @ivar room: where a datagram is read to; C{packet} is the same for the library.
    @ivar sent: while it is a list, what goes out is also noted in it.
    @ivar begun: the last INIT that went out, where there are many associations.
    @ivar bundle: while there is one, what goes out waits in it for L{send_bundle}.
    @ivar limited: for what strangers do.
    @ivar clock: what tells it how much time has passed.
    @ivar lessons: round trips that may be measured anew.
    @ivar shuttle: what carries usual packets and messages, where that is compiled.
    @ivar watched: what reads the error queues of sockets.
    """

    log = Logger()

    def __init__(self, reactor: Any, library: Library) -> None:
        self.reactor = reactor
        self.library = library
        self.endpoints: dict[int, PortOwner] = {}
        self.peers = UdpPeers(library)
        ffi = library.ffi
        self.packet = ffi.new("char[]", 65536)
        self.room = memoryview(ffi.buffer(self.packet)).cast("B")
        self.input = library.lib.usrsctp_conninput
        # What recvv fills in, for all endpoints.
        self.message = ffi.new("char[]", 2 * MAX_MESSAGE)
        self.message_view = memoryview(ffi.buffer(self.message)).cast("B")
        self.rcvinfo = ffi.new("struct sctp_rcvinfo *")
        self.rcvinfo_bytes = memoryview(ffi.buffer(self.rcvinfo)).cast("B")
        self.rcvinfo_length = ffi.new("uint32_t *")
        self.infotype = ffi.new("unsigned int *")
        self.flags = ffi.new("int *")
        self.sent: list[bytes] | None = None
        self.begun = b""
        self.bundle: Bundle | None = None
        self.clock = Clock(reactor, library, self.endpoints)
        self.volume = 0
        self.lessons = TokenBucket(MOST_LESSONS, reactor.seconds())
        self.watched: dict[Callable[[], object], None] = {}
        self._erroneous = False
        self.limited = LimitedLog(self.log, reactor.seconds)
        self.shuttle = SHUTTLE.load()
        self._output = self._make_output()

    def start(self) -> None:
        """Initialise the library.

        @raise SctpUnavailable: if it is not the library that we know.
        """
        make_steady(self.reactor)
        lib = self.library.lib
        if self.clock.running:
            self.clock.go_on()
            return
        lib.usrsctp_init_nothreads(0, self._output, self.library.ffi.NULL)
        self.clock.running = True
        for feature in ("ecn", "asconf", "auth", "nrsack", "pktdrop"):
            getattr(lib, f"usrsctp_sysctl_set_sctp_{feature}_enable")(0)
        self.library.probe()

    # Packets.

    def refuse(self, peer: UdpPeer, packet: bytes) -> None:
        """Answer as if nobody had the SCTP port."""
        answer = abort_for(self.library, packet)
        if answer is not None:
            self._send(peer, answer)

    def answer(self, sendto: Callable[[Any, Any], Any], address: Any, packet: bytes) -> None:
        """Answer somebody who is not remembered for that."""
        with suppress(OSError):
            sendto(packet, address)

    def port_unreachable(self, peer: UdpPeer, packet: bytes) -> None:
        """A host says by ICMP that nobody has the UDP port of C{peer}, to which we sent C{packet}: the process is gone.

        The library hears of it as an ABORT; it checks the tag.
        """
        if not peer.users or len(packet) < 4:
            return
        endpoint = self.endpoints.get(ports(packet.ljust(12, b"\0"))[0])
        if endpoint is None or not endpoint.profile.icmp:
            return
        answer = abort_for(self.library, packet)
        if answer is not None:
            self.input(peer.handle, answer, len(answer), 0)
            endpoint.drain()

    def _send(self, peer: UdpPeer, packet: Any) -> None:
        """Send; what cannot be sent is as good as lost on the way, and SCTP sends it again."""
        try:
            peer.sendto(packet, peer.address)
        except OSError as error:
            if error.errno != EAGAIN:
                # It may be the ICMP error of an earlier packet, which is told only once: nobody else hears of it.
                self._notice_errors()
                try:
                    peer.sendto(packet, peer.address)
                except OSError:
                    pass

    def send_bundle(self) -> None:
        """The turn is over."""
        bundle, self.bundle = self.bundle, None
        if bundle is not None:
            for peer, packet in bundle.packets(self.library):
                self._send(peer, packet)

    def _notice_errors(self) -> None:
        """Sockets have errors to tell; not now, while the library is sending."""
        if not self._erroneous:
            self._erroneous = True
            self.reactor.callLater(0, self._look_at_errors)

    def _look_at_errors(self) -> None:
        self._erroneous = False
        for look in tuple(self.watched):
            look()

    def _make_output(self) -> Any:
        """The function that the library calls to send; it must live as long as the library, and raise nothing."""
        ffi = self.library.ffi
        by_handle = self.peers.by_handle
        buffer = ffi.buffer
        send = self._send
        pace, heartbeat, init = self.clock.pace, bytes([HEARTBEAT]), bytes([INIT])
        crowd, went = pace.crowd, self.clock.news.went

        def output(handle: int, data: Any, length: int, _tos: int, _df: int) -> int:
            peer = by_handle.get(handle)
            self.volume += length
            if peer is not None:
                packet = buffer(data, length)
                if pace.coarse:
                    pace.left(handle, bytes(packet))
                elif crowd.here:
                    went(packet[:2], pace.now)
                    kind = packet[HEADER]
                    if kind == heartbeat:
                        crowd.doubted.append((handle, packet[:4]))
                    elif kind == init:
                        self.begun = bytes(packet)
                if self.sent is not None:
                    self.sent.append(bytes(packet))
                if self.bundle is not None:
                    self.bundle.add(peer, bytes(packet))
                    return 0
                try:
                    peer.sendto(packet, peer.address)
                except OSError:
                    self._notice_errors()
                    send(peer, packet)
            return 0

        def failed(exception: Any, value: Any, traceback: Any) -> None:
            self.log.error("sending a packet failed: {value!r}", value=value)

        signature = "int(*)(uintptr_t, void *, size_t, uint8_t, uint8_t)"
        if self.shuttle is None:
            return ffi.callback(signature, output, error=0, onerror=failed)

        def odd(handle: int, packet: bytes) -> None:
            try:
                output(handle, ffi.from_buffer(packet), len(packet), 0, 0)
            except Exception as exception:
                failed(type(exception), exception, None)

        lib = self.library.lib
        functions = (lib.usrsctp_conninput, lib.usrsctp_get_events, lib.usrsctp_recvv, lib.usrsctp_sendv)
        numbers = tuple(map(self.library.number, functions))
        room = self.library.number(self.packet)
        return ffi.cast(signature, self.shuttle.attach(numbers, room, getrandbits(32), self, odd))
