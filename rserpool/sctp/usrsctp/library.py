"""libusrsctp through cffi in ABI mode: what is declared here must be what the library was built with (RFC 6458)."""

from __future__ import annotations

import ctypes.util
import os
import struct
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from rserpool.core.errors import SctpUnavailable

AF_CONN = 123
IPPROTO_SCTP = 132
SOCK_SEQPACKET = 5
MSG_NOTIFICATION = 0x2000

SCTP_RTOINFO = 0x01
SCTP_ASSOCINFO = 0x02
SCTP_INITMSG = 0x03
SCTP_NODELAY = 0x04
SCTP_PEER_ADDR_PARAMS = 0x0A
SCTP_DELAYED_SACK = 0x0F
SCTP_PARTIAL_DELIVERY_POINT = 0x11
SCTP_EVENT = 0x1E
SCTP_RECVRCVINFO = 0x1F
SCTP_PEER_ADDR_THLDS = 0x23
SCTP_STATUS = 0x0100

SCTP_ESTABLISHED = 0x0008
"""A state of an association."""
SCTP_EOF = 0x0100
SCTP_ABORT = 0x0200
SCTP_UNORDERED = 0x0400
SCTP_SACK_IMMEDIATELY = 0x4000
SCTP_SENDV_SNDINFO = 1
SPP_HB_ENABLE = 0x01
SPP_HB_DISABLE = 0x02
SPP_HB_DEMAND = 0x04
SPP_PMTUD_DISABLE = 0x10

_INSTALL = "install it, on Debian or Ubuntu with: apt-get install libusrsctp2"
_OR = " (elsewhere usrsctp or libusrsctp), or have the kernel speak SCTP: modprobe sctp"

BUNDLED = os.path.join(os.path.dirname(__file__), "libusrsctp.so.2")
"""Where binary wheels have the library; in a checkout there is none."""

