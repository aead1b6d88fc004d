"""A registrar that is older than the RFCs, or reads them badly, played by hand on the network of a scope.

It is made after an implementation that is about: it answers no Reply-required flag, talks to those alone whose presence
it understood, tells its checksum in the byte order of its machine, and knows no parameter that RFC 5354 does not have.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zope.interface import implementer

from rserpool.core import SctpTransport, TransportAddress
from rserpool.core.addresses import ASAP_PORT, ENRP_PORT
from rserpool.core.handlespace.changes import Why
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import DATA_ONLY, ServerInformation
from rserpool.core.wire.tlv import POOL_ELEMENT, SERVER_INFORMATION, parameters
from rserpool.sctp import ISctpAssociation, ISctpHandler
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP, SctpHandler
from tests.simulation.cluster import Cluster

HEARTBEAT = 1.5
"""Seconds between two presences; at most MAX-TIME-LAST-HEARD of the others."""
_KNOWN = frozenset(range(1, 0x11))
_FIXED = {POOL_ELEMENT: 16, SERVER_INFORMATION: 8}
_HEADS = {enrp: {4: 16, 7: 16, 8: 16, 9: 16}, asap: {}}


@implementer(ISctpHandler)
class OldRegistrar(SctpHandler):
    """One such registrar.

    @param strict: whether it ends at a parameter that it does not know; else it drops the message.
    @param presences: whether it tells of itself at all.
    @ivar reborn: whether somebody starts it again when it ends.
    @ivar deaf: whether it does nothing with what it hears.
    @ivar met: what it could not read: the kinds of the parameters.
    @ivar heard: every message that it understood.
    @ivar elements: identifiers of the elements that it knows, and their homes.
    """

    identifier = 0x01D01D

    def __init__(self, cluster: Cluster, *, strict: bool, presences: bool = True, host: str = "10.0.7.7") -> None:
        self._cluster = cluster
        self._strict = strict
        self._presences = presences
        self.met: list[int] = []
        self.heard: list[Any] = []
        self.alive = True
        self.deaf = self.reborn = False
        self._peers: dict[int, ISctpAssociation] = {}
        self._information: dict[int, ServerInformation] = {}
        self._handlespace = Handlespace(cluster.random)
        self.host = host
        self.address = TransportAddress((host,), ENRP_PORT)
        self.asap = TransportAddress((host,), ASAP_PORT)
        self._start()
        cluster.clock.callLater(HEARTBEAT, self._beat)

    def end(self) -> None:
        """Its process is gone."""
        self.alive = False
        self._cluster.network.crash(self._stack)
        if self.reborn:
            self._cluster.clock.callLater(0.5, self._start)

    def _start(self) -> None:
        self.alive = True
        self._stack = self._cluster.network.stack(self.host, registrar=True)
        self._enrp = self._stack.open(ENRP_PORT, self, (self.host,))
        self._stack.open(ASAP_PORT, self, (self.host,))

    def dial(self, peer: TransportAddress) -> None:
        """Join: a presence, and requests for list and table."""
        self._enrp.connect(peer)

    @property
    def elements(self) -> dict[int, int]:
        pools = self._handlespace.pools.values()
        return {each.identifier: each.home for pool in pools for each in pool.elements.values()}

    def adopt(self, handle: bytes, parameter: Any) -> None:
        """An element of its own, as if it had registered; it passes nothing on that it does not know."""
        parameter = replace(parameter, encapsulation=0, framing=0)
        self._handlespace.register(handle, parameter)
        self._tell(enrp.HandleUpdate(self.identifier, 0, enrp.UpdateAction.ADD_PE, handle, parameter))

    # ISctpHandler

    def associationUp(self, association: ISctpAssociation) -> None:
        if association.outbound:
            self._present(association)

    def associationLost(self, association: ISctpAssociation, reason: Any) -> None:
        self._peers = {peer: over for peer, over in self._peers.items() if over is not association}

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        if not self.alive:
            return
        codec = enrp if ppid == PPID_ENRP else asap
        unknown = _unknown(data, _HEADS[codec].get(data[0], 12 if codec is enrp else 4), len(data))
        if unknown:
            self.met += unknown
            if self._strict:
                self.end()
            return
        message = codec.decode(data).message
        self.heard.append(message)
        if self.deaf:
            return
        if isinstance(message, asap.Registration):
            self._register(association, message)
        elif codec is enrp:
            self._speak(association, message)

    # What it does

    def _speak(self, association: ISctpAssociation, message: Any) -> None:
        if isinstance(message, enrp.Presence):
            new = message.sender not in self._peers
            self._peers[message.sender] = association
            if message.checksum != _swapped(self._handlespace.checksum_of(message.sender)):
                self._send(association, enrp.HandleTableRequest(self.identifier, message.sender, True))
            if message.information is not None:
                self._information[message.sender] = message.information
            if new and association.outbound:
                self._send(association, enrp.ListRequest(self.identifier, message.sender))
                self._send(association, enrp.HandleTableRequest(self.identifier, message.sender))
        elif message.sender not in self._peers:
            return
        elif isinstance(message, enrp.ListRequest):
            others = tuple(each for peer, each in self._information.items() if peer != message.sender)
            self._send(association, enrp.ListResponse(self.identifier, message.sender, others))
        elif isinstance(message, enrp.HandleTableRequest):
            entries = tuple(
                enrp.PoolEntry(handle, tuple(each.parameter() for each in pool.elements.values()))
                for handle, pool in self._handlespace.pools.items()
            )
            self._send(association, enrp.HandleTableResponse(self.identifier, message.sender, entries))
        elif isinstance(message, enrp.HandleTableResponse):
            for entry in message.entries:
                for each in entry.elements:
                    self._handlespace.register(entry.handle, each, others=True)
        elif isinstance(message, enrp.HandleUpdate):
            known = self._handlespace.find(message.handle, message.element.identifier)
            if message.action == enrp.UpdateAction.ADD_PE:
                self._handlespace.register(message.handle, message.element, others=True)
            elif known is not None:
                self._handlespace.deregister(known, Why.DELETED)

    def _register(self, association: ISctpAssociation, message: asap.Registration) -> None:
        transport = SctpTransport(association.peer.port, DATA_ONLY, association.peer.hosts)
        self.adopt(message.handle, replace(message.element, home=self.identifier, asap_transport=transport))
        response = asap.RegistrationResponse(message.handle, message.element.identifier)
        association.send(asap.encode(response), PPID_ASAP)

    def _beat(self) -> None:
        if self.alive:
            self._cluster.clock.callLater(HEARTBEAT, self._beat)
            if self._presences:
                for association in self._peers.values():
                    self._present(association)

    def _present(self, association: ISctpAssociation) -> None:
        wrong = _swapped(self._handlespace.checksum_of(self.identifier))
        ours = ServerInformation(self.identifier, SctpTransport(ENRP_PORT, DATA_ONLY, (self.host,)))
        self._send(association, enrp.Presence(self.identifier, 0, wrong, ours))

    def _tell(self, message: enrp.Message) -> None:
        for association in self._peers.values():
            self._send(association, message)

    @staticmethod
    def _send(association: ISctpAssociation, message: enrp.Message) -> None:
        association.send(enrp.encode(message), PPID_ENRP)


def _swapped(checksum: int) -> int:
    return (checksum & 0xFF) << 8 | checksum >> 8


def _unknown(data: bytes, start: int, stop: int) -> list[int]:
    """Kinds of parameters that stand in no RFC, wherever they are."""
    found: list[int] = []
    for kind, offset, end in parameters(data, start, stop):
        if kind not in _KNOWN:
            found.append(kind)
        elif kind in _FIXED:
            found += _unknown(data, offset + _FIXED[kind], end)
    return found
