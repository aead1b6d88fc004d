"""What the system is told about TCP connections, and how many of them it has room for."""

from __future__ import annotations

import os
import resource
import socket
from contextlib import suppress
from typing import Any

VANISHED = 50
"""Seconds of silence after which a peer's host is taken to be gone: its connection is let go within a minute."""
OURS = 32
"""File descriptors that are left for other things."""
_IDLE, _INTERVAL = 20, 6


def notice_vanished(transport: Any, *, unread: bool = False) -> None:
    """Have a connection end within a minute after its peer's host fell silent; the system's own default is two hours.

    @param unread: whether it also ends where the peer has read nothing of what it was sent for so long.
    """
    # TLS stands upon another transport, and its handle is no socket.
    while (below := getattr(transport, "transport", None)) is not None:
        transport = below
    transport.setTcpKeepAlive(True)
    get_handle = getattr(transport, "getHandle", None)
    if get_handle is not None:
        keep_alive(get_handle(), unread=unread)


def keep_alive(handle: socket.socket, *, unread: bool = False) -> None:
    """The same for a socket."""
    with suppress(OSError, AttributeError):
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE)
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _INTERVAL)
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, (VANISHED - _IDLE) // _INTERVAL)
        if unread:
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, VANISHED * 1000)


def room_for_connections(reactor: Any) -> int:
    """How many connections fit the file descriptors of this process, beside those that are open now."""
    # Programs without a reactor load this module, too.
    from twisted.internet.base import ReactorBase

    return descriptors_left() if isinstance(reactor, ReactorBase) else 1_000_000


def descriptors_left() -> int:
    """The same where connections are those of the system."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 1_000_000
    try:
        taken = len(os.listdir("/proc/self/fd"))
    except OSError:
        taken = OURS
    return max(1, soft - taken - OURS)
