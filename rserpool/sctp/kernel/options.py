"""Socket options of the kernel's SCTP (RFC 6458 section 8), numbered and laid out as in linux/sctp.h.

They are set by the standard library; those that take and return a value at once go through the C library's getsockopt.
pysctp 0.7.3 is not used: what it gets wrong stands in docs/sctp.md, and what would remain is a handful of plain
options, for which a compiler is no fair price. Who has it may read with it (L{rserpool.sctp.pysctp_view}).
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from errno import EINPROGRESS

from twisted.logger import Logger

from rserpool.core.profiles import Profile
from rserpool.sctp.base import MAX_MESSAGE, STREAMS
from rserpool.sctp.kernel.notifications import EVENTS
from rserpool.sctp.kernel.sockaddr import STORAGE, pack, pack_all, unpack_all

IPPROTO_SCTP = 132
MSG_NOTIFICATION = 0x8000
CMSG_SNDINFO = 2
CMSG_RCVINFO = 3
CMSG_NXTINFO = 4

SCTP_UNORDERED = 1
SCTP_ABORT = 4
SCTP_EOF = 0x200

_RTOINFO = 0
_ASSOCINFO = 1
_INITMSG = 2
_NODELAY = 3
_PEER_ADDR_PARAMS = 9
_I_WANT_MAPPED_V4_ADDR = 12
_STATUS = 14
_GET_PEER_ADDR_INFO = 15
_UNCONFIRMED = 3
_DELAYED_SACK = 16
_FRAGMENT_INTERLEAVE = 18
_PARTIAL_DELIVERY_POINT = 19
_PEER_ADDR_THLDS = 31
_RECVRCVINFO = 32
_RECVNXTINFO = 33
_BINDX_ADD = 100
_BINDX_REM = 101
_PEELOFF_FLAGS = 122
_GET_PEER_ADDRS = 108
_GET_LOCAL_ADDRS = 109
_CONNECTX3 = 111
_GET_ASSOC_ID_LIST = 29
_EVENTS = 11
_EVENT = 127
_REMOTE_UDP_ENCAPS_PORT = 132
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33

ALL = 2
"""All associations, those to come included (C{SCTP_ALL_ASSOC})."""
ESTABLISHED = 4
"""The state of an association that is up; what follows is its shutdown (C{SCTP_ESTABLISHED})."""
_SPP_HB_ENABLE = 1
_SPP_HB_DEMAND = 4
_MAX_INBOUND_STREAMS = 64
_BUFFER = 4 * 1024 * 1024
"""Bytes asked for in SO_RCVBUF and SO_SNDBUF; all associations of a socket share them."""

_PADDRPARAMS = struct.Struct("=i128sIHIIIIBx")
_PADDRTHLDS = struct.Struct("=i4x128sHH4x")
_UDPENCAPS = struct.Struct("=i4x128sH6x")
_PADDRINFO = struct.Struct("=i128siIIII")
_STATUS_HEAD = struct.Struct("=iiIHHHHI")
_NOBODY = bytes(STORAGE)

_libc = ctypes.CDLL(None, use_errno=True)
_log = Logger()


def configure(sock: socket.socket, profile: Profile) -> None:
    """Give a new socket its buffers and the timers of a profile, and have it tell what L{subscribe} says."""
    for force, option in ((_SO_SNDBUFFORCE, socket.SO_SNDBUF), (_SO_RCVBUFFORCE, socket.SO_RCVBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, _BUFFER)
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    # A socket that is closed, also because its process has ended, aborts its associations: peers then know.
    linger_not(sock)
    sock.setsockopt(IPPROTO_SCTP, _NODELAY, 1)
    subscribe(sock)
    initial, largest, smallest = _ms(profile.rto_initial), _ms(profile.rto_max), _ms(profile.rto_min)
    limit = profile.association_max_retransmissions
    _set(sock, _RTOINFO, struct.pack("=iIII", 0, initial, largest, smallest))
    set_retransmissions(sock, limit, 0)
    attempts = profile.max_init_retransmissions
    _set(sock, _INITMSG, struct.pack("=HHHH", STREAMS, _MAX_INBOUND_STREAMS, attempts, min(65535, largest)))
    _set(sock, _DELAYED_SACK, struct.pack("=iII", 0, min(500, _ms(profile.sack_delay)), 2))
    set_heartbeat(sock, profile.heartbeat_interval, limit, 0)
    # A path that misses one heartbeat is no longer the first choice (RFC 7829 section 3).
    _set(sock, _PEER_ADDR_THLDS, _PADDRTHLDS.pack(0, _NOBODY, limit, 0))


def linger_not(sock: socket.socket) -> None:
    """Have it abort its associations when it is closed."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))


