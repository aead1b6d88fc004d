"""C{twistd rserpool-echo} and the other classic services: what C{twistd rserpool-pe} serves in pools."""

from __future__ import annotations

import rserpool.tap.interrupts  # noqa: F401  # isort: skip

import os
from dataclasses import replace
from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.logger import Logger
from twisted.python import usage
from zope.interface import implementer

from rserpool.core.addresses import TransportAddress
from rserpool.core.reading import above_0, between, number, parse_transport_address
from rserpool.core.session.cookies import SignedCookies
from rserpool.node.candidates import THIS_HOST
from rserpool.sctp.lookup import own
from rserpool.sctp.one_to_one.endpoints import SctpServerEndpoint
from rserpool.sctp.stack import load_stack
from rserpool.services.calcapp.calculator import Terms
from rserpool.services.calcapp.element import CalcAppFactory
from rserpool.services.calcapp.messages import LARGEST
from rserpool.services.classic import Classic
from rserpool.services.fractal.element import FractalFactory
from rserpool.services.fractal.painter import Painter
from rserpool.services.names import POOLS, TITLES
from rserpool.services.pingpong import PingPongFactory
from rserpool.services.tls import shown
from rserpool.session.keys import KeyFile
from rserpool.tap.options import Subcommand, backend, read


class ServiceOptions(Subcommand):
    """What C{twistd rserpool-echo --help} shows."""

    service = title = ""
    sessions = False
    """Whether it serves sessions, which are within TLS over SCTP, too."""
    hosts: tuple[str, ...] = (THIS_HOST,)
    """Where it serves, unless --sctp or --tcp say so; rserpool-pe puts the element's own addresses here."""
    key_file: KeyFile | None = None
    optParameters = [
        ["sctp", None, None, "[HOST[,HOST...]:]PORT to serve at over SCTP (any, at the element's addresses)"],
        ["tcp", None, None, "[HOST:]PORT to serve at over TCP, instead; 0 for any port"],
        ["backend", None, "auto", "SCTP: auto, kernel or usrsctp (that of rserpool-pe)"],
        ["tls", None, None, "DIR with certificate.pem and private-key.pem: speak TLS alone (with --tcp)"],
    ]
    tls: Any = None

    @property
    def longdesc(self) -> str:
        """A sentence for C{--help} that shows it in a pool."""
        return (
            f"{self.title}, as rsplib has it. To serve in a pool: "
            f"twistd -n --pidfile= rserpool-pe --pool {POOLS[self.service]} -- rserpool-{self.service}"
        )

    def postOptions(self) -> None:
        """Read every value, so that a mistake shows before anything starts."""
        if self["sctp"] is not None and self["tcp"] is not None:
            raise usage.UsageError("--sctp and --tcp exclude each other: an element serves over one of them")
        self.backend = read("backend", self["backend"], backend)
        self.protocol = "sctp" if self["tcp"] is None else "tcp"
        self.place = read(self.protocol, self[self.protocol] or "0", self._place)
        if self["tls"] is not None:
            if self.protocol == "sctp" and not self.sessions:
                raise usage.UsageError("--tls goes with --tcp: over SCTP messages of this service are sent as they are")
            self.tls = read("tls", self["tls"], shown)

    def _place(self, text: str) -> TransportAddress:
        if ":" in text:
            return own(parse_transport_address(text))
        return replace(parse_transport_address(f"{THIS_HOST}:{text}"), hosts=self.hosts)

    def factory(self, reactor: Any) -> Any:
        """The factory that serves, for SCTP and TCP alike."""
        classic = Classic(self.service, reactor)
        if self.tls is None:
            return classic
        from twisted.protocols.tls import TLSMemoryBIOFactory

        return TLSMemoryBIOFactory(self.tls, False, classic, reactor)


class SessionOptions(ServiceOptions):
    """What services have in common whose sessions go on elsewhere by cookie."""

    sessions = True
    optParameters = [
        ["cookie-keys", None, None, "FILE of keys that sign cookies, lines of NAME HEXADECIMAL; not for rsplib"],
    ]

    def postOptions(self) -> None:
        super().postOptions()
        if self["cookie-keys"] is not None:
            read("cookie-keys", self["cookie-keys"], lambda path: _keys(None, path))

    def cookies(self, reactor: Any) -> SignedCookies | None:
        """What signs cookies; None if nobody does."""
        if self["cookie-keys"] is None:
            return None
        self.key_file = _keys(reactor, self["cookie-keys"])
        return SignedCookies(self.key_file.ring)


