"""Setting up and closing sockets of libusrsctp: options after a profile, addresses (RFC 6458 section 8, RFC 7829)."""

from __future__ import annotations

import socket
from typing import Any

from twisted.logger import Logger

from rserpool.core.profiles import Profile
from rserpool.sctp.base import STREAMS
from rserpool.sctp.usrsctp.library import (
    AF_CONN,
    IPPROTO_SCTP,
    SCTP_ABORT,
    SCTP_ASSOCINFO,
    SCTP_DELAYED_SACK,
    SCTP_EVENT,
    SCTP_INITMSG,
    SCTP_NODELAY,
    SCTP_PARTIAL_DELIVERY_POINT,
    SCTP_PEER_ADDR_PARAMS,
    SCTP_PEER_ADDR_THLDS,
    SCTP_RECVRCVINFO,
    SCTP_RTOINFO,
    SCTP_SENDV_SNDINFO,
    SCTP_STATUS,
    SNDINFO,
    SPP_HB_DEMAND,
    SPP_HB_ENABLE,
    Library,
)

SOCKET_BUFFER = 256 * 1024
"""Bytes that the library keeps for each direction of an association."""
MAX_INBOUND_STREAMS = 2048

EVENTS = (0x0001, 0x0002, 0x0005, 0x000E)
"""Association change, peer address change, shutdown, send failed (RFC 6458 section 6.1)."""

_log = Logger()


def configure(library: Library, so: Any, profile: Profile) -> None:
    """Make a socket non-blocking, give it the timers of a profile, subscribe to events."""
    new, make = library.ffi.new, library.struct
    library.lib.usrsctp_set_non_blocking(so, 1)
    for name in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        _set(library, so, name, new("int *", SOCKET_BUFFER), socket.SOL_SOCKET)
    _set(library, so, SCTP_RECVRCVINFO, new("uint32_t *", 1))
    set_no_delay(library, so)
    _set(library, so, SCTP_PARTIAL_DELIVERY_POINT, new("uint32_t *", SOCKET_BUFFER // 2))
    for event in EVENTS:
        _set(library, so, SCTP_EVENT, make("sctp_event", se_type=event, se_on=1))
    rto = make(
        "sctp_rtoinfo",
        srto_initial=_ms(profile.rto_initial),
        srto_max=_ms(profile.rto_max),
        srto_min=_ms(profile.rto_min),
    )
    _set(library, so, SCTP_RTOINFO, rto)
    limit = make("sctp_assocparams", sasoc_asocmaxrxt=profile.association_max_retransmissions)
    _set(library, so, SCTP_ASSOCINFO, limit)
    initial = make(
        "sctp_initmsg",
        sinit_num_ostreams=STREAMS,
        sinit_max_instreams=MAX_INBOUND_STREAMS,
        sinit_max_attempts=profile.max_init_retransmissions,
        sinit_max_init_timeo=_ms(profile.rto_max),
    )
    _set(library, so, SCTP_INITMSG, initial)
    set_heartbeat(library, so, profile, profile.heartbeat_interval, 0)
    # Quick failover (RFC 7829): once a heartbeat is missed, the next ones follow at the pace of the RTO.
    thresholds = make(
        "sctp_paddrthlds",
        spt_pathmaxrxt=profile.association_max_retransmissions,
        spt_pathpfthld=0,
        spt_pathcpthld=0xFFFF,
    )
    _set(library, so, SCTP_PEER_ADDR_THLDS, thresholds)
    delay = make("sctp_sack_info", sack_delay=_ms(profile.sack_delay), sack_freq=2)
    _set(library, so, SCTP_DELAYED_SACK, delay)


def set_heartbeat(library: Library, so: Any, profile: Profile, seconds: float, association: int) -> None:
    """Set the heartbeat interval of an association, or with 0 of all future ones."""
    parameters = library.struct(
        "sctp_paddrparams",
        # For an association the library wants an address, be it that of nobody.
        spp_address={"family": AF_CONN if association else 0},
        spp_assoc_id=association,
        spp_hbinterval=_ms(seconds),
        spp_flags=SPP_HB_ENABLE,
        spp_pathmaxrxt=profile.association_max_retransmissions,
    )
    _set(library, so, SCTP_PEER_ADDR_PARAMS, parameters)


def demand_heartbeat(library: Library, so: Any, port: int, handle: int, association: int) -> None:
    """Send a heartbeat to the peer with this SCTP port and handle now."""
    parameters = library.struct(
        "sctp_paddrparams",
        spp_address={},
        spp_assoc_id=association,
        spp_flags=SPP_HB_DEMAND,
    )
    address = conn_address(library, port, handle)
    library.ffi.memmove(library.ffi.addressof(parameters[0], "spp_address"), address, library.ffi.sizeof(address[0]))
    _set(library, so, SCTP_PEER_ADDR_PARAMS, parameters)


def round_trip(library: Library, so: Any, association: int) -> float | None:
    """The smoothed round trip time in seconds to the primary address of an association; None if it is not known."""
    status = library.struct("sctp_status", sstat_assoc_id=association)
    length = library.ffi.new("uint32_t *", library.ffi.sizeof(status[0]))
    if library.lib.usrsctp_getsockopt(so, IPPROTO_SCTP, SCTP_STATUS, status, length):
        return None
    return float(status.spinfo_srtt) / 1000


def set_no_delay(library: Library, so: Any) -> None:
    """Switch Nagle's algorithm off."""
    _set(library, so, SCTP_NODELAY, library.ffi.new("uint32_t *", 1))


def conn_address(library: Library, port: int, handle: int) -> Any:
    """An address as the library has it; handle 0 means any peer."""
    return library.struct("sockaddr_conn", sconn_family=AF_CONN, sconn_port=socket.htons(port), sconn_addr=handle)


def bind(library: Library, so: Any, port: int) -> bool:
    """Bind a socket to an SCTP port.

    @return: whether the port was free.
    """
    address = conn_address(library, port, 0)
    return bool(library.lib.usrsctp_bind(so, address, library.ffi.sizeof(address[0])) == 0)


def abort(library: Library, so: Any, association: int) -> None:
    """Abort an association that is up."""
    sndinfo = SNDINFO.pack(0, SCTP_ABORT, 0, 0, association)
    library.lib.usrsctp_sendv(so, b"", 0, library.ffi.NULL, 0, sndinfo, SNDINFO.size, SCTP_SENDV_SNDINFO, 0)


def close(library: Library, so: Any) -> None:
    """Close a socket; associations that it still has are aborted."""
    linger = library.struct("linger", l_onoff=1, l_linger=0)
    _set(library, so, socket.SO_LINGER, linger, socket.SOL_SOCKET)
    library.lib.usrsctp_close(so)


def _set(library: Library, so: Any, option: int, value: Any, level: int = IPPROTO_SCTP) -> None:
    ffi = library.ffi
    if library.lib.usrsctp_setsockopt(so, level, option, value, ffi.sizeof(ffi.typeof(value).item)):
        _log.warn("libusrsctp refuses option {option} (errno {errno})", option=option, errno=ffi.errno)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
