"""A socket of libusrsctp: addresses, options after a profile, and what is sent (RFC 6458 section 8, RFC 7829)."""

from __future__ import annotations

import socket
from collections.abc import Callable, Container
from errno import EADDRINUSE, EAGAIN
from random import randrange
from typing import Any

from twisted.logger import Logger

from rserpool.core.profiles import Profile
from rserpool.sctp.base import STREAMS
from rserpool.sctp.sockets import SctpSocket
from rserpool.sctp.usrsctp import library
from rserpool.sctp.usrsctp.engine import Engine
from rserpool.sctp.usrsctp.notifications import EVENTS
from rserpool.sctp.usrsctp.packets import HEADER, abort_with_tag, initiate_tag, ports

SOCKET_BUFFER = 256 * 1024
"""Bytes that the library keeps for each direction of an association."""
MAX_INBOUND_STREAMS = 64
MOST_BESIDE = 1024
"""What goes beside messages of so many kinds is kept."""
TABLE, LARGE_TABLE = 256, 16384
"""So many lists has the library for the associations of a socket, by the peer's SCTP port: of one that few or that many
are to reach (8 bytes each). It looks at that port's bytes in reverse order."""

_log = Logger()


class UsrsctpSocket(SctpSocket):
    """One socket with any number of associations.

    @ivar so: what the library calls it; None once it is closed.
    @ivar sendv: the library's function.
    @ivar send: L{_send}, compiled where that is possible.
    @ivar port: what else of this socket is compiled, if anything is.
    @ivar heartbeat: seconds between two of SCTP's heartbeats, where the library sends them.
    @ivar answering: whether what came in is being read.
    """

    UNORDERED, EOF, ABORT = library.SCTP_UNORDERED, library.SCTP_EOF, library.SCTP_ABORT

    def __init__(self, engine: Engine, profile: Profile, many: bool = False) -> None:
        """
        @param many: whether many associations are expected.
        @raise OSError: if the library makes none.
        """
        self.engine = engine
        self._library = engine.library
        self._lib = engine.library.lib
        self._profile = profile
        self.sendv = self._lib.usrsctp_sendv
        null = self.null = self._library.ffi.NULL
        self._lib.usrsctp_tunable_set_sctp_pcbtblsize(LARGE_TABLE if many else TABLE)
        so = self._lib.usrsctp_socket(
            library.AF_CONN, library.SOCK_SEQPACKET, library.IPPROTO_SCTP, null, null, 0, null
        )
        if so == null:
            raise OSError(self._library.ffi.errno, "libusrsctp opens no socket")
        self.so: Any = so
        self.heartbeat = profile.heartbeat_interval
        self.answering = False
        self._room = self._library.struct("sctp_status")
        self._length = self._library.ffi.new("uint32_t *")
        self._to = self._address(0, 0)
        # What goes beside messages to a place: the same for all peers.
        self._beside: dict[tuple[int, int, bool], bytes] = {}
        self.port: Any = None if engine.shuttle is None else engine.shuttle.Port(self._library.number(so))
        self.send: Callable[..., int] = self._send if self.port is None else self.port.send
        self._configure()

    def _configure(self) -> None:
        """Make it non-blocking, give it the timers of the profile, subscribe to events."""
        new, make = self._library.ffi.new, self._library.struct
        self._lib.usrsctp_set_non_blocking(self.so, 1)
        profile = self._profile
        for name in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self._set(name, new("int *", SOCKET_BUFFER), socket.SOL_SOCKET)
        self._set(library.SCTP_RECVRCVINFO, new("uint32_t *", 1))
        self.set_no_delay()
        self._set(library.SCTP_PARTIAL_DELIVERY_POINT, new("uint32_t *", SOCKET_BUFFER // 2))
        for event in EVENTS:
            self._set(library.SCTP_EVENT, make("sctp_event", se_type=event, se_on=1))
        rto = make(
            "sctp_rtoinfo",
            srto_initial=_ms(profile.rto_initial),
            srto_max=_ms(profile.rto_max),
            srto_min=_ms(profile.rto_min),
        )
        self._set(library.SCTP_RTOINFO, rto)
        limit = make("sctp_assocparams", sasoc_asocmaxrxt=profile.association_max_retransmissions)
        self._set(library.SCTP_ASSOCINFO, limit)
        initial = make(
            "sctp_initmsg",
            sinit_num_ostreams=STREAMS,
            sinit_max_instreams=MAX_INBOUND_STREAMS,
            sinit_max_attempts=profile.max_init_retransmissions,
            sinit_max_init_timeo=_ms(profile.rto_max),
        )
        self._set(library.SCTP_INITMSG, initial)
        self.set_heartbeat(profile.heartbeat_interval)
        self.set_quick(True)
        delay = make("sctp_sack_info", sack_delay=_ms(profile.sack_delay), sack_freq=2)
        self._set(library.SCTP_DELAYED_SACK, delay)

    # Associations come.

    def bind(self, port: int, taken: Container[int]) -> int:
        """Bind to an SCTP port, or with 0 to one that is not among those that are C{taken}.

        @return: the port.
        @raise OSError: if it is taken.
        """
        for _ in range(1 if port else 100):
            chosen = port or randrange(32768, 61000)
            address = self._address(chosen, 0)
            if chosen not in taken and not self._lib.usrsctp_bind(
                self.so, address, self._library.ffi.sizeof(address[0])
            ):
                return chosen
        raise OSError(EADDRINUSE, f"SCTP port {chosen} is taken in this process")

    def listen(self, wanted: bool) -> None:
        """Whether peers may open associations.

        @raise OSError: if the library does not listen.
        """
        if self._lib.usrsctp_listen(self.so, int(wanted)) and wanted:
            raise OSError(self._library.ffi.errno, "libusrsctp does not listen")

    def connect(self, port: int, handle: int) -> int:
        """Send an INIT to the peer with this SCTP port and handle.

        @return: the association's number; 0 if there is one with this peer.
        """
        to = self._address(port, handle)
        if self._lib.usrsctp_connect(self.so, to, self._library.ffi.sizeof(to[0])):
            return 0
        return int(self._lib.usrsctp_getassocid(self.so, to))

    def association(self, port: int, handle: int) -> int:
        """The number of the association with this peer; 0 if there is none."""
        return 0 if self.so is None else int(self._lib.usrsctp_getassocid(self.so, self._place(port, handle)))

    def peer(self, association: int) -> tuple[int, int]:
        """The peer's handle and SCTP port; zeros if it is gone."""
        addresses = self._library.ffi.new("struct sockaddr_conn **")
        if self._lib.usrsctp_getpaddrs(self.so, association, addresses) <= 0:
            return 0, 0
        found = addresses[0].sconn_addr, socket.ntohs(addresses[0].sconn_port)
        self._lib.usrsctp_freepaddrs(addresses[0])
        return found

    def _send(self, data: bytes, beside: bytes, port: int = 0, handle: int = 0) -> int:
        """Send a message; with a handle to the peer at that place.

        @param beside: a C{struct sctp_sndinfo}.
        @return: negative if that is not possible.
        """
        # The library writes into what is beside it which association that was.
        to, count, beside = (self._place(port, handle), 1, beside[:-4] + bytes(4)) if handle else (self.null, 0, beside)
        sent: int = self.sendv(self.so, data, len(data), to, count, beside, 16, library.SCTP_SENDV_SNDINFO, 0)
        return sent

    def send_to(self, place: tuple[int, int], data: bytes, how: tuple[int, int, bool]) -> int:
        """Send to the peer at this place: its SCTP port, and its handle.

        @param how: PPID, stream, and whether it is unordered.
        @return: negative if that is not possible.
        """
        engine = self.engine
        engine.begun = b""
        beside = self._beside.get(how)
        if beside is None:
            if len(self._beside) > MOST_BESIDE:
                self._beside.clear()
            ppid, stream, unordered = how
            beside = self._beside[how] = self.beside(0, stream, self.UNORDERED if unordered else 0, ppid)
        port, handle = place
        sent = self.send(data, beside, port, handle)
        if engine.begun:
            # The association was gone: the library has dialled. Let it believe that the peer refuses.
            packet = abort_with_tag(self._library, port, ports(engine.begun)[0], initiate_tag(engine.begun) or b"")
            engine.input(handle, packet, len(packet), 0)
            return -1
        return sent

    # Options.

    # An association is named by the peer's place: there is one list of numbers for each 32 of them, and to walk over it
    # takes longer than all else where there are thousands.

    def set_heartbeat(self, seconds: float, port: int = 0, handle: int = 0) -> None:
        """Set the heartbeat interval of the association with the peer with this SCTP port and handle, or without them
        of all future ones; 0 seconds: there are none."""
        parameters = self._library.struct(
            "sctp_paddrparams",
            spp_address={},
            spp_hbinterval=_ms(seconds),
            spp_flags=library.SPP_HB_ENABLE if seconds else library.SPP_HB_DISABLE,
            spp_pathmaxrxt=self._profile.association_max_retransmissions,
        )
        if handle:
            self._name(parameters, "spp_address", self._place(port, handle))
        self._set(library.SCTP_PEER_ADDR_PARAMS, parameters)

    def set_largest(self, packet: int) -> None:
        """How many bytes a packet of SCTP may have, of future associations."""
        parameters = self._library.struct(
            "sctp_paddrparams",
            spp_address={},
            spp_pathmtu=packet - HEADER & ~3,
            spp_flags=library.SPP_PMTUD_DISABLE,
        )
        self._set(library.SCTP_PEER_ADDR_PARAMS, parameters)

    def demand_heartbeat(self, port: int, handle: int) -> None:
        """Send a heartbeat to the peer with this SCTP port and handle now, and what waits to be sent."""
        self._begin()
        parameters = self._library.struct("sctp_paddrparams", spp_address={}, spp_flags=library.SPP_HB_DEMAND)
        self._name(parameters, "spp_address", self._place(port, handle))
        self._set(library.SCTP_PEER_ADDR_PARAMS, parameters)

    def ask(self, port: int, handle: int) -> None:
        """Send a heartbeat now; if it is not answered in time the library finds out, and goes on as with its own."""
        parameters = self._library.struct(
            "sctp_paddrparams",
            spp_address={},
            spp_hbinterval=_ms(self._profile.rto_min),
            spp_flags=library.SPP_HB_ENABLE | library.SPP_HB_DEMAND,
        )
        self._name(parameters, "spp_address", self._place(port, handle))
        self._set(library.SCTP_PEER_ADDR_PARAMS, parameters)

    def set_quick(self, quick: bool, port: int = 0, handle: int = 0) -> None:
        """Whether the path to this peer (or without one those of all future associations) has potentially failed once
        a heartbeat or an acknowledgement is missed (RFC 7829): the next heartbeats follow at the pace of the RTO.

        libusrsctp sends no new data over such a path, not even where it is the only one.
        """
        most = self._profile.association_max_retransmissions
        thresholds = self._library.struct(
            "sctp_paddrthlds",
            spt_address={},
            spt_pathmaxrxt=most,
            spt_pathpfthld=0 if quick else most,
            spt_pathcpthld=0xFFFF,
        )
        if handle:
            self._name(thresholds, "spt_address", self._place(port, handle))
        self._set(library.SCTP_PEER_ADDR_THLDS, thresholds)

    def round_trip(self, association: int) -> float | None:
        """The smoothed round trip time in seconds to the primary address of an association; None if it is not known."""
        status = self._status(association)
        return None if status is None else float(status.spinfo_srtt) / 1000

    def is_settled(self, association: int) -> bool:
        """Whether an association is up, and has nothing that is not sent or not acknowledged."""
        status = self._status(association)
        return (
            status is not None
            and status.sstat_state == library.SCTP_ESTABLISHED
            and not status.sstat_unackdata
            and not status.sstat_penddata
        )

    def _status(self, association: int) -> Any:
        if self.so is None:
            return None
        status = self._room
        status.sstat_assoc_id = association
        length = self._length
        length[0] = library.STATUS_SIZE
        failed = self._lib.usrsctp_getsockopt(self.so, library.IPPROTO_SCTP, library.SCTP_STATUS, status, length)
        return None if failed else status

    def set_no_delay(self, on: bool = True) -> None:
        """Switch Nagle's algorithm off, or on, for all associations."""
        self._set(library.SCTP_NODELAY, self._library.ffi.new("uint32_t *", on))

    # The end.

    def control(self, identifier: int, flag: int) -> bool:
        if self.so is None:
            return True
        self._begin()
        sndinfo = self.beside(identifier, 0, flag, 0)
        sent: int = self.sendv(self.so, b"", 0, self.null, 0, sndinfo, 16, library.SCTP_SENDV_SNDINFO, 0)
        done = sent >= 0 or self._library.ffi.errno != EAGAIN
        if done and flag == self.EOF:
            # A shutdown with data under way switches Nagle's algorithm on for the whole socket.
            self.set_no_delay()
        return done

    def close(self) -> None:
        if self.so is not None:
            self._set(socket.SO_LINGER, self._library.struct("linger", l_onoff=1, l_linger=0), socket.SOL_SOCKET)
            so, self.so = self.so, None
            if self.port is not None:
                self.port.close()
            self._lib.usrsctp_close(so)

    def _begin(self) -> None:
        """What follows is timed."""
        clock = self.engine.clock
        clock.pace.moved = True
        if clock.pace.coarse:
            clock.awake()

    def _address(self, port: int, handle: int) -> Any:
        """An address as the library has it; handle 0 means any peer."""
        return self._library.struct(
            "sockaddr_conn", sconn_family=library.AF_CONN, sconn_port=socket.htons(port), sconn_addr=handle
        )

    def _place(self, port: int, handle: int) -> Any:
        """The same, until the next one is wanted."""
        to = self._to
        to.sconn_port, to.sconn_addr = socket.htons(port), handle
        return to

    def _name(self, options: Any, field: str, address: Any) -> None:
        ffi = self._library.ffi
        ffi.memmove(ffi.addressof(options[0], field), address, ffi.sizeof(address[0]))

    def _set(self, option: int, value: Any, level: int = library.IPPROTO_SCTP) -> None:
        ffi = self._library.ffi
        if self._lib.usrsctp_setsockopt(self.so, level, option, value, ffi.sizeof(ffi.typeof(value).item)):
            _log.warn("libusrsctp refuses option {option} (errno {errno})", option=option, errno=ffi.errno)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