# A handle is declared as an integer, where usrsctp.h has a pointer: it is never followed, and nothing has to be cast.
DECLARATIONS = """
struct socket;
struct sockaddr_conn { uint16_t sconn_family; uint16_t sconn_port; uintptr_t sconn_addr; };
struct sctp_storage { uint16_t family; char data[118]; unsigned long align; };
struct sctp_rcvinfo {
    uint16_t rcv_sid; uint16_t rcv_ssn; uint16_t rcv_flags; uint32_t rcv_ppid; uint32_t rcv_tsn;
    uint32_t rcv_cumtsn; uint32_t rcv_context; uint32_t rcv_assoc_id;
};
struct sctp_sndinfo {
    uint16_t snd_sid; uint16_t snd_flags; uint32_t snd_ppid; uint32_t snd_context; uint32_t snd_assoc_id;
};
struct sctp_event { uint32_t se_assoc_id; uint16_t se_type; uint8_t se_on; };
struct sctp_initmsg {
    uint16_t sinit_num_ostreams; uint16_t sinit_max_instreams; uint16_t sinit_max_attempts;
    uint16_t sinit_max_init_timeo;
};
struct sctp_rtoinfo { uint32_t srto_assoc_id; uint32_t srto_initial; uint32_t srto_max; uint32_t srto_min; };
struct sctp_assocparams {
    uint32_t sasoc_assoc_id; uint32_t sasoc_peer_rwnd; uint32_t sasoc_local_rwnd; uint32_t sasoc_cookie_life;
    uint16_t sasoc_asocmaxrxt; uint16_t sasoc_number_peer_destinations;
};
struct sctp_paddrparams {
    struct sctp_storage spp_address; uint32_t spp_assoc_id; uint32_t spp_hbinterval; uint32_t spp_pathmtu;
    uint32_t spp_flags; uint32_t spp_ipv6_flowlabel; uint16_t spp_pathmaxrxt; uint8_t spp_dscp;
};
struct sctp_paddrthlds {
    struct sctp_storage spt_address; uint32_t spt_assoc_id; uint16_t spt_pathmaxrxt; uint16_t spt_pathpfthld;
    uint16_t spt_pathcpthld;
};
struct sctp_sack_info { uint32_t sack_assoc_id; uint32_t sack_delay; uint32_t sack_freq; };
struct sctp_status {
    uint32_t sstat_assoc_id; int32_t sstat_state; uint32_t sstat_rwnd; uint16_t sstat_unackdata;
    uint16_t sstat_penddata; uint16_t sstat_instrms; uint16_t sstat_outstrms; uint32_t sstat_fragmentation_point;
    struct sctp_storage spinfo_address; uint32_t spinfo_assoc_id; int32_t spinfo_state; uint32_t spinfo_cwnd;
    uint32_t spinfo_srtt; uint32_t spinfo_rto; uint32_t spinfo_mtu;
};
struct linger { int l_onoff; int l_linger; };

void usrsctp_init_nothreads(uint16_t, int (*)(uintptr_t, void *, size_t, uint8_t, uint8_t), void *);
struct socket *usrsctp_socket(int, int, int, void *, void *, uint32_t, void *);
int usrsctp_set_non_blocking(struct socket *, int);
int usrsctp_setsockopt(struct socket *, int, int, const void *, uint32_t);
int usrsctp_getsockopt(struct socket *, int, int, void *, uint32_t *);
int usrsctp_bind(struct socket *, struct sockaddr_conn *, uint32_t);
int usrsctp_listen(struct socket *, int);
int usrsctp_connect(struct socket *, struct sockaddr_conn *, uint32_t);
uint32_t usrsctp_getassocid(struct socket *, struct sockaddr_conn *);
int usrsctp_getpaddrs(struct socket *, uint32_t, struct sockaddr_conn **);
void usrsctp_freepaddrs(struct sockaddr_conn *);
ssize_t usrsctp_sendv(struct socket *, const char *, size_t, void *, int, const char *, uint32_t, unsigned int, int);
ssize_t usrsctp_recvv(struct socket *, char *, size_t, void *, void *, struct sctp_rcvinfo *, uint32_t *,
                      unsigned int *, int *);
void usrsctp_close(struct socket *);
int usrsctp_finish(void);
void usrsctp_conninput(uintptr_t, const char *, size_t, uint8_t);
void usrsctp_register_address(uintptr_t);
int usrsctp_get_events(struct socket *);
void usrsctp_handle_timers(uint32_t);
uint32_t usrsctp_crc32c(const char *, size_t);
int usrsctp_tunable_set_sctp_pcbtblsize(uint32_t);
int usrsctp_sysctl_set_sctp_ecn_enable(uint32_t);
int usrsctp_sysctl_set_sctp_asconf_enable(uint32_t);
int usrsctp_sysctl_set_sctp_auth_enable(uint32_t);
int usrsctp_sysctl_set_sctp_nrsack_enable(uint32_t);
int usrsctp_sysctl_set_sctp_pktdrop_enable(uint32_t);
"""

_SIZES = {
    "sockaddr_conn": 4 + struct.calcsize("P") if struct.calcsize("P") == 4 else 16,
    "sctp_storage": 128,
    "sctp_rcvinfo": 28,
    "sctp_sndinfo": 16,
    "sctp_event": 8,
    "sctp_initmsg": 8,
    "sctp_rtoinfo": 16,
    "sctp_assocparams": 20,
    "sctp_paddrparams": 152,
    "sctp_paddrthlds": 144 if struct.calcsize("P") == 8 else 140,
    "sctp_sack_info": 12,
    "sctp_status": 176,
}
"""Bytes that the structures of usrsctp.h 0.9.5.0 have."""

STATUS_SIZE = _SIZES["sctp_status"]

