"""Many elements of one pool at one association: C{many REGISTRAR COUNT}. It says "registered COUNT", and answers."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor
from twisted.python.failure import Failure

from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport, TransportAddress, parse_transport_address
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import PPID_ASAP, SctpHandler

AT_ONCE = 50
"""So many registrations are under way."""


class Many(SctpHandler):
    """Registers all of them, and answers keep-alives for all."""

    def __init__(self, where: TransportAddress, count: int) -> None:
        self._count = count
        self._sent = self._granted = 0
        (host,) = where.hosts
        stack = open_stack(reactor, profile=DEFAULT, hosts=(host,))
        self._host = host
        stack.open(0, self, (host,)).connect(where)

    def associationUp(self, association: ISctpAssociation) -> None:
        for _ in range(AT_ONCE):
            self._register(association)

    def _register(self, association: ISctpAssociation) -> None:
        if self._sent < self._count:
            self._sent += 1
            transport = TcpTransport(8000, self._host)
            element = PoolElementParameter(self._sent, 0, 3600, transport, PolicyParameter(1))
            association.send(asap.encode(asap.Registration(b"many", element)), PPID_ASAP)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        message = asap.decode(data).message
        if isinstance(message, asap.EndpointKeepAlive) and message.identifier is not None:
            association.send(asap.encode(asap.EndpointKeepAliveAck(message.handle, message.identifier)), PPID_ASAP)
        elif isinstance(message, asap.RegistrationResponse):
            self._granted += not message.rejected
            self._register(association)
            if self._granted == self._count:
                print(f"registered {self._count}", flush=True)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        print("lost", reason.getErrorMessage(), flush=True)


if __name__ == "__main__":
    loop: Any = reactor
    loop.callWhenRunning(Many, parse_transport_address(sys.argv[1]), int(sys.argv[2]))
    loop.run()
