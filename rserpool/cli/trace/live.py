"""Frames as they pass, on Linux: a socket of the kind AF_PACKET, for root or CAP_NET_RAW (packet(7))."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing

from rserpool.cli.trace.captures import Frame
from rserpool.core.errors import ConfigurationError, RSerPoolError

_ALL = 3
"""ETH_P_ALL."""
_ETHERNET, _LOOPBACK = 1, 772
"""ARPHRD_ETHER and ARPHRD_LOOPBACK, both with a header of Ethernet."""
_OUTGOING = 4
LOOK = 0.25
"""Seconds after which it is noticed that nobody wants more."""
_RAW = 101


def listen(interface: str | None) -> socket.socket:
    """Open it.

    @param interface: such as C{eth0}; None for all.
    @raise RSerPoolError: if we may not, or cannot here; the text says what else there is.
    """
    if not hasattr(socket, "AF_PACKET"):
        raise RSerPoolError("live traces are for Linux; elsewhere: tcpdump -w - | rserpool trace -")
    try:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    except PermissionError:
        raise RSerPoolError(
            "to see what passes takes root (or CAP_NET_RAW): sudo rserpool trace; or name a capture: trace FILE"
        ) from None
    if interface is not None:
        try:
            opened.bind((interface, _ALL))
        except OSError as error:
            opened.close()
            raise ConfigurationError(f"--interface {interface}: {error.strerror or error}") from None
    return opened


def frames(opened: socket.socket) -> Iterator[Frame]:
    """What passes, until it is closed; it blocks."""
    number = 0
    opened.settimeout(LOOK)
    with closing(opened):
        while True:
            try:
                data, (_, _, kind, hardware, _) = opened.recvfrom(65_536)
            except TimeoutError:
                continue
            except OSError:
                if opened.fileno() < 0:
                    return
                raise
            if hardware == _LOOPBACK and kind == _OUTGOING:
                continue  # it comes in as well
            number += 1
            yield Frame(number, time.time(), 1 if hardware in (_ETHERNET, _LOOPBACK) else _RAW, data)