_PROBES = {
    SCTP_RTOINFO: "sctp_rtoinfo",
    SCTP_ASSOCINFO: "sctp_assocparams",
    SCTP_INITMSG: "sctp_initmsg",
    SCTP_PEER_ADDR_PARAMS: "sctp_paddrparams",
    SCTP_PEER_ADDR_THLDS: "sctp_paddrthlds",
    SCTP_DELAYED_SACK: "sctp_sack_info",
}
"""Options whose length the library itself tells."""


class Library:
    """libusrsctp as loaded: C{ffi} makes its structures, C{lib} holds its functions."""

    def __init__(self, ffi: Any, lib: Any) -> None:
        self.ffi = ffi
        self.lib = lib

    def struct(self, kind: str, **fields: Any) -> Any:
        """A structure of this kind, zeroed but for C{fields}."""
        return self.ffi.new(f"struct {kind} *", fields)

    def number(self, pointer: Any) -> int:
        """The address of a function, or of what is made by C{ffi}."""
        return int(self.ffi.cast("uintptr_t", pointer))

    def probe(self) -> None:
        """Compare our structures with the lengths that the running library tells; the library must be initialised.

        @raise SctpUnavailable: if one differs.
        """
        ffi, lib = self.ffi, self.lib
        so = lib.usrsctp_socket(AF_CONN, SOCK_SEQPACKET, IPPROTO_SCTP, ffi.NULL, ffi.NULL, 0, ffi.NULL)
        if so == ffi.NULL:
            raise SctpUnavailable(
                f"libusrsctp opens no socket (errno {ffi.errno}): another version is needed; {_INSTALL}"
            )
        try:
            for option, kind in _PROBES.items():
                room = ffi.new("char[512]")
                length = ffi.new("uint32_t *", 512)
                if lib.usrsctp_getsockopt(so, IPPROTO_SCTP, option, room, length) or length[0] != _SIZES[kind]:
                    raise SctpUnavailable(_mismatch(kind, length[0]))
        finally:
            lib.usrsctp_close(so)


@cache
def load(*names: str) -> Library:
    """Load libusrsctp and check that it is one we know; nothing is initialised yet.

    @param names: what to load instead of the names that it usually has.
    @raise SctpUnavailable: with one sentence that says what to install.
    """
    if sys.platform != "linux":
        # Elsewhere its addresses are laid out in another way; nobody has tried that yet.
        raise SctpUnavailable(f"SCTP over UDP by libusrsctp is made for Linux; on {sys.platform} there is none yet")
    try:
        # What cffi made of the declarations: to read them takes longer than all else at the start.
        from rserpool.sctp.usrsctp.declared import ffi
    except ImportError:
        raise SctpUnavailable("SCTP over UDP needs cffi; install it with: pip install cffi") from None
    for kind, size in _SIZES.items():
        if ffi.sizeof(f"struct {kind}") != size:
            raise SctpUnavailable(_mismatch(kind, ffi.sizeof(f"struct {kind}")))
    why = f"SCTP over UDP needs the library libusrsctp, which is not here; {_INSTALL}{_OR}"
    for name in names or _usual():
        try:
            lib = ffi.dlopen(name)
        except OSError:
            continue
        lacking = next(_lacking(ffi, lib), None)
        if lacking is None:
            return Library(ffi, lib)
        why = f"{name} is too old, it has no {lacking}; {_INSTALL}"
    raise SctpUnavailable(why)


def _usual() -> Iterator[str]:
    """The system's, whose maintainers mend it; else the one that came with this package, where it is a binary wheel."""
    yield "libusrsctp.so.2"
    yield "libusrsctp.dylib"
    yield ctypes.util.find_library("usrsctp") or "libusrsctp"
    yield BUNDLED


def _lacking(ffi: Any, lib: Any) -> Iterator[str]:
    """What is declared and not there."""
    for declared in dir(lib):
        try:
            getattr(lib, declared)
        except (AttributeError, ffi.error):
            yield declared


def _mismatch(kind: str, size: int) -> str:
    return f"libusrsctp is not the version we know: struct {kind} has {size} bytes, not {_SIZES[kind]}; {_INSTALL}"