def subscribe(sock: socket.socket, associations: int = 0) -> None:
    """Have a socket tell what is needed to read it: what a message belongs to, and what becomes of associations.

    @param associations: L{ALL}, or 0 for those to come.
    """
    for number, value in (
        (_RECVRCVINFO, 1),
        # Whether one more is there already: a call less to learn that there is none.
        (_RECVNXTINFO, 1),
        # Parts of a message of one association let pass the messages of others.
        (_FRAGMENT_INTERLEAVE, 1),
        (_PARTIAL_DELIVERY_POINT, MAX_MESSAGE),
    ):
        sock.setsockopt(IPPROTO_SCTP, number, value)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(IPPROTO_SCTP, _I_WANT_MAPPED_V4_ADDR, 0)
    for event in EVENTS:
        sock.setsockopt(IPPROTO_SCTP, _EVENT, struct.pack("=iHBx", associations, event, 1))


def unsubscribe(sock: socket.socket) -> None:
    """Undo all subscriptions of RFC 6458 section 6.2.1, which would put other things beside messages."""
    sock.setsockopt(IPPROTO_SCTP, _EVENTS, bytes(10))


def set_retransmissions(sock: socket.socket, limit: int, association: int) -> None:
    """Give up an association, or with 0 any to come, after so many errors."""
    _set(sock, _ASSOCINFO, struct.pack("=iHHIII", association, limit, 0, 0, 0, 0))


def set_heartbeat(sock: socket.socket, seconds: float, limit: int, association: int) -> None:
    """Set the heartbeat interval of all paths of an association, or with 0 of all future ones.

    @param limit: a path is given up after so many errors; 0 leaves that as it is.
    """
    value = _PADDRPARAMS.pack(association, _NOBODY, _ms(seconds), limit, 0, 0, _SPP_HB_ENABLE, 0, 0)
    _set(sock, _PEER_ADDR_PARAMS, value)


def demand_heartbeat(sock: socket.socket, association: int, host: str, port: int) -> None:
    """Send a heartbeat on one path now."""
    address = pack(host, port)
    _set(sock, _PEER_ADDR_PARAMS, _PADDRPARAMS.pack(association, address, 0, 0, 0, 0, _SPP_HB_DEMAND, 0, 0))


def add_addresses(sock: socket.socket, hosts: tuple[str, ...], port: int) -> None:
    """Bind further addresses, and tell the peers of associations that are up, if the kernel may (RFC 5061).

    @raise OSError: if one is not local or taken.
    """
    sock.setsockopt(IPPROTO_SCTP, _BINDX_ADD, pack_all(hosts, port))


def remove_addresses(sock: socket.socket, hosts: tuple[str, ...], port: int) -> None:
    """Give up addresses, all but the last.

    @raise OSError: if one is not bound, or none would be left.
    """
    sock.setsockopt(IPPROTO_SCTP, _BINDX_REM, pack_all(hosts, port))


def connect(sock: socket.socket, hosts: tuple[str, ...], port: int) -> int:
    """Begin an association to a peer with these addresses (sctp_connectx).

    @return: the association's identifier.
    @raise OSError: if that is not possible; EISCONN if there is one already.
    """
    addresses = ctypes.create_string_buffer(packed := pack_all(hosts, port), len(packed))
    answer = _get(sock, _CONNECTX3, struct.pack("@iiP", 0, len(packed), ctypes.addressof(addresses)))
    return int(struct.unpack_from("=i", answer)[0])


def association_with(sock: socket.socket, hosts: tuple[str, ...], port: int) -> int:
    """The identifier of the association with a peer at one of these addresses; 0 if there is none."""
    for host in hosts:
        try:
            answer = _get(sock, _GET_PEER_ADDR_INFO, _PADDRINFO.pack(0, pack(host, port), 0, 0, 0, 0, 0))
        except OSError:
            continue
        return int(_PADDRINFO.unpack(answer)[0])
    return 0


def unconfirmed(sock: socket.socket, association: int, hosts: tuple[str, ...], port: int) -> tuple[str, ...]:
    """Those of a peer's addresses whose paths are not confirmed."""
    return tuple(host for host in hosts if _state(sock, association, host, port) == _UNCONFIRMED)


def _state(sock: socket.socket, association: int, host: str, port: int) -> int:
    try:
        answer = _get(sock, _GET_PEER_ADDR_INFO, _PADDRINFO.pack(association, pack(host, port), 0, 0, 0, 0, 0))
    except OSError:
        return _UNCONFIRMED
    return int(_PADDRINFO.unpack(answer)[2])


