"""A twistd plugin for tests: ports that open early, late or never, and requests that last as long as we want."""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.protocols.basic import LineReceiver
from twisted.python import usage

from rserpool.sctp import listenSCTP
from rserpool.session import KeyRing, SessionFactory, SessionProtocol, SignedCookies

KEYS = KeyRing({"test": b"the elements of a test"})
LATE = 0.3
"""Seconds after the start when the port of a late service opens."""


class Requests(LineReceiver):
    """A request begins with the line C{begin}; its answer, C{done}, follows when C{end} comes."""

    delimiter = b"\n"

    def lineReceived(self, line: bytes) -> None:
        if line == b"begin":
            print("a request has begun", flush=True)
            self.sendLine(b"begun")
        elif line == b"end":
            self.sendLine(b"done")
            self.transport.loseConnection()


class Counter(SessionProtocol):
    """Counts requests; the count, and the number of the last request, are the state of the session."""

    def sessionStarted(self, state: bytes | None) -> None:
        self.count, self.last = map(int, (state or b"0 0").split())

    def messageReceived(self, data: bytes) -> bytes:
        number = self.session.request.number
        if number != self.last:
            self.count, self.last = self.count + 1, number
            self.session.set_state(b"%d %d" % (self.count, self.last))
        return b"%d" % self.count


class Echo(DatagramProtocol):
    """Sends back what comes."""

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.transport.write(datagram, addr)


class Served(Service):
    """Opens what its options say."""

    def __init__(self, reactor: Any, kind: str, interface: str) -> None:
        self._reactor = reactor
        self._kind = kind
        self._interface = interface
        self._ports: list[Any] = []

    def startService(self) -> None:
        super().startService()
        if self._kind == "late":
            self._reactor.callLater(LATE, self._listen)
        elif self._kind.startswith("session"):
            factory = SessionFactory(Counter, cookies=SignedCookies(KEYS))
            if self._kind == "session-tcp":
                self._ports.append(self._reactor.listenTCP(0, factory, interface=self._interface))
            else:
                hosts = (self._interface,) if self._interface else ()
                self._ports.append(listenSCTP(self._reactor, 0, factory, hosts, encapsulation=0))
        elif self._kind == "udp":
            self._ports.append(self._reactor.listenUDP(0, Echo(), interface=self._interface))
        elif self._kind != "none":
            self._listen()
            if self._kind == "two":
                self._listen()

    def _listen(self) -> None:
        port = self._reactor.listenTCP(0, Factory.forProtocol(Requests), interface=self._interface)
        self._ports.append(port)
        print(f"open at {port.getHost().port}", flush=True)

    async def _stop(self) -> None:
        for port in self._ports:
            await port.stopListening()

    def stopService(self) -> Any:
        from twisted.internet.defer import ensureDeferred

        super().stopService()
        return ensureDeferred(self._stop())


class Options(usage.Options):
    """What the service does."""

    optParameters = [
        ["kind", None, "tcp", "tcp, udp, late, two, none, session-tcp or session-sctp"],
        ["interface", None, "", "where to listen"],
    ]

    def postOptions(self) -> None:
        if self["kind"] not in ("tcp", "udp", "late", "two", "none", "session-tcp", "session-sctp"):
            raise usage.UsageError(f"there is no kind {self['kind']!r}")


def makeService(options: Options) -> IService:
    from twisted.internet import reactor

    return Served(reactor, options["kind"], options["interface"])
