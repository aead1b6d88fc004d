"""The floor of a registrar over the kernel's SCTP: a loop that receives, copies an answer together, and sends.

A process of its own, started by C{bench.reference}: C{python -m bench.reference_floor HOST:PORT}. It keeps nothing:
what it costs are the system calls, and the interpreter's way to them.
"""

from __future__ import annotations

import select
import socket
import sys

from bench.reference_load import ASAP, IPPROTO_SCTP, ITEMS, POOL
from rserpool.core import PolicyParameter, PoolElementParameter, SctpTransport
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import encode_pool_element

SCTP_RECVRCVINFO = 32
RCVINFO_ASSOCIATION = slice(24, 28)
IDENTIFIER = slice(20, 24)
"""Where the PE identifier stands in a registration and a deregistration of the pool, 5 bytes being its handle."""


def answers() -> dict[int, tuple[bytes, bool]]:
    """The answer to each message type, and whether the PE identifier ends it."""
    element = PoolElementParameter(
        1, 1, 60, SctpTransport(5000, 0, ("10.0.0.1",)), PolicyParameter(1), SctpTransport(5000, 0, ("10.0.0.1",))
    )
    resolved = asap.encode_handle_resolution_response(POOL, b"", [encode_pool_element(element)] * ITEMS)
    found = {asap.HandleResolution.TYPE: (resolved, False)}
    for asked, answer in (
        (asap.Registration, asap.RegistrationResponse(POOL, 1)),
        (asap.Deregistration, asap.DeregistrationResponse(POOL, 1)),
    ):
        found[asked.TYPE] = (asap.encode(answer)[:-4], True)
    return found


def main() -> None:
    """Serve until it is ended."""
    host, _, port = sys.argv[1].rpartition(":")
    ready = answers()
    serving = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, IPPROTO_SCTP)
    serving.setsockopt(IPPROTO_SCTP, SCTP_RECVRCVINFO, 1)
    serving.bind((host, int(port)))
    serving.listen(100)
    serving.setblocking(False)
    waiting = select.epoll()
    waiting.register(serving, select.EPOLLIN)
    level, kind, information = ASAP[0]
    while True:
        waiting.poll()
        while True:
            try:
                data, found, _, _ = serving.recvmsg(65536, 64)
            except BlockingIOError:
                break
            association = found[0][2][RCVINFO_ASSOCIATION]
            answer, identified = ready[data[0]]
            if identified:
                answer += data[IDENTIFIER]
            serving.sendmsg([answer], [(level, kind, information[:12] + association)])


if __name__ == "__main__":
    main()