def peel_off(sock: socket.socket, association: int) -> socket.socket:
    """Give an association a socket of its own.

    @raise OSError: if it is gone, or there are too many open files.
    """
    flags = int(socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    answer = _get(sock, _PEELOFF_FLAGS, struct.pack("=iiI", association, 0, flags))
    return socket.socket(fileno=struct.unpack_from("=i", answer, 4)[0])


def peer_addresses(sock: socket.socket, association: int) -> tuple[tuple[str, ...], int]:
    """The peer's addresses and port; none if the association is gone. The first is the primary one."""
    return _addresses(sock, _GET_PEER_ADDRS, association)


def local_addresses(sock: socket.socket, association: int) -> tuple[tuple[str, ...], int]:
    """Our own addresses of an association, or of the socket with 0; and the port."""
    return _addresses(sock, _GET_LOCAL_ADDRS, association)


def _addresses(sock: socket.socket, option: int, association: int) -> tuple[tuple[str, ...], int]:
    try:
        answer = _get(sock, option, struct.pack("=ii", association, 0), 4096)
    except OSError:
        return (), 0
    found = unpack_all(answer[8:], struct.unpack_from("=I", answer, 4)[0])
    return tuple(host for host, _ in found), found[0][1] if found else 0


def associations(sock: socket.socket) -> tuple[int, ...]:
    """The identifiers of all associations of a one-to-many socket.

    @raise OSError: if it is none.
    """
    answer = _get(sock, _GET_ASSOC_ID_LIST, b"", 4 + 4 * 65536)
    (count,) = struct.unpack_from("=I", answer)
    return struct.unpack_from(f"={count}i", answer, 4)


def standing(sock: socket.socket, association: int) -> tuple[int, int, int] | None:
    """Of an association, or with 0 of the only one: identifier, state, streams to send on; None if it is gone."""
    try:
        answer = _get(sock, _STATUS, struct.pack("=i", association), _STATUS_HEAD.size + _PADDRINFO.size)
    except OSError:
        return None
    identifier, state, _, _, _, _, streams, _ = _STATUS_HEAD.unpack_from(answer)
    return identifier, state, streams


def primary_path(sock: socket.socket, association: int) -> tuple[int, int] | None:
    """Of the primary path of an association: smoothed round trip time in clock ticks of the kernel, and RTO in ms."""
    try:
        answer = _get(sock, _STATUS, struct.pack("=i", association), _STATUS_HEAD.size + _PADDRINFO.size)
    except OSError:
        return None
    _, _, _, _, srtt, rto, _ = _PADDRINFO.unpack_from(answer, _STATUS_HEAD.size)
    return srtt, rto


def encapsulation_port(sock: socket.socket, association: int, host: str, port: int) -> int:
    """The UDP port of a peer (RFC 6951 section 5); 0 if it speaks plain SCTP."""
    try:
        answer = _get(sock, _REMOTE_UDP_ENCAPS_PORT, _UDPENCAPS.pack(association, pack(host, port), 0))
    except OSError:
        return 0
    return socket.ntohs(_UDPENCAPS.unpack(answer)[2])


def set_encapsulation_port(sock: socket.socket, udp: int) -> None:
    """Have associations that are opened from now on go over this UDP port of the peer; 0 for plain SCTP.

    @raise OSError: if the kernel does not know how.
    """
    sock.setsockopt(IPPROTO_SCTP, _REMOTE_UDP_ENCAPS_PORT, _UDPENCAPS.pack(0, _NOBODY, socket.htons(udp)))


def clock_tick(sock: socket.socket, association: int) -> float:
    """Seconds of one tick of the kernel's clock (C{CONFIG_HZ}), as far as an association can tell."""
    # Times are set in milliseconds, kept in ticks, and told in milliseconds again.
    question = struct.pack("=iIII", association, 1, 0, 0)
    try:
        kept = _get(sock, _RTOINFO, question)
        sock.setsockopt(IPPROTO_SCTP, _RTOINFO, question)
        rounded = _get(sock, _RTOINFO, question)
        sock.setsockopt(IPPROTO_SCTP, _RTOINFO, kept)
    except OSError:
        return 0.004
    return max(1, int(struct.unpack_from("=I", rounded, 4)[0])) / 1000


def _get(sock: socket.socket, option: int, question: bytes, size: int = 0) -> bytes:
    """Ask; the answer comes where the question was, and may be longer."""
    room = ctypes.create_string_buffer(question, size or len(question))
    length = ctypes.c_uint32(len(room))
    if _libc.getsockopt(sock.fileno(), IPPROTO_SCTP, option, room, ctypes.byref(length)) < 0:
        error = ctypes.get_errno()
        if error != EINPROGRESS:
            raise OSError(error, os.strerror(error))
    return room.raw


def _set(sock: socket.socket, option: int, value: bytes) -> None:
    try:
        sock.setsockopt(IPPROTO_SCTP, option, value)
    except OSError as error:
        _log.warn("the kernel refuses SCTP option {option}: {error}", option=option, error=error)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