class PingPongOptions(SessionOptions):
    """What C{twistd rserpool-pingpong --help} shows."""

    optParameters = [
        ["fail-after", None, None, "drop each session after so many replies, to try failovers"],
    ]

    def postOptions(self) -> None:
        super().postOptions()
        self.fail_after = None
        if self["fail-after"] is not None:
            self.fail_after = read("fail-after", self["fail-after"], between(1, 2**31))

    def factory(self, reactor: Any) -> Any:
        return PingPongFactory(cookies=self.cookies(reactor), fail_after=self.fail_after, tls=self.tls)


class CalcAppOptions(SessionOptions):
    """What C{twistd rserpool-calcapp --help} shows."""

    optParameters = [
        ["capacity", None, "1000000", "calculations a second, which all jobs share"],
        ["jobs", None, "10", "how many at a time; others are rejected"],
        ["cookie-seconds", None, "1", "at the latest after so long a job leaves its state with its user,"],
        ["cookie-calculations", None, "500000", "or after so many calculations of its own"],
    ]

    def postOptions(self) -> None:
        super().postOptions()
        kinds = {
            "capacity": _calculations,
            "cookie-calculations": _calculations,
            "cookie-seconds": above_0(float),
            "jobs": between(1, 2**16),
        }
        values: dict[str, Any] = {name.replace("-", "_"): read(name, self[name], kind) for name, kind in kinds.items()}
        self.terms = Terms(**values)

    def factory(self, reactor: Any) -> Any:
        return CalcAppFactory(reactor, self.terms, cookies=self.cookies(reactor), tls=self.tls)


class FractalOptions(SessionOptions):
    """What C{twistd rserpool-fractal --help} shows."""

    optParameters = [
        ["cookie-seconds", None, "1", "after so long a tile leaves its state with its user,"],
        ["cookie-messages", None, "50", "or after so many messages with points"],
    ]

    def postOptions(self) -> None:
        super().postOptions()
        self.cookie_seconds = read("cookie-seconds", self["cookie-seconds"], above_0(float))
        self.cookie_messages = read("cookie-messages", self["cookie-messages"], above_0(int))

    def factory(self, reactor: Any) -> Any:
        painter = Painter(self.cookie_seconds, self.cookie_messages)
        return FractalFactory(reactor, painter, cookies=self.cookies(reactor), tls=self.tls)


_calculations = number(float, lambda found: 0 < found <= LARGEST, lambda text: f"{text!r} is not a number above 0")
_OPTIONS: dict[str, type[ServiceOptions]] = {
    "pingpong": PingPongOptions,
    "calcapp": CalcAppOptions,
    "fractal": FractalOptions,
}


def options_of(service: str) -> ServiceOptions:
    """New options of the service of this name in L{POOLS<rserpool.services.names.POOLS>}."""
    options = _OPTIONS.get(service, ServiceOptions)()
    options.service = service
    options.title = TITLES.get(service, service.capitalize())
    options.name = f"rserpool-{service}"
    return options


def makeService(options: ServiceOptions) -> IService:
    """The service that C{twistd} starts."""
    from twisted.internet import reactor

    place = options.place
    # A socket of TCP has one address, or all.
    alone = place.hosts[0] if len(place.hosts) == 1 else None
    endpoint: Any
    if options.protocol == "sctp":
        load_stack(options.backend)
        endpoint = SctpServerEndpoint(reactor, place.port, ",".join(place.hosts), backend=options.backend)
    elif any(":" in host for host in place.hosts):
        endpoint = TCP6ServerEndpoint(reactor, place.port, interface=alone or "::")
    else:
        endpoint = TCP4ServerEndpoint(reactor, place.port, interface=alone or "")
    serving: Any = StreamServerEndpointService(_Told(endpoint, options.name), options.factory(reactor))
    # A port that is taken ends the process with a sentence.
    serving._raiseSynchronously = True
    if options.key_file is None:
        return serving  # type: ignore[no-any-return]
    services = MultiService()
    options.key_file.setServiceParent(services)
    serving.setServiceParent(services)
    return services


@implementer(IStreamServerEndpoint)
class _Told:
    """An endpoint that says in the log where it listens."""

    _log = Logger()

    def __init__(self, inner: IStreamServerEndpoint, name: str) -> None:
        self.inner = inner
        self._name = name

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """See C{IStreamServerEndpoint.listen}."""
        return self.inner.listen(protocolFactory).addCallback(self._tell)

    def _tell(self, port: IListeningPort) -> IListeningPort:
        at: Any = port.getHost()
        hosts = getattr(at, "hosts", None) or (at.host,)
        where = TransportAddress(tuple(hosts), at.port, getattr(at, "encapsulation", 0) or 0)
        self._log.info("{name} listens at {where} ({kind})", name=self._name, where=str(where), kind=at.type.lower())
        return port


def _keys(reactor: Any, path: str) -> KeyFile:
    return KeyFile(reactor, os.path.expanduser(path))
