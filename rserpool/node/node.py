"""A role on a Twisted reactor: its driver, and its channels over SCTP and TCP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress
from rserpool.core.wire import asap
from rserpool.node.driver import Channel, Codec, Driver, Role, Speaker
from rserpool.node.loop import Carrier
from rserpool.node.paths import Paths
from rserpool.node.reactor import ReactorLoop
from rserpool.node.tcp import TcpEndpoint
from rserpool.sctp.base import PPID_ASAP, SctpHandler
from rserpool.sctp.interfaces import ISctpAssociation, ISctpEndpoint


class NodeChannel(Channel, SctpHandler):
    """One protocol of a Node; hears of its associations as an L{ISctpHandler<rserpool.sctp.interfaces.ISctpHandler>}.

    @ivar sctp: the endpoint over which associations are opened; None where this channel opens none.
    @ivar tcp: the same for connections (RFC 5352 section 2.1).
    """

    def __init__(self, node: Node, speaker: Speaker, codec: Codec, ppid: int) -> None:
        super().__init__(node, speaker, codec, ppid)
        self.sctp: ISctpEndpoint | None = None
        self.tcp: TcpEndpoint | None = None
        self._paths = node.paths

    def dial(self, peer: TransportAddress) -> Carrier:
        endpoint = self.tcp if peer.protocol == "tcp" else self.sctp
        if endpoint is None:
            raise RuntimeError(f"this node speaks no {peer.protocol.upper()}")
        return endpoint.connect(peer)

    # ISctpHandler

    def associationUp(self, association: ISctpAssociation) -> None:
        if self.up(association) and association.outbound and association.established:
            if set(association.peer_addresses) != set(association.peer.hosts):
                self.moved(association, association.peer_addresses)

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if ppid == self.ppid:
            self.received(association, data)
        else:
            self.strangers.came(association, f"a message with PPID {ppid}, where PPID {self.ppid} is spoken")

    def addressChanged(self, association: ISctpAssociation, host: str, reachable: bool) -> None:
        self._paths.changed(association, host, reachable)

    def peerAddressesChanged(self, association: ISctpAssociation) -> None:
        self._paths.moved(association)
        self.moved(association, association.peer_addresses)

    def associationPaused(self, association: ISctpAssociation) -> None:
        self.paused(association)

    def associationResumed(self, association: ISctpAssociation) -> None:
        self.resumed(association)

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        self._paths.forget(association)
        self.lost(association)


class Node(Driver):
    """Runs a role on one reactor.

    @ivar asap: its channel for ASAP.
    @ivar paths: what happened to the paths of its associations.
    """

    def __init__(self, reactor: Any, role: Role, notify: Callable[[Any], object], *, server: int = 0) -> None:
        super().__init__(ReactorLoop(reactor), role, notify, server=server)
        self.paths = Paths(ReactorLoop.log)
        self.asap = self.open_channel("asap", role, asap, PPID_ASAP)

    def open_channel(self, name: str, speaker: Speaker, codec: Codec, ppid: int) -> NodeChannel:
        """Speak another protocol too, over an endpoint of its own."""
        channel = self.channels[name] = NodeChannel(self, speaker, codec, ppid)
        return channel
