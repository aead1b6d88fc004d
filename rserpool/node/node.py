"""A role on a Twisted reactor: its driver, and its channels over SCTP and TCP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IListeningPort
from twisted.python.failure import Failure

from rserpool.core.addresses import ENCAPSULATION_PORT, TransportAddress, over_tls
from rserpool.core.wire import asap
from rserpool.node.candidates import local_host_towards
from rserpool.node.closing import close
from rserpool.node.driver import Driver
from rserpool.node.loop import Carrier
from rserpool.node.naming import NamingChannel
from rserpool.node.own_addresses import wildcard
from rserpool.node.paths import Paths
from rserpool.node.reactor import LOG, ReactorLoop
from rserpool.node.role import Codec, Role, Speaker
from rserpool.node.securing import tls_of
from rserpool.node.towards import Towards, towards
from rserpool.node.turns import Turns
from rserpool.sctp.base import PPID_ASAP, SctpHandler
from rserpool.sctp.guests import Guests
from rserpool.sctp.interfaces import ISctpAssociation, ISctpEndpoint, ISctpStack
from rserpool.sctp.lookup import look_up

# Who speaks SCTP, in the clear, needs nothing of these.
if TYPE_CHECKING:
    from rserpool.node.tcp_endpoint import TcpEndpoint
    from rserpool.node.tls import Tls
    from rserpool.security.following import Secured

MOST = 256
"""So many associations that others opened are accepted, where nothing else is said: registrars ask elements."""


class NodeChannel(NamingChannel, SctpHandler):
    """One protocol of a Node; hears of its associations as an L{ISctpHandler<rserpool.sctp.interfaces.ISctpHandler>}.

    @ivar sctp: the endpoint over which associations are opened; None where this channel opens none.
    @ivar tcp: the same for connections (RFC 5352 section 2.1).
    @ivar guests: those of its associations that others opened.
    @ivar tls: how it speaks TLS; None in the clear.
    @ivar clear: beside that, the endpoint in the clear; None where there is none.
    @ivar group: the multicast group where it announces; None where it does not.
    """

    def __init__(self, node: Node, speaker: Speaker[Any], codec: Codec, ppid: int) -> None:
        super().__init__(node, speaker, codec, ppid)
        self.sctp: ISctpEndpoint | None = None
        self.tcp: TcpEndpoint | None = None
        self.tls: Tls | None = None
        self.clear: ISctpEndpoint | None = None
        self.group: TransportAddress | None = None
        self.guests = Guests(node.reactor, "associations", MOST, MOST)
        # Of whom not all addresses are proved.
        self._fewer: set[ISctpAssociation] = set()
        # Where the peers are that were named to us by people.
        self._configured: frozenset[tuple[str, int]] = frozenset()
        self._in_the_clear: Callable[[TransportAddress], bool] = lambda peer: False
        # The peer that is dialled, as the role names it.
        self._named = TransportAddress((), 0)
        self._node = node

    def secure(self, secured: Secured | None, role: str, named: Iterable[TransportAddress] = ()) -> None:
        """Speak TLS from now on, if there is something to do it with.

        @param role: C{"client"}, C{"element"}, C{"registrar"} or C{"peer"}.
        @param named: where people have said that peers are; the others are learned.
        @raise ConfigurationError: if what secures it is not enough for this role.
        """
        self.tls = None if secured is None else tls_of(secured, role, self.ppid, self._renewed)
        self.name(named)

    def name(self, named: Iterable[TransportAddress]) -> None:
        """People say that peers are there."""
        self._configured = frozenset((host, peer.port) for peer in named for host in peer.hosts)

    def _renewed(self) -> None:
        """We have another key or certificate: who has spoken with us for the old one's sake hears so."""
        changed = getattr(self.speaker, "identity_changed", None)
        if changed is not None:
            self._node.perform(changed(self._node.now()))

    def open(self, port: int, hosts: tuple[str, ...], listening: bool = True) -> ISctpEndpoint:
        """Open an endpoint on the node's stack, and dial from it.

        @raise twisted.internet.error.CannotListenError: if the port is taken or an address is not local.
        """
        stack = self._node.stack
        assert stack is not None
        if self.tls is not None:
            self.tls.start(self._node.reactor)
            stack = self.tls.stack(self._node.reactor, stack)
        self.sctp = stack.open(port, self, hosts, listening)
        self._node.endpoints.append(self.sctp)
        return self.sctp

    def open_in_the_clear(self, dials: Callable[[TransportAddress], bool]) -> None:
        """Speak with those in the clear too, at the port below that of TLS.

        @param dials: whether a peer is dialled in the clear.
        @raise twisted.internet.error.CannotListenError: if the port is taken.
        """
        assert self._node.stack is not None and self.sctp is not None
        port = max(0, self.sctp.port - 1)
        self.clear = self._node.stack.open(port, self, self.sctp.hosts)
        self._node.endpoints.append(self.clear)
        self._in_the_clear = dials

    def open_tcp(self) -> None:
        """Dial over TCP."""
        from rserpool.node.tcp_endpoint import TcpEndpoint

        if self.tls is not None:
            self.tls.start(self._node.reactor)
        self.tcp = TcpEndpoint(self._node.reactor, self, None if self.tls is None else self.tls.make)
        self._node.endpoints.append(self.tcp)

    def listen_tcp(self, host: str, port: int, most_of_one: int, clear: bool = False) -> IListeningPort:
        """Accept connections; see L{rserpool.node.listening.listen_tcp}.

        @param clear: whether TLS is not spoken there, though it is elsewhere.
        """
        from rserpool.node.listening import listen_tcp

        make = None if clear or self.tls is None else self.tls.make
        listening = listen_tcp(self._node.reactor, host, port, self, most_of_one, make, activated=not clear)
        self._node.ports.append(listening)
        return listening

    def join(self, group: TransportAddress, interface: str) -> None:
        """Announce at a multicast group, and hear what others announce there.

        @param interface: one of our IP addresses.
        @raise twisted.internet.error.CannotListenError: if the port cannot be shared.
        """
        from rserpool.node.multicast import MulticastGroup

        member = MulticastGroup(group, interface, self.announced)
        self._node.ports.append(member.start(self._node.reactor))
        self.multicast, self.group = member.send, group

    def begin(self, peer: TransportAddress, there: TransportAddress) -> None:
        self._named = peer
        # Who announces itself in the clear may do so for those that speak no TLS.
        secured = self.tls is not None and not self._in_the_clear(there)
        super().begin(peer, over_tls(there) if secured else there)

    def dial(self, peer: TransportAddress) -> Carrier:
        endpoint: Any = self.tcp if peer.protocol == "tcp" else self.sctp
        if endpoint is None:
            raise RuntimeError(f"this node speaks no {peer.protocol.upper()}")
        if self.tls is None:
            return cast(Carrier, endpoint.connect(peer))
        if self.clear is not None and self._in_the_clear(peer):
            return cast(Carrier, self.clear.connect(peer))
        named = self._named
        configured = {(host, named.port) for host in named.hosts} <= self._configured
        return cast(Carrier, endpoint.connect(peer, self.tls.expected(named, configured)))

    def look_up(self, host: str, found: Callable[[list[str]], object]) -> None:
        # Only what can be dialled from here counts.
        families = None if self.sctp is None else {":" in own for own in self.sctp.hosts}
        look_up(
            self._node.reactor,
            host,
            lambda hosts: found([each for each in hosts if families is None or (":" in each) in families]),
        )

    def is_own(self, place: TransportAddress) -> bool:
        own, stack = self.sctp, self._node.stack
        if own is None or stack is None or place.port != own.port:
            return False
        if (place.encapsulation or ENCAPSULATION_PORT) != (stack.encapsulation_port or ENCAPSULATION_PORT):
            return False
        (host,) = place.hosts
        return host in own.hosts or (wildcard(own.hosts) and host == local_host_towards(host))

    # ISctpHandler

    def associationUp(self, association: ISctpAssociation) -> None:
        if not self.guests.enters(association):
            return
        if self.up(association) and association.established:
            if association.unconfirmed_addresses:
                self._fewer.add(association)
                self.moved(association, _proved(association))
            elif association.outbound and set(association.peer_addresses) != set(association.peer.hosts):
                self.moved(association, association.peer_addresses)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if self.guests.mute and association in self.guests.mute:
            self.guests.speaks(association)
        turns = self._node.turns
        if ppid == self.ppid:
            if turns.left > 0 and not turns.waiting and not (turns.held and association in turns.held):
                turns.left -= 1
                if not turns.left:
                    turns.over()
                self.received(association, data)
            else:
                turns.keep(association, data, self.received)
        else:
            self.strangers.came(association, f"a message with PPID {ppid}, where PPID {self.ppid} is spoken")

    def addressChanged(self, association: ISctpAssociation, host: str, reachable: bool) -> None:
        self._node.paths.changed(association, host, reachable)
        if reachable and association in self._fewer:
            self._moved(association)

    def peerAddressesChanged(self, association: ISctpAssociation) -> None:
        self._node.paths.moved(association)
        self._moved(association)

    def _moved(self, association: ISctpAssociation) -> None:
        (self._fewer.add if association.unconfirmed_addresses else self._fewer.discard)(association)
        self.moved(association, _proved(association))

    def associationPaused(self, association: ISctpAssociation) -> None:
        self.paused(association)
        if not association.outbound and self.ppid == PPID_ASAP:
            # It asks and does not read the answers.
            self._node.turns.hold(association)

    def associationResumed(self, association: ISctpAssociation) -> None:
        self.resumed(association)
        self._node.turns.release(association)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        self._node.paths.forget(association)
        self._fewer.discard(association)
        self.guests.goes(association)
        # What it sent before counts, unless it was us who had enough of it.
        self._node.turns.lost(association, self.lost, not reason.check(ConnectionAborted))


