"""The processes of C{bench.session}: an element that counts, a user that asks it, and both ends of a stream of echoes.

C{python -m bench.session_ends --help}. The element's count is the state of the session, so that the user sees each
request that was lost or done twice.
"""

from __future__ import annotations

import argparse
import struct
import time
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.basic import Int32StringReceiver

from rserpool.core import PoolElementParameter, parse_transport_address, profile
from rserpool.element import PoolServerEndpoint
from rserpool.sctp import SctpProtocol, SctpServerEndpoint
from rserpool.session import KeyRing, Session, SessionFactory, SessionProtocol, SignedCookies
from rserpool.user import PoolUserService

POOL = "counters"
KEYS = KeyRing({"bench": b"bench" * 8})
STATE = struct.Struct("!QI")
HOST = "127.0.0.1"
reactor: Any = installed


class Counter(SessionProtocol):
    """Counts requests; one that was done already is answered again, and not counted again."""

    def sessionStarted(self, state: bytes | None) -> None:
        self.count, self.last = STATE.unpack(state) if state else (0, 0)

    def messageReceived(self, data: bytes) -> None:
        request = self.session.request
        assert request is not None
        if request.number != self.last:
            self.count += 1
            self.last = request.number
            self.session.set_state(STATE.pack(self.count, self.last))
        request.reply(b"%d" % self.count)


class Echo(SessionProtocol):
    """Sends back what comes, as message or answer."""

    def messageReceived(self, data: bytes) -> None:
        self.session.reply(data)


class BareEcho(Protocol):
    """The same without sessions, over TCP."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]


class StringEcho(Int32StringReceiver):
    """The same with Twisted's own protocol for messages, over TCP."""

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)  # type: ignore[union-attr]

    def stringReceived(self, string: bytes) -> None:
        self.sendString(string)


class BareSctpEcho(SctpProtocol):
    """The same without sessions, over SCTP."""

    def messageReceived(self, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.transport.send(data, ppid, stream)


def endpoint(kind: str) -> Any:
    """Where an element listens."""
    if kind != "sctp":
        return TCP4ServerEndpoint(reactor, 0, interface=HOST)
    return SctpServerEndpoint(reactor, 0, interface=HOST, udp=0)


def element(options: argparse.Namespace) -> None:
    """An element of the pool, which prints where it serves."""
    build = {"counter": Counter, "echo": Echo}[options.service]
    factory = SessionFactory(build, cookies=SignedCookies(KEYS))
    listening = PoolServerEndpoint(
        reactor,
        endpoint(options.kind),
        POOL,
        identifier=options.identifier,
        registrars=[parse_transport_address(options.registrar)],
        profile=profile(options.profile),
        hosts=(HOST,),
    ).listen(factory)

    def open_at(port: Any) -> None:
        port.registered.addCallback(lambda _: print("registered", port.getHost().port, flush=True))

    listening.addCallback(open_at)


def bare(options: argparse.Namespace) -> None:
    """An echo without sessions, which prints where it serves."""
    protocols: dict[str, Any] = {"tcp": BareEcho, "sctp": BareSctpEcho, "strings": StringEcho}
    factory = Factory.forProtocol(protocols[options.kind])

    def open_at(port: Any) -> None:
        host = port.getHost()
        print("open", host.port, getattr(host, "encapsulation", 0), flush=True)

    endpoint(options.kind).listen(factory).addCallback(open_at)


class User:
    """Asks again and again; says when another element serves, and what was lost or done twice."""

    def __init__(self, options: argparse.Namespace) -> None:
        address = parse_transport_address(options.registrar)
        self._user = PoolUserService(reactor, [address], profile=profile(options.profile), transport="sctp")
        self._user.startService()
        self._session = Session(
            self._user, POOL, repeat=True, timeout=None, failed_over=self._failed_over, ended=self._ended
        )
        self._count = 0
        self._pause = options.pause
        self._old = 0
        self._waiting = False
        self._ask()

    def _ask(self) -> None:
        self._session.request(b"count").addCallback(self._answered)

    def _answered(self, data: bytes) -> None:
        now = time.monotonic()
        self._count += 1
        if int(data) != self._count:
            print("wrong", int(data) - self._count, flush=True)
            self._count = int(data)
        if self._waiting or self._count == 1:
            self._waiting = False
            serving = self._session.element
            print("served", now, self._old, 0 if serving is None else serving.identifier, flush=True)
        if self._pause:
            reactor.callLater(self._pause, self._ask)
        else:
            self._ask()

    def _failed_over(self, old: PoolElementParameter, new: PoolElementParameter) -> None:
        self._old, self._waiting = old.identifier, True

    def _ended(self, error: Any) -> None:
        print("ended", error, flush=True)


def main() -> None:
    """Run one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("role", choices=("element", "bare", "user"))
    parser.add_argument("--kind", choices=("tcp", "sctp", "strings"), default="tcp")
    parser.add_argument("--service", choices=("counter", "echo"), default="counter")
    parser.add_argument("--registrar", default="127.0.0.1:3863")
    parser.add_argument("--identifier", type=int, default=None)
    parser.add_argument("--profile", default="default")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between an answer and the next request")
    options = parser.parse_args()
    if options.role == "user":
        reactor.callWhenRunning(User, options)
    else:
        reactor.callWhenRunning({"element": element, "bare": bare}[options.role], options)
    reactor.run()


if __name__ == "__main__":
    main()
