"""The registrar's side towards other registrars: ENRP, with what follows from it at the registrar (RFC 5353)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rserpool.core import authority
from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import Association, Effect
from rserpool.core.errors import CauseCode, Unproved
from rserpool.core.identity import Credentials
from rserpool.core.peering.peering import Peering
from rserpool.core.registrar.consequences import Consequences
from rserpool.core.registrar.gate import CLAIMS, Gate
from rserpool.core.registrar.operating import Operating
from rserpool.core.ruling import What
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import ServerInformation
from rserpool.core.wire.rows import table_in_rows, update_in_a_row


class EnrpSide:
    """What L{Peering} does, its changes followed; each method as there. Whom the gate stops does not come to it."""

    def __init__(self, peering: Peering, consequences: Consequences, gate: Gate, operating: Operating) -> None:
        self._peering = peering
        self._consequences = consequences
        self._gate = gate
        self._operating = operating
        self._server = peering.ourselves.server
        peering.ourselves.over_tls = gate.over_tls

    def join(
        self,
        information: ServerInformation,
        configured: Sequence[TransportAddress],
        now: float,
        *,
        discover: bool = False,
    ) -> list[Effect]:
        """3.2: see L{Peering.join}."""
        return self._consequences.follow(self._peering.join(information, configured, now, discover=discover), now)

    def association_up(
        self,
        association: Association,
        peer: TransportAddress,
        now: float,
        outbound: bool = False,
        credentials: Credentials = None,
    ) -> list[Effect]:
        """See L{Peering.association_up}."""
        enters, effects = self._gate.up(association, peer, outbound, credentials)
        if not enters:
            return effects + (self.connect_failed(peer, now) if outbound else [])
        return self._consequences.follow(self._peering.association_up(association, peer, outbound, now), now)

    def connect_failed(self, peer: TransportAddress, now: float, _: Unproved | None = None) -> list[Effect]:
        """See L{Peering.connect_failed}."""
        return self._consequences.follow(self._peering.connect_failed(peer, now), now)

    def association_lost(self, association: Association, now: float, _: Unproved | None = None) -> list[Effect]:
        """See L{Peering.association_lost}."""
        self._gate.lost(association)
        return self._consequences.follow(self._peering.association_lost(association, now), now)

    def association_paused(self, association: Association, now: float) -> list[Effect]:
        """A peer reads too slowly; SCTP aborts the association in the end, and an audit mends what it missed."""
        return []

    def association_resumed(self, association: Association, now: float) -> list[Effect]:
        """The peer reads again."""
        return []

    def at_once(self, association: Association, data: bytes, now: float) -> list[Effect] | None:
        """What comes of a piece of our mentor's table, and of an update, known by their bytes; None for all else:
        L{receive} it."""
        if data[:1] not in _IN_ROWS:
            return None
        sender = int.from_bytes(data[4:8], "big")
        if not self._peering.peers.steady(association, sender):
            return None
        message: enrp.Message | None = None
        if data[:1] == _UPDATE:
            message = update_in_a_row(data)
        elif not self._peering.ready and self._peering.initialization.downloads_from(sender):
            message = table_in_rows(data)
        return None if message is None else self.receive(association, message, now)

    def receive(self, association: Association, message: enrp.Message, now: float) -> list[Effect]:
        """See L{Peering.receive}."""
        stopped = self._gate.stops(association, message)
        if stopped is not None:
            return stopped
        if isinstance(message, enrp.HandleUpdate):
            effects = self._consequences.follow(self._peering.receive(association, message, now), now)
            return effects + self._evicted(association, message, now) if message.evicted else effects
        if isinstance(message, enrp.Error) and any(each.code == _SECURITY for each in message.causes):
            return self._consequences.follow(self._peering.takeovers.turned_away(association, message, now), now)
        effects = self._consequences.follow(self._peering.receive(association, message, now), now)
        if type(message) is enrp.Presence:
            effects += self._presence(association, message, now)
        return effects + self._gate.claims(association, message) if type(message) in CLAIMS else effects

    def _evicted(self, association: Association, message: enrp.HandleUpdate, now: float) -> list[Effect]:
        peer = self._peering.peers.over(association)
        believed = authority.passes_on(What.EVICT, self._gate.access, self._gate.standing(association)).allowed
        if not believed or peer is None or peer.identifier != message.sender:
            return []
        return self._consequences.follow(self._operating.evicted(message, now), now)

    def _presence(self, association: Association, message: enrp.Presence, now: float) -> list[Effect]:
        """What ours say beyond RFC 5353."""
        peer, ordering = self._peering.peers.over(association), message.order
        if peer is None or peer.identifier != message.sender:
            return []
        peer.drainers, peer.leaving = message.drainers, message.leaving
        if ordering is None or message.receiver != self._server:
            return []
        rule = authority.passes_on(What.DRAIN, self._gate.access, self._gate.standing(association))
        return self._consequences.follow(self._operating.ordered(peer, ordering, rule, now), now)

    def announcement(self, message: asap.Message | enrp.Message, source: str, now: float) -> list[Effect]:
        """See L{Peering.announcement}."""
        return self._consequences.follow(self._peering.announcement(message, source, now), now)


_SECURITY: Final = CauseCode.REJECTED_FOR_SECURITY
_TABLE, _UPDATE = (bytes((each.TYPE,)) for each in (enrp.HandleTableResponse, enrp.HandleUpdate))
_IN_ROWS: Final = (_TABLE, _UPDATE)
