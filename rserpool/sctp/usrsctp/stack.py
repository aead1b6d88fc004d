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
from rserpool.sctp.sockets import SocketStack
from rserpool.sctp.usrsctp.endpoint import UsrsctpEndpoint
from rserpool.sctp.usrsctp.engine import Engine
from rserpool.sctp.usrsctp.library import load
from rserpool.sctp.usrsctp.udp import UdpSocket, bind


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
    global _shared
    library = load()
    if _shared is None or not _shared.engine.clock.running:
        _shared = Shared(Engine(reactor, library))
    elif _shared.engine.reactor is not reactor:
        raise RuntimeError("libusrsctp is in use by another reactor of this process")
    stack = UsrsctpStack(_shared, profile)
    stack.listen_udp(hosts or ("127.0.0.1",), encapsulation, registrar)
    _shared.stacks[stack] = None
    try:
        _shared.engine.start()
    except BaseException:
        stack.close()
        raise
    return stack


class Shared:
    """What the stacks of a process share: libusrsctp keeps its state in global variables.

    @ivar stacks: who uses it.
    @ivar udp: all UDP sockets of the process, by port and host.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.stacks: dict[UsrsctpStack, None] = {}
        self.udp: dict[int, dict[str, UdpSocket]] = {}

    def open_udp(self, host: str, port: int) -> UdpSocket:
        """Open a UDP socket and read from it.

        @raise OSError: if the port is taken, or the address is not ours.
        """
        bound = bind(host, port)
        if not port and bound.getsockname()[1] in REGISTRAR_ENCAPSULATION_PORTS:
            # The system's range may be wide: these are for registrars, who are looked for there.
            with bound:
                return self.open_udp(host, 0)
        kind = UdpSocket
        if host in ("0.0.0.0", "::"):
            from rserpool.sctp.usrsctp.wildcard import WildcardSocket

            kind = WildcardSocket
        udp = kind(self.engine, self.engine.reactor, bound, host)
        self.udp.setdefault(udp.port, {})[host] = udp
        udp.start()
        return udp

    def close_udp(self, udp: UdpSocket) -> None:
        """Close a socket that L{open_udp} has opened."""
        udp.close()
        hosts = self.udp[udp.port]
        del hosts[udp.host]
        if not hosts:
            del self.udp[udp.port]


_shared: Shared | None = None


@implementer(ISctpStack)
class UsrsctpStack(SocketStack[UsrsctpEndpoint]):
    """See L{ISctpStack<rserpool.sctp.interfaces.ISctpStack>}; several share one library.

    SCTP ports belong to the process: two shares cannot both open the same one.
    """

    name = "usrsctp"

    def __init__(self, shared: Shared, profile: Profile) -> None:
        super().__init__(shared.engine.reactor, profile, ())
        self.engine = shared.engine
        self.encapsulation_port = 0
        self._shared = shared
        self._waiting: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<usrsctp {','.join(self.hosts)} UDP {self.encapsulation_port}>"

    @property
    def heartbeats(self) -> int:  # type: ignore[override]
        """Those of the whole process: it has one library."""
        return self.engine.clock.pace.beats

    def listen_udp(self, hosts: tuple[str, ...], encapsulation: int | None, registrar: bool) -> None:
        """Choose the UDP port, open its sockets.

        @raise CannotListenError: if it is taken or an address is not local.
        """
        udp = self._shared.udp
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
        try:
            self._open(hosts, candidates[-1])
        except CannotListenError as error:
            if candidates is REGISTRAR_ENCAPSULATION_PORTS and error.socketError.errno == EADDRINUSE:
                all_taken = "all UDP ports of registrars, 9899 to 9892, are taken; choose another"
                raise CannotListenError(error.interface, error.port, OSError(EADDRINUSE, all_taken)) from None
            raise

    def _open(self, hosts: tuple[str, ...], port: int) -> None:
        opened: list[UdpSocket] = []
        for host in hosts:
            present = self._shared.udp.get(port, {}).get(host)
            if present is not None:
                # Whoever empties a reactor, as trial does after tests, has taken it away.
                present.start()
                continue
            try:
                opened.append(self._shared.open_udp(host, port))
            except OSError as error:
                for udp in opened:
                    self._shared.close_udp(udp)
                raise CannotListenError(host, port, error) from None
            port = opened[-1].port
        self.encapsulation_port = port
        self.hosts = tuple(dict.fromkeys((*self.hosts, *hosts)))

    def open(
        self, port: int, handler: ISctpHandler, hosts: tuple[str, ...] = (), listening: bool = True
    ) -> UsrsctpEndpoint:
        hosts = self._own(hosts, port)
        sockets = self.sockets_at(hosts)
        return self._opened(UsrsctpEndpoint(self, self.engine, port, handler, hosts, sockets), listening)

    def sockets_at(self, hosts: tuple[str, ...]) -> tuple[UdpSocket, ...]:
        """The UDP sockets that have these addresses.

        @raise CannotListenError: if one is not local, or the port is taken there.
        """
        there = self._shared.udp.get(self.encapsulation_port, {})
        # Where a socket has all addresses of a family, one for some of them cannot be beside it: it is told which.
        covering = {host: there.get("::" if ":" in host else "0.0.0.0") for host in hosts}  # noqa: S104
        self._open(tuple(host for host in hosts if covering[host] is None), self.encapsulation_port)
        own = self._shared.udp[self.encapsulation_port]
        return tuple(dict.fromkeys(covering[host] or own[host] for host in hosts))

    def leave(self, sockets: tuple[UdpSocket, ...]) -> None:
        """An endpoint needs these no more: those that nobody needs are closed."""
        for udp in sockets:
            if all(udp not in owner.udp_sockets for owner in self.engine.endpoints.values()):
                self._shared.close_udp(udp)
                self.hosts = tuple(host for host in self.hosts if host != udp.host)

    def close(self) -> Deferred[None]:
        if self not in self._shared.stacks:
            return succeed(None)
        done: Deferred[None] = Deferred()
        self._waiting.append(done)
        if not self._closed:
            super().close().addCallback(self._release)
        return done

    def _release(self, _: None) -> None:
        shared = self._shared
        del shared.stacks[self]
        if all(stack.encapsulation_port != self.encapsulation_port for stack in shared.stacks):
            for udp in list(shared.udp.get(self.encapsulation_port, {}).values()):
                shared.close_udp(udp)
        if shared.stacks:
            self._released(None)
        else:
            self.engine.clock.finish().addCallback(self._released)

    def _released(self, _: None) -> None:
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.callback(None)
