"""A Unix socket that only its owner can open, from its first moment on, and that no living process loses."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import struct
from pathlib import Path
from typing import Any

from twisted.internet.error import CannotListenError

from rserpool.core.errors import ConfigurationError
from rserpool.node.activation import adopt, inherited
from rserpool.node.own_ports import own_port

ONLY_US = 0o177
"""The mask of a file that has the mode 0600."""


def listen_unix(reactor: Any, path: str, factory: Any) -> Any:
    """Listen at a path; two that start at once do not take it from each other: its directory is locked meanwhile.

    One that systemd has opened there, or under the name C{admin}, is taken as it is: its unit says who may open it.

    @return: the C{IListeningPort}.
    @raise ConfigurationError: if that is impossible there, or another process listens: the text says which.
    """
    found = inherited("admin", path)
    if found is not None:
        return own_port(adopt(reactor, found, factory))
    try:
        directory = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            _clear(path)
            before = os.umask(ONLY_US)
            try:
                # Without a mode of its own Twisted opens it to the world, also where it is bound already.
                return own_port(reactor.listenUNIX(path, factory, mode=0o600))
            finally:
                os.umask(before)
        finally:
            os.close(directory)
    except CannotListenError as error:
        raise _cannot(path, error.socketError) from None
    except OSError as error:
        raise _cannot(path, error) from None


def _cannot(path: str, error: Any) -> ConfigurationError:
    return ConfigurationError(f"cannot listen on {path}: {getattr(error, 'strerror', None) or error}")


def _clear(path: str) -> None:
    """Remove a socket that nobody listens on any more."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(status.st_mode):
        raise ConfigurationError(f"cannot listen on {path}: there is a file that is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(path)
        except TimeoutError:
            pass  # It has so much to do that it accepts nobody: it lives.
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise
            os.unlink(path)
            return
    raise ConfigurationError(f"cannot listen on {path}: a process that runs listens there; give each a path of its own")


def peer_of(connection: socket.socket) -> tuple[int, int]:
    """Who is at the other end: the process and the user (SO_PEERCRED)."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return 0, os.geteuid()
    pid, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return pid, uid