def _proved(association: ISctpAssociation) -> tuple[str, ...]:
    """The addresses of a peer that are surely its own: that to which we spoke first is."""
    hosts = association.peer_addresses
    return tuple(host for host in hosts if host not in association.unconfirmed_addresses) or hosts[:1]


class Node(Driver):
    """Runs a role on one reactor, and closes in the end what was opened for it.

    @ivar asap: its channel for ASAP.
    @ivar paths: what happened to the paths of its associations.
    @ivar turns: whose message is served next.
    @ivar stack: the SCTP stack, once there is one.
    @ivar endpoints: where associations are.
    @ivar ports: where connections and announcements come in.
    """

    def __init__(self, reactor: Any, role: Role, notify: Callable[[Any], object], *, server: int = 0) -> None:
        loop = ReactorLoop(reactor)
        super().__init__(loop, role, notify, server=server)
        self.reactor = reactor
        self.stack: ISctpStack | None = None
        self.endpoints: list[ISctpEndpoint | TcpEndpoint] = []
        self.ports: list[Any] = []
        self._own_stack = False
        self._towards: Towards | None = None
        self.paths = Paths(loop.log)
        self.turns = Turns(loop, loop.log)
        self.asap = self.open_channel("asap", role, asap, PPID_ASAP)

    def open_channel(
        self, name: str, speaker: Speaker[Any], codec: Codec, ppid: int, kind: type[NodeChannel] = NodeChannel
    ) -> NodeChannel:
        """Speak another protocol too, over an endpoint of its own."""
        channel = self.channels[name] = kind(self, speaker, codec, ppid)
        return channel

    def take(self, stack: ISctpStack, own: bool) -> None:
        """Stand on this stack.

        @param own: whether it is closed with this node.
        """
        self.stack, self._own_stack = stack, own

    def follow(
        self,
        registrars: Sequence[TransportAddress],
        hosts: tuple[str, ...],
        changed: Callable[[tuple[str, ...]], object] | None = None,
    ) -> None:
        """Stay at addresses from which these registrars are reached, when they change.

        @param hosts: those of now; none if the addresses are others' affair.
        @param changed: is called with the new ones; by default the endpoint for ASAP has them from then on.
        """
        if self._own_stack:
            self._towards = towards(self.reactor, registrars, hosts, changed or self._moved)

    def _moved(self, hosts: tuple[str, ...]) -> None:
        if self.asap.sctp is not None:
            LOG.info("own addresses are {hosts} now", hosts=", ".join(hosts))
            self.asap.sctp.changeHosts(hosts)

    @property
    def robbed(self) -> bool:
        """Whether somebody else has cancelled our timer."""
        return self._deadline.robbed

    def abandon(self) -> None:
        """Free at once what was opened: the start failed, or nobody needs it any more.

        Over TCP what was sent still arrives.
        """
        self.turns.stop()
        for port in self.ports:
            port.stopListening()
        self._follow_no_more()
        for endpoint in self.endpoints:
            if endpoint is self.asap.tcp:
                endpoint.stopListening()
            else:
                endpoint.abort()
        if self.stack is not None and self._own_stack:
            self.stack.close()
        self.ports.clear()
        self.endpoints.clear()

    async def close(self) -> None:
        """Do nothing more, and free what was opened; peers have a second to say goodbye."""
        self.stop()
        self.turns.stop()
        self._follow_no_more()
        for port in self.ports:
            await maybeDeferred(port.stopListening)
        self.ports.clear()
        await close(self.reactor, self.endpoints, self.stack if self._own_stack else None)

    def _follow_no_more(self) -> None:
        if self._towards is not None:
            self._towards.stop()
            self._towards = None
        for channel in self.channels.values():
            tls = getattr(channel, "tls", None)
            if tls is not None:
                tls.stop()
