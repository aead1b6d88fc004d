"""Who may speak ENRP with us at all (RFC 5353 section 6, RFC 5355 section 2.5)."""

from __future__ import annotations

from typing import Final

from rserpool.core import authority
from rserpool.core.access import Access, Standing
from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import Abort, Association, Close, Effect, Notify, Send
from rserpool.core.errors import CauseCode
from rserpool.core.identity import Credentials
from rserpool.core.peering.peers import PeerList
from rserpool.core.ruling import Rule, Ruling
from rserpool.core.trail import Act, Acted
from rserpool.core.wire import enrp
from rserpool.core.wire.causes import ErrorCause

MOST_ANSWERS: Final = 20
"""So many messages in the clear are answered over one association; it was told to close at the first."""
CLAIMS: Final = frozenset({enrp.InitTakeover, enrp.TakeoverServer})


class Gate:
    """What those have proved that speak ENRP; who is stopped here is no peer, and changes nothing.

    @ivar access: who may be what.
    """

    def __init__(self, server: int, peers: PeerList, access: Access) -> None:
        self.access = access
        self._server = server
        self._peers = peers
        self._there: dict[Association, tuple[Standing, TransportAddress]] = {}
        self._refused: dict[Association, int] = {}

    def over_tls(self, association: Association) -> bool:
        """Whether somebody has come over TLS."""
        found = self._there.get(association)
        return found is not None and found[0].credentials is not None

    def up(
        self, association: Association, peer: TransportAddress, outbound: bool, credentials: Credentials
    ) -> tuple[bool, list[Effect]]:
        """An association is up; whether we speak over it, and what else.

        Who comes in the clear may ask, to hear why it is refused; we ourselves dial nobody in the clear.
        """
        standing = self.access.standing(credentials)
        rule = authority.enters(standing)
        if outbound and standing.clear:
            return False, [Abort(association), self._told(standing, peer, rule)]
        if rule.ruling is Ruling.ABORTED:
            return False, [*self._turn_away(association), self._told(standing, peer, rule)]
        self._there[association] = standing, peer
        return not standing.clear, []

    def lost(self, association: Association) -> None:
        """An association is gone."""
        self._there.pop(association, None)
        self._refused.pop(association, None)

    def standing(self, association: Association | None) -> Standing | None:
        """What somebody has proved over an association."""
        found = self._there.get(association)
        return None if found is None else found[0]

    def stops(self, association: Association, message: enrp.Message) -> list[Effect] | None:
        """What comes of a message that goes no further; None if it is heard."""
        if not self.access.secured:
            return None
        if association not in self._there:
            return []
        standing, place = self._there[association]
        if standing.own and isinstance(message, enrp.Presence) and message.identity is not None:
            # It has our key, as all registrars have. Which one it is it says itself.
            standing = self.access.standing(tuple({each: None for each in (self.access.own, message.identity) if each}))
            self._there[association] = standing, place
        peer = self._peers.get(message.sender)
        other = None if peer is None or peer.association == association else self.standing(peer.association)
        rule = authority.enters(standing, message.sender, other)
        match rule.ruling:
            case Ruling.ALLOWED | Ruling.ANSWERED:
                return None
            case Ruling.REFUSED if rule.cause is not None:
                self._refused[association] = count = self._refused.get(association, 0) + 1
                error = enrp.Error(self._server, message.sender, (ErrorCause(rule.cause),))
                silent = isinstance(message, enrp.Error) or count > MOST_ANSWERS
                answer: list[Effect] = [] if silent else [Send(association, error)]
                return [*answer, Close(association), self._told(standing, place, rule)]
            case Ruling.ABORTED:
                del self._there[association]
                return [*self._turn_away(association), self._told(standing, place, rule)]
        return [self._told(standing, place, rule)]

    def claims(self, association: Association, message: enrp.Message) -> list[Effect]:
        """A registrar claims another one's elements; what comes of it, if anybody keeps a trail."""
        standing, place = self._there.get(association, (self.access.standing(None), None))
        if not standing.secured or not isinstance(message, enrp.InitTakeover | enrp.TakeoverServer):
            return []
        about = f"the elements of registrar 0x{message.target:08x}"
        return [Notify(Acted(Act.CLAIMED, str(standing), place, about, f"as registrar 0x{message.sender:08x}"))]

    def judged_anew(self, access: Access) -> list[tuple[Association, list[Effect]]]:
        """Who may be what is this now; whose associations end, and how: who was a registrar hears why."""
        self.access = access
        self._there = {each: (access.standing(was.credentials), place) for each, (was, place) in self._there.items()}
        cut = [each for each, (standing, _) in self._there.items() if authority.enters(standing).ruling in _STOPPED]
        return [(each, [self._refusal(each), Abort(each)]) for each in cut]

    def _turn_away(self, association: Association) -> list[Effect]:
        """It hears why: a registrar that is none any more must not take us for dead, and claim what is ours."""
        return [self._refusal(association), Close(association)]

    def _refusal(self, association: Association) -> Effect:
        return Send(association, enrp.Error(self._server, 0, (ErrorCause(CauseCode.REJECTED_FOR_SECURITY),)))

    @staticmethod
    def _told(standing: Standing, place: TransportAddress | None, rule: Rule) -> Effect:
        return Notify(Acted(Act.REFUSED, str(standing), place, "ENRP", _REASONS[rule.ruling]))


_STOPPED: Final = (Ruling.REFUSED, Ruling.ABORTED)
_REASONS: Final = {
    Ruling.REFUSED: "TLS is required",
    Ruling.ABORTED: "neither a registrar nor an operator",
    Ruling.IGNORED: "the registrar speaks with us by another identity",
}
