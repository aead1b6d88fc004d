"""How a registrar is secured: TLS at ports of their own, and what becomes of the ports in the clear beside them.

Required: there everybody is told that nothing is believed (L{ClearPort}). Offered: there everybody is believed, and the
scope is not secure. Users in the clear may be answered in both (RFC 5352 section 9.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rserpool.core.access import PLAIN, Access, State
from rserpool.core.addresses import ENRP_TLS_PORT, TransportAddress, in_the_clear, over_tls
from rserpool.core.registrar import Registrar
from rserpool.node.listening import listen_tcp
from rserpool.node.neighbours import beside
from rserpool.node.node import Node, NodeChannel
from rserpool.node.securing import tls_of
from rserpool.registrar.clear_ports import ClearPort, refused_asap, refused_enrp
from rserpool.sctp.base import PPID_ENRP
from rserpool.sctp.interfaces import ISctpStack
from rserpool.security.following import Secured, told
from rserpool.security.settings import Security

_log = Logger()
LOOK = 60.0
"""Seconds between two looks at who still speaks in the clear, where TLS is offered."""


class RegistrarSecurity:
    """What secures one registrar.

    @param secured: None where nothing does.
    """

    def __init__(self, secured: Secured | None) -> None:
        self._secured = secured
        self._end: Callable[[], None] | None = None
        self._looking: LoopingCall | None = None
        self._said = ""
        self._state = State.PLAIN if secured is None else secured.current.state

    @property
    def access(self) -> Access:
        """Who may be what."""
        return PLAIN if self._secured is None else self._secured.current.access

    @property
    def offered(self) -> bool:
        """Whether TLS is spoken, and not required."""
        return self._state is State.OFFERED

    def place(self, address: TransportAddress) -> TransportAddress:
        """Where it serves, if it is told to serve there."""
        return address if self._secured is None else over_tls(address)

    def peer(self, address: TransportAddress) -> TransportAddress:
        """Where a peer is dialled that is said to be there."""
        return address if self._secured is None or self.offered else over_tls(address)

    def told(self, port: int) -> int:
        """Which port others are told of: where TLS is only offered the one in the clear, from which those who speak TLS
        find its own."""
        return port - 1 if self.offered and port > 1 else port

    def secure(self, channel: NodeChannel, role: str, named: Iterable[TransportAddress] = ()) -> None:
        """Let a protocol speak TLS; see L{NodeChannel.secure}."""
        channel.secure(self._secured, role, named)

    def follow(self, registrar: Registrar, node: Node) -> None:
        """From now on what changes counts at this registrar."""

        def changed(security: Security) -> None:
            access = security.access
            if security.state not in (self._state, State.REQUIRED):
                _log.warn(
                    "that TLS is {state} counts when this registrar is started anew",
                    event="restart-needed",
                    state=security.state.value,
                )
                access = access.after(registrar.access, registrar.access.state)
            self._change(registrar, node, access)

        if self._secured is not None:
            self._end = self._secured.watch(changed)
            if self._secured.current.access is not registrar.access:
                # Its files have changed since it was made.
                changed(self._secured.current)
            self._looking = LoopingCall(self._look, registrar, node)
            self._looking.clock = node.reactor
            self._looking.start(LOOK, now=False)

    def _change(self, registrar: Registrar, node: Node, access: Access) -> None:
        before = registrar.access.state
        node.perform(registrar.access_changed(access, node.now()))
        if registrar.access.state is State.REQUIRED and before is not State.REQUIRED:
            _log.info("TLS is required from now on: who speaks in the clear is refused", event="tls-required")

    def _look(self, registrar: Registrar, node: Node) -> None:
        """On the way to TLS: say who is not there yet, and require it as soon as nothing is lost by that."""
        assert self._secured is not None
        wanted = self._secured.current.access
        if registrar.access.state is not State.OFFERED:
            return
        if wanted.state is State.REQUIRED:
            self._change(registrar, node, wanted)
            return
        clear = str(registrar.in_the_clear)
        if clear != self._said:
            self._said = clear
            _log.warn(
                "this scope is not secure yet: {clear}",
                event="not-secure-yet",
                clear=clear or "nobody speaks in the clear any more",
            )

    def looking(
        self, reactor: Any, stack: ISctpStack, own: TransportAddress
    ) -> tuple[ISctpStack, Callable[[], list[TransportAddress]]]:
        """How other registrars of this host are looked for, and where: those that speak TLS by our key, if we do.

        @param own: where we speak ENRP.
        """
        secured = self._secured
        if secured is None:
            return stack, lambda: beside(own)
        if secured.current.own is None:
            return stack, list
        speaking = tls_of(secured, "client", PPID_ENRP).stack(reactor, stack)
        return speaking, lambda: list(dict.fromkeys(map(over_tls, beside(own))))

    def stop(self) -> None:
        """Follow it no more."""
        if self._looking is not None and self._looking.running:
            self._looking.stop()
        if self._end is not None:
            self._end()
            self._end = None

    def open_in_the_clear(self, node: Node, registrar: Registrar, tcp: TransportAddress | None) -> None:
        """Open the ports in the clear beside those of TLS.

        @param tcp: where ASAP over TLS over TCP is served.
        @raise CannotListenError: if one is taken that is needed.
        """
        if self._secured is None:
            return
        asap, enrp = node.asap, node.channels.get("enrp")

        def offered() -> bool:
            return registrar.access.state is State.OFFERED

        if isinstance(enrp, NodeChannel):
            if self.offered:
                enrp.open_in_the_clear(lambda peer: offered() and peer.port != ENRP_TLS_PORT)
            else:
                self._refuse(node, enrp, refused_enrp(node.server), None)
        if self.offered:
            # Elements are dialled as they came.
            asap.open_in_the_clear(lambda peer: offered() and not registrar.supervision.proves(peer))
        elif self._secured.current.plain_users:
            asap.open_in_the_clear(lambda peer: False)
        else:
            self._refuse(node, asap, refused_asap, tcp)
        if tcp is not None and (self.offered or self._secured.current.plain_users):
            most = registrar.limits.connections_per_machine
            asap.listen_tcp(tcp.hosts[0], in_the_clear(tcp).port, most, clear=True)

    def _refuse(
        self, node: Node, channel: NodeChannel, refused: Callable[[bytes], bytes | None], tcp: TransportAddress | None
    ) -> None:
        assert node.stack is not None and channel.sctp is not None
        port = ClearPort(node.reactor, channel.ppid, refused)
        own = channel.sctp
        try:
            if own.port > 1:
                node.endpoints.append(node.stack.open(own.port - 1, port, own.hosts))
            if tcp is not None and tcp.port > 1:
                node.ports.append(listen_tcp(node.reactor, tcp.hosts[0], tcp.port - 1, port))
        except CannotListenError as error:
            # Whoever comes there hears nothing, and is not believed either.
            _log.info("nobody is told at port {port} that TLS is required: {error}", port=own.port - 1, error=error)

    def tell(self, where: str, alone: bool) -> None:
        """Say in the log how it is secured.

        @param alone: whether only this host can reach it.
        """
        if self._secured is not None:
            tell: Any = _log.warn if self.offered else _log.info
            tell("{sentence}", event="secured", sentence=told(self._secured.current))
        elif alone:
            _log.info(
                "only this host can reach it: nothing is secured; before you name other addresses with --asap, see "
                "rserpool keys and --security"
            )
        else:
            _log.warn(
                "nothing is secured (--security): whoever reaches {where} can register",
                event="not-secured",
                where=where,
            )
