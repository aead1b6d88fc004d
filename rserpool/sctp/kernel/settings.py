"""What the kernel's SCTP is set to, for all processes (C{net.sctp})."""

from __future__ import annotations

import socket
from functools import cached_property

from rserpool.sctp.kernel import options


class KernelSettings:
    """The settings that matter here, each as it was when it was first wanted: a connection is opened sooner so."""

    def __init__(self) -> None:
        self._tick = 0.0

    @cached_property
    def udp_port(self) -> int:
        """The UDP port at which the kernel receives SCTP over UDP (RFC 6951); 0 for none."""
        return _sysctl("udp_port")

    @cached_property
    def encap_port(self) -> int:
        """The UDP port of peers that name none; 0 for plain SCTP."""
        return _sysctl("encap_port")

    @cached_property
    def tells_addresses(self) -> bool:
        """Whether the kernel tells peers of addresses that come and go (RFC 5061)."""
        return bool(_sysctl("addip_enable") and (_sysctl("auth_enable") or _sysctl("addip_noauth_enable")))

    @cached_property
    def shares_buffer(self) -> bool:
        """Whether all associations of a socket share its send buffer."""
        return not _sysctl("sndbuf_policy")

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
