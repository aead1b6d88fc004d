"""What the kernel's SCTP is set to, for all processes (C{net.sctp}), and how this one reads it."""

from __future__ import annotations

import socket

from rserpool.sctp.kernel import options
from rserpool.sctp.kernel.messages import receiving


class KernelSettings:
    """The settings that matter here, as they were when the stack was opened.

    @ivar udp_port: the UDP port at which the kernel receives SCTP over UDP (RFC 6951); 0 for none.
    @ivar encap_port: the UDP port of peers that name none; 0 for plain SCTP.
    @ivar tells_addresses: whether the kernel tells peers of addresses that come and go (RFC 5061).
    @ivar shares_buffer: whether all associations of a socket share its send buffer.
    @ivar receive: what reads a socket.
    """

    def __init__(self) -> None:
        self.udp_port = _sysctl("udp_port")
        self.encap_port = _sysctl("encap_port")
        self.tells_addresses = bool(
            _sysctl("addip_enable") and (_sysctl("auth_enable") or _sysctl("addip_noauth_enable"))
        )
        self.shares_buffer = not _sysctl("sndbuf_policy")
        self.receive = receiving()
        self._tick = 0.0

    def tick(self, sock: socket.socket, association: int) -> float:
        """How long the kernel's clock stands still, in seconds: it counts round trip times in its own ticks."""
        if not self._tick:
            self._tick = options.clock_tick(sock, association)
        return self._tick


def _sysctl(name: str) -> int:
    try:
        with open(f"/proc/sys/net/sctp/{name}", encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0
