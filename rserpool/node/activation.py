"""Listening sockets that systemd opened for this process (sd_listen_fds(3)): by their name, or where they listen."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

FIRST = 3
"""The first descriptor."""


def inherited(name: str, address: Any, environment: Mapping[str, str] | None = None) -> socket.socket | None:
    """The listening socket with this name, or else the one at this address; None if there is none.

    The descriptor stays open, so that who stops and starts again finds it again.

    @param address: as C{getsockname} has it: host and port, or a path.
    @return: a copy, to be adopted.
    """
    named = _named(os.environ if environment is None else environment)
    for descriptor in [number for number, each in named.items() if each == name] or list(named):
        try:
            found = socket.socket(fileno=os.dup(descriptor))
        except OSError:
            continue
        if _listens(found) and (named[descriptor] == name or _same(found.getsockname(), address)):
            found.setblocking(False)
            return found
        found.close()
    return None


def _named(environment: Mapping[str, str]) -> dict[int, str]:
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count = environment.get("LISTEN_FDS", "")
    names = environment.get("LISTEN_FDNAMES", "").split(":")
    numbers = range(FIRST, FIRST + (int(count) if count.isdigit() else 0))
    return {number: names[index] if index < len(names) else "" for index, number in enumerate(numbers)}


def _listens(found: socket.socket) -> bool:
    if found.type != socket.SOCK_STREAM:
        return False
    accepts = getattr(socket, "SO_ACCEPTCONN", None)
    return accepts is None or bool(found.getsockopt(socket.SOL_SOCKET, accepts))


def _same(here: Any, wanted: Any) -> bool:
    if isinstance(here, tuple) and isinstance(wanted, tuple):
        return here[:2] == wanted
    return isinstance(here, str) and here == wanted


def adopt(reactor: Any, found: socket.socket, factory: Any) -> Any:
    """Listen with a socket that is there.

    @return: the C{IListeningPort}.
    """
    try:
        # It copies the descriptor once more.
        return reactor.adoptStreamPort(found.fileno(), found.family, factory)
    finally:
        found.close()
