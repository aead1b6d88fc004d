"""Reads messages and notifications of the kernel's SCTP, several at a time: by one system call for each, or by one for
all where messages.c is compiled."""

from __future__ import annotations

import socket
from collections.abc import Callable
from socket import ntohl
from typing import TypeAlias

from rserpool.sctp.base import MAX_MESSAGE
from rserpool.sctp.compiled import MESSAGES
from rserpool.sctp.kernel.options import CMSG_NXTINFO, CMSG_RCVINFO, MSG_NOTIFICATION, SCTP_UNORDERED
from rserpool.sctp.sockets import RCVINFO

Came: TypeAlias = tuple[int, bytes, int, int, bool, bool, bool]
"""Whose it is (the kernel's number; 0 where it says nothing), the data, PPID in host order, and stream; whether it is
unordered, whether it ends here, and whether it is a notification."""
Receive: TypeAlias = Callable[[socket.socket], tuple[list[Came], bool]]
AT_ONCE = 16
"""So many are read at a time, as messages.c has it."""
ROOM = MAX_MESSAGE + 1024
"""Bytes for one message, or for a notification with the message that could not be sent."""
_ANCILLARY = socket.CMSG_SPACE(RCVINFO.size) + socket.CMSG_SPACE(16)
_MSG_EOR = int(socket.MSG_EOR)
"""As an integer: an enum's operators are slow."""


def receive(sock: socket.socket) -> tuple[list[Came], bool]:
    """Read what came to a socket.

    @return: at most L{AT_ONCE}, and whether there may be more.
    @raise OSError: if it cannot be read.
    """
    came: list[Came] = []
    while len(came) < AT_ONCE:
        try:
            data, ancillary, flags, _ = sock.recvmsg(ROOM, _ANCILLARY)
        except BlockingIOError:
            return came, False
        except OSError:
            if came:
                # Whoever reads on is told.
                break
            raise
        identifier, stream, bits, ppid = 0, 0, 0, 0
        if ancillary:
            _, kind, information = ancillary[-1]
            if kind == CMSG_RCVINFO and len(information) == RCVINFO.size:
                stream, _, bits, ppid, _, _, _, identifier = RCVINFO.unpack(information)
        whole, notification = flags & _MSG_EOR != 0, flags & MSG_NOTIFICATION != 0
        came.append((identifier, data, ntohl(ppid), stream, bits & SCTP_UNORDERED != 0, whole, notification))
        if whole and (not ancillary or ancillary[0][1] != CMSG_NXTINFO):
            # No next message was announced: the queue is empty.
            return came, False
        if not whole and not data and not ancillary:
            # The end of the file, as often as one reads.
            return came, False
    return came, True


def receiving() -> Receive:
    """What reads: compiled, where that is possible."""
    module = MESSAGES.load()
    compiled: Receive = receive if module is None else module.receive
    return compiled
