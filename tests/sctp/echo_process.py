"""A process with an SCTP endpoint that echoes, for tests and benchmarks that stop, kill and load real processes.

C{python -m tests.sctp.echo_process HOST PROFILE [PORT UDP-PORT [PEER]]} prints C{SCTP-PORT UDP-PORT} when it is ready,
dials the peer if there is one, and prints one line for each thing that happens: C{up}, C{lost REASON}.
"""

from __future__ import annotations

import sys

from twisted.internet import reactor
from twisted.python.failure import Failure

from rserpool.core import parse_transport_address, profile
from rserpool.sctp import ISctpAssociation, open_stack
from rserpool.sctp.base import SctpHandler


class Echo(SctpHandler):
    """Sends back what it receives; C{close}, C{abort} and C{exit} are obeyed instead."""

    def associationUp(self, association: ISctpAssociation) -> None:
        print("up", flush=True)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        print("lost", type(reason.value).__name__, flush=True)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if data == b"close":
            association.close()
        elif data == b"abort":
            association.abort()
        elif data == b"exit":
            reactor.stop()  # type: ignore[attr-defined]
        else:
            association.send(data, ppid, stream, unordered)


def main(host: str, profile_name: str, port: str = "0", udp: str = "0", peer: str = "") -> None:
    """Run until killed."""
    stack = open_stack(reactor, backend="usrsctp", profile=profile(profile_name), hosts=(host,), encapsulation=int(udp))
    endpoint = stack.open(int(port), Echo(), (host,))
    print(endpoint.port, stack.encapsulation_port, flush=True)
    if peer:
        endpoint.connect(parse_transport_address(peer)).send(b"hello")
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
