"""One client of C{bench.session}: echoes, bare or through a session, so many at a time, for so many seconds.

C{python -m bench.session_load bare|strings|messages|requests --kind tcp|sctp ...} prints C{begin}, and
C{rate MESSAGES-PER-SECOND MICROSECONDS-A-MESSAGE MESSAGES}.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.basic import Int32StringReceiver

from bench.session_ends import HOST, POOL
from rserpool.core import TransportAddress, parse_transport_address
from rserpool.sctp import SctpClientEndpoint, SctpProtocol
from rserpool.session import Session
from rserpool.user import PoolUserService

MESSAGE = bytes(100)
WARM_UP = 0.3
reactor: Any = installed


class Load:
    """Counts, and says the rate at the end."""

    def __init__(self, seconds: float) -> None:
        self.count = 0
        self._seconds = seconds

    def start(self) -> None:
        """Begin: after a moment to warm up, count."""
        reactor.callLater(WARM_UP, self._begin)

    def _begin(self) -> None:
        print("begin", flush=True)
        before, began, cpu = self.count, time.perf_counter(), time.process_time()

        def end() -> None:
            done = self.count - before
            rate, cost = done / (time.perf_counter() - began), (time.process_time() - cpu) / done
            print("rate", rate, 1e6 * cost, done, flush=True)
            reactor.stop()

        reactor.callLater(self._seconds, end)


class BareTcp(Protocol):
    """Echoes over TCP; messages have a fixed length."""

    def __init__(self, load: Load, depth: int) -> None:
        self._load = load
        self._depth = depth
        self._rest = 0

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]
        for _ in range(self._depth):
            self.transport.write(MESSAGE)  # type: ignore[union-attr]
        self._load.start()

    def dataReceived(self, data: bytes) -> None:
        whole, self._rest = divmod(self._rest + len(data), len(MESSAGE))
        self._load.count += whole
        for _ in range(whole):
            self.transport.write(MESSAGE)  # type: ignore[union-attr]


class Strings(Int32StringReceiver):
    """Echoes of messages over TCP."""

    def __init__(self, load: Load, depth: int) -> None:
        self._load = load
        self._depth = depth

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]
        for _ in range(self._depth):
            self.sendString(MESSAGE)
        self._load.start()

    def stringReceived(self, string: bytes) -> None:
        self._load.count += 1
        self.sendString(MESSAGE)


class BareSctp(SctpProtocol):
    """Echoes over SCTP."""

    def __init__(self, load: Load, depth: int) -> None:
        self._load = load
        self._depth = depth

    def connectionMade(self) -> None:
        for _ in range(self._depth):
            self.transport.send(MESSAGE)
        self._load.start()

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self._load.count += 1
        self.transport.send(MESSAGE)


def bare(options: argparse.Namespace, load: Load) -> None:
    """Without a session."""
    port, udp = map(int, options.bare.split(":"))
    if options.kind == "tcp":
        endpoint: Any = TCP4ClientEndpoint(reactor, HOST, port)
        kind: Any = BareTcp if options.style == "bare" else Strings
    else:
        endpoint, kind = SctpClientEndpoint(reactor, TransportAddress((HOST,), port, udp)), BareSctp
    endpoint.connect(Factory.forProtocol(lambda: kind(load, options.depth)))  # type: ignore[arg-type]


def through_session(options: argparse.Namespace, load: Load) -> None:
    """Through a session."""
    user = PoolUserService(reactor, [parse_transport_address(options.registrar)], transport="sctp")
    user.startService()
    session = Session(user, POOL, repeat=True)

    def received(data: bytes) -> None:
        load.count += 1
        session.send(MESSAGE)

    def answered(data: bytes) -> None:
        load.count += 1
        session.request(MESSAGE).addCallback(answered)

    def begin(_: Any) -> None:
        for _ in range(options.depth):
            if options.style == "messages":
                session.send(MESSAGE)
            else:
                session.request(MESSAGE).addCallback(answered)
        load.start()

    session.received = received
    session.ready().addCallback(begin)


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("style", choices=("bare", "strings", "messages", "requests"))
    parser.add_argument("--kind", choices=("tcp", "sctp"), default="tcp")
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--registrar", default="127.0.0.1:3863")
    parser.add_argument("--bare", default="0:0", metavar="PORT:UDP-PORT")
    options = parser.parse_args()
    client = through_session if options.style in ("messages", "requests") else bare
    reactor.callWhenRunning(client, options, Load(options.seconds))
    reactor.run()


if __name__ == "__main__":
    main()
