"""The usrsctp backend as its users see it: a share of the process's one library, with UDP sockets (RFC 6951)."""

from __future__ import annotations

from errno import EADDRINUSE
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from zope.interface import implementer

from rserpool.core.profiles import DEFAULT, Profile
from rserpool.sctp.base import REGISTRAR_ENCAPSULATION_PORTS
from rserpool.sctp.interfaces import ISctpHandler, ISctpStack
from rserpool.sctp.usrsctp.endpoint import Endpoint
from rserpool.sctp.usrsctp.engine import Engine
from rserpool.sctp.usrsctp.library import load
from rserpool.sctp.usrsctp.udp import UdpSocket

_engine: Engine | None = None
"""libusrsctp keeps its state in global variables: there is one for the process."""


def open_usrsctp(
    reactor: Any,
    *,
    profile: Profile = DEFAULT,
    hosts: tuple[str, ...] = ("127.0.0.1",),
    encapsulation: int | None = None,
    registrar: bool = False,
) -> UsrsctpStack:
    """Open SCTP over UDP, or a further share of it.

    @param hosts: local IP addresses.
    @param encapsulation: the UDP port; 0 means any, C{None} the first free one of a registrar, or an ephemeral one.
        With C{None} a port that this process has already is shared.
    @raise SctpUnavailable: if libusrsctp is missing, or not one that we know.
    @raise CannotListenError: if the UDP port is taken or an address is not local.
    """
    global _engine
    library = load()
    if _engine is None or not _engine.running:
        _engine = Engine(reactor, library)
    elif _engine.reactor is not reactor:
        raise RuntimeError("libusrsctp is in use by another reactor of this process")
    stack = UsrsctpStack(_engine, profile)
    stack.listen_udp(hosts or ("127.0.0.1",), encapsulation, registrar)
    _engine.shares[stack] = None
    try:
        _engine.start()
    except BaseException:
        stack.close()
        raise
    return stack


@implementer(ISctpStack)
class UsrsctpStack:
    """See L{ISctpStack<rserpool.sctp.interfaces.ISctpStack>}; several share one library.

    SCTP ports belong to the process: two shares cannot both open the same one.
    """

    name = "usrsctp"

    def __init__(self, engine: Engine, profile: Profile) -> None:
        self.engine = engine
        self.profile = profile
        self.encapsulation_port = 0
        self.hosts: tuple[str, ...] = ()
        self._endpoints: dict[Endpoint, None] = {}
        self._closed = False
        self._waiting: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<usrsctp {','.join(self.hosts)} UDP {self.encapsulation_port}>"

    def listen_udp(self, hosts: tuple[str, ...], encapsulation: int | None, registrar: bool) -> None:
        """Choose the UDP port, open its sockets.

        @raise CannotListenError: if it is taken or an address is not local.
        """
        udp = self.engine.udp
        if encapsulation is not None:
            candidates: tuple[int, ...] = (encapsulation,)
        elif registrar:
            own = tuple(port for port in REGISTRAR_ENCAPSULATION_PORTS if port in udp)
            candidates = own or REGISTRAR_ENCAPSULATION_PORTS
        else:
            candidates = (*list(udp)[:1], 0, 0, 0)
        for port in candidates[:-1]:
            try:
                self._open(hosts, port)
                return
            except CannotListenError as error:
                if error.socketError.errno != EADDRINUSE:
                    raise
        self._open(hosts, candidates[-1])

    def _open(self, hosts: tuple[str, ...], port: int) -> None:
        opened: list[UdpSocket] = []
        for host in hosts:
            if host in self.engine.udp.get(port, ()):
                continue
            try:
                opened.append(self.engine.open_udp(host, port))
            except OSError as error:
                for udp in opened:
                    self.engine.close_udp(udp)
                raise CannotListenError(host, port, error) from None
            port = opened[-1].port
        self.encapsulation_port = port
        self.hosts = tuple(dict.fromkeys((*self.hosts, *hosts)))

    def open(self, port: int, handler: ISctpHandler, hosts: tuple[str, ...] = (), listening: bool = True) -> Endpoint:
        if self._closed:
            raise CannotListenError(hosts[0] if hosts else "", port, OSError("the stack is closed"))
        hosts = tuple(dict.fromkeys(hosts)) or self.hosts
        self._open(hosts, self.encapsulation_port)
        sockets = tuple(self.engine.udp[self.encapsulation_port][host] for host in hosts)
        endpoint = Endpoint(self.engine, self.profile, port, handler, hosts, sockets, self._forget)
        try:
            endpoint.open(listening)
        except OSError as error:
            raise CannotListenError(hosts[0], port, error) from None
        self._endpoints[endpoint] = None
        return endpoint

    def _forget(self, endpoint: Endpoint) -> None:
        self._endpoints.pop(endpoint, None)

    def close(self) -> Deferred[None]:
        if self not in self.engine.shares:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        if not self._closed:
            self._closed = True
            for endpoint in list(self._endpoints):
                endpoint.abort()
            # After the calls that abort() scheduled for the same instant.
            self.engine.reactor.callLater(0, self._release)
        return done

    def _release(self) -> None:
        engine = self.engine
        del engine.shares[self]
        if all(share.encapsulation_port != self.encapsulation_port for share in engine.shares):
            for udp in list(engine.udp.get(self.encapsulation_port, {}).values()):
                engine.close_udp(udp)
        if engine.shares:
            self._released(None)
        else:
            engine.finish().addCallback(self._released)

    def _released(self, _: None) -> None:
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.callback(None)
