"""The registrar among registrars: ENRP (RFC 5353 section 3)."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from rserpool.core import authority
from rserpool.core.access import Access
from rserpool.core.addresses import ENRP_PORT, TransportAddress, machine
from rserpool.core.deadlines import Timers
from rserpool.core.dice import Dice
from rserpool.core.effects import Abort, Association, Close, Effect, Notify, Send
from rserpool.core.handlespace.changes import Outcome
from rserpool.core.handlespace.distances import Distances
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering import arbitration, mentor
from rserpool.core.peering.audit import AUDIT, Audits
from rserpool.core.peering.copying import Copying
from rserpool.core.peering.dials import DIAL, Dials
from rserpool.core.peering.events import OutOfPlace, PeerError, PeerFound, PeerLost, PeerRetired
from rserpool.core.peering.greetings import GREET, Greetings
from rserpool.core.peering.initialization import MENTOR, Initialization
from rserpool.core.peering.lists import PeerLists
from rserpool.core.peering.peers import PEER, Peer, PeerList, usable_address
from rserpool.core.peering.presence import Ourselves
from rserpool.core.peering.replica import Replica
from rserpool.core.peering.rounds import HEARTBEAT, ORPHANS, Rounds
from rserpool.core.peering.table import PIECE, TABLE, TableSessions
from rserpool.core.peering.takeover import TAKEOVER, Takeovers
from rserpool.core.peering.updates import Updates
from rserpool.core.profiles import Profile
from rserpool.core.ruling import Ruling, What
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.enrp import UpdateAction
from rserpool.core.wire.parameters import ServerInformation


class Peering:
    """Holds the procedures of ENRP.

    What they return are effects and changes, in order; L{EnrpSide<rserpool.core.registrar.enrp.EnrpSide>} follows the
    changes.

    @ivar suggest: whether to suggest to less busy peers that they take elements of ours over
        (draft-dreibholz-rserpool-enrp-takeover); C{takes}: whether we take theirs.
    @ivar initialization: whether we offer our services yet (3.2).
    @ivar peers: the peer list (3.4).
    @ivar ourselves: what we tell of ourselves.
    @ivar takeovers: those that are under way (3.5); C{tables}: the downloads that are (3.2.3).
    @ivar updates: what peers are told of our elements (3.3).
    @ivar greet: C{greet(peer, now)}: what else a new peer is told.
    @ivar due: what is called when a key of this side is due, by the first word of the key.
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        timers: Timers,
        *,
        profile: Profile,
        random: Dice,
        distances: Distances,
        encapsulated: Callable[[Association], bool],
        access: Access,
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._timers = timers
        self._profile = profile
        self.suggest, self.takes = False, True
        self.peers = PeerList(server, profile, timers)
        self.ourselves = Ourselves(server, handlespace, self.peers, encapsulated)
        self._greetings = Greetings(self.ourselves, timers, profile, lambda: not self.initialization.occupied)
        self._dials = Dials(random, timers)
        self.reconfigure = self._dials.configured_again
        self._lists = PeerLists(server, self.peers, self._dials)
        self._replica = Replica(server, handlespace, distances, access)
        self._copying = Copying(server, handlespace, self._replica)
        self.tables = TableSessions(server, handlespace, timers, 2 * profile.max_time_no_response)
        self._audits = Audits(server, handlespace, self._replica, self.peers, timers, profile.max_time_no_response)
        self.initialization = Initialization(
            server, handlespace, self.peers, self._audits, timers, profile=profile, random=random
        )
        self.updates = Updates(server, handlespace, self.peers)
        self.takeovers = Takeovers(
            self.ourselves, handlespace, self._replica, self.peers, timers, profile=profile, random=random
        )
        self._rounds = Rounds(
            handlespace, self.peers, self.ourselves, self.takeovers, timers, profile, lambda: self.ready
        )
        self.judge(access)
        self.greet: Callable[[Peer, float], list[Effect]] = lambda peer, now: []
        self.due: dict[Hashable, Callable[..., Sequence[Outcome]]] = {
            HEARTBEAT: self._rounds.present,
            ORPHANS: self._rounds.look_around,
            PEER: self._silent,
            DIAL: self._dials.again,
            GREET: self._greetings.again,
            MENTOR: self.initialization.time_out,
            AUDIT: self._audits.give_up,
            TABLE: self.tables.expire,
            PIECE: self.tables.continued,
            TAKEOVER: self.takeovers.time_out,
        }

    @property
    def ready(self) -> bool:
        """Whether initialization is completed (3.2)."""
        return self.initialization.ready

    def judge(self, access: Access) -> None:
        """Who may be what is this now."""
        self._replica.access = access
        self.ourselves.identity = access.own

    def join(
        self,
        information: ServerInformation,
        configured: Sequence[TransportAddress],
        now: float,
        *,
        discover: bool = False,
    ) -> list[Effect]:
        """3.2: begin to be a registrar among others; without configured peers we are alone, and ready at once.

        @param discover: announce ourselves to the multicast group of ENRP, and look for others there.
        """
        self.ourselves.settle(information, discover)
        self._dials.guesses = bool(information.encapsulation)
        self._rounds.begin(now)
        if configured or discover:
            self.initialization.begin(now)
        return self.ourselves.announced() + self._dials.configure(configured)

    def announcement(self, message: asap.Message | enrp.Message, source: str, now: float) -> list[Outcome]:
        """Something arrived at the multicast group of ENRP from the IP address C{source} (3.1)."""
        if not isinstance(message, enrp.Presence):
            return []
        peer, outcomes = self.peers.get(message.sender), list[Outcome]()
        believed = authority.appears(self._replica.access).allowed
        if peer is not None and believed and self.peers.is_at(peer, source):
            # 3.4.1, 3.6.1: as good as one over an association.
            self.peers.alive(peer, now)
            outcomes = [*self.takeovers.heard(peer.identifier, now), *self._compare(peer, message.checksum, now)]
        if self.peers.present(message.sender):
            return outcomes
        told = message.information
        address = TransportAddress((source,), ENRP_PORT) if told is None else usable_address(told, source)
        return outcomes if address is None else [*outcomes, *self._dials.named(address, machine(source), now, True)]

    def announce(self, action: UpdateAction, element: Element, dead: bool = False) -> list[Effect]:
        """3.3: tell all peers about an element of ours."""
        return self.updates.announce(action, element, self.suggest, dead)

    # The associations

    def association_up(
        self, association: Association, peer: TransportAddress, outbound: bool, now: float
    ) -> list[Effect]:
        """An association with another registrar is up: each presents itself, and asks who the other is."""
        effects: list[Effect] = []
        self._rounds.met(now)
        if self.peers.up(association, peer):
            effects.append(self.ourselves.presence(association, reply_required=True))
        if outbound:
            configured = self._dials.up(association, peer)
            if not self.peers.identified(association):
                effects += self._greetings.begin(association, peer, configured, now)
        return effects

    def connect_failed(self, peer: TransportAddress, now: float) -> list[Outcome]:
        """A registrar could not be reached; one that we lost before is dead."""
        outcomes: list[Outcome] = [*self._dials.failed(peer, now)]
        for expected in self.peers.expected_at(peer):
            if expected.monitored and expected.answer_by is not None:
                outcomes += self._failed(expected, now)
        return outcomes

    def association_lost(self, association: Association, now: float) -> list[Outcome]:
        """An association is gone: a reason to probe the peer at once, unless it has retired."""
        self.tables.forget(association)
        self._greetings.over(association)
        leaving = self.peers.leaves(association)
        outcomes: list[Outcome] = [*self._dials.lost(association, now, leaving)]
        peer = self.peers.lost(association)
        if peer is None:
            return outcomes
        self._audits.forget(peer.identifier)
        outcomes += self.initialization.happened(mentor.PeerDown(peer.identifier), now)
        outcomes += self.takeovers.gone(peer.identifier, now)
        if leaving and not self._handlespace.owned_by(peer.identifier):
            self.peers.remove(peer.identifier)
            return [*outcomes, Notify(PeerRetired(peer.identifier))]
        if peer.monitored and peer.identifier in self.peers:
            outcomes += self._probe(peer, now)
        return outcomes

    def receive(self, association: Association, message: enrp.Message, now: float) -> list[Outcome]:
        """An ENRP message arrived."""
        sender, heeded = message.sender, authority.heeds(self._server, message.receiver)
        if isinstance(message, enrp.HandleUpdate) and heeded and (steady := self.peers.steady(association, sender)):
            # As most that is heard: by all that follows nothing would be learned of the peer.
            self._dials.answered(association)
            self.peers.alive(steady, now)
            return [*self.takeovers.heard(sender, now), *self._update(steady, association, message)]
        match self.peers.speaks(association, sender).ruling:
            case Ruling.CLOSED:
                place = self.peers.address_of(association)
                self._dials.forget(place)
                return [*self.ourselves.mirrored(message, place), Close(association)]
            case Ruling.ANSWERED:
                # Not a registrar, but a tool that looks on: it is answered, and is no peer.
                looker = Peer(0, now)
                looker.private = True
                return self._question(looker, association, message, now) if heeded else []
            case Ruling.ABORTED:
                return [Abort(association)]
            case Ruling.IGNORED:
                return []
        self._dials.answered(association)
        peer, fresh = self.peers.heard(association, message, now)
        if isinstance(message, enrp.Presence) and message.information is not None:
            peer.learn(message.information, self.peers.address_of(association))
        outcomes = self.takeovers.heard(sender, now)
        asked = self._greetings.over(association)
        if fresh:
            outcomes += self._met(peer, asked, now)
        if not heeded:
            return [*outcomes, Notify(OutOfPlace(sender, "a message for another registrar"))]
        return [*outcomes, *self._procedure(peer, association, message, now)]

    def _met(self, peer: Peer, asked: bool, now: float) -> list[Effect]:
        place = None if peer.association is None else self.peers.address_of(peer.association)
        found = [*self._dials.remember(peer, place), Notify(PeerFound(peer.identifier, peer.address))]
        if not self.ready:
            return [*found, *self.initialization.met(peer.identifier, asked, now)]
        # Whom it knows, and what it owns: after a split both may differ from what we have.
        request = self.peers.to(peer.identifier, enrp.ListRequest(self._server, peer.identifier))
        return [*found, *self.greet(peer, now), *([] if asked else request), *self._audits.start(peer, now)]

    def _procedure(self, peer: Peer, association: Association, message: enrp.Message, now: float) -> list[Outcome]:
        match message:
            case enrp.HandleUpdate():
                return self._update(peer, association, message)
            case enrp.HandleTableResponse():
                return self._table_response(peer, association, message, now)
            case enrp.ListResponse():
                return self._list_response(peer, message, now)
            case enrp.InitTakeover():
                return self.takeovers.claimed(peer.identifier, message.target, now)
            case enrp.InitTakeoverAck(target=target):
                return self.takeovers.happened(target, arbitration.Acknowledged(peer.identifier), now)
            case enrp.TakeoverServer():
                return self.takeovers.enforced(peer.identifier, message.target, now)
            case enrp.Error(causes=causes):
                return [Notify(PeerError(peer.identifier, causes))]
        return self._question(peer, association, message, now)

    def _question(self, peer: Peer, association: Association, message: enrp.Message, now: float) -> list[Outcome]:
        match message:
            case enrp.Presence():
                return self._presence(peer, association, message, now)
            case enrp.ListRequest():
                return [Send(association, self._lists.told(peer, self.ready))]
            case enrp.HandleTableRequest(own_children_only=own_only):
                if not self.ready:
                    return [Send(association, enrp.HandleTableResponse(self._server, peer.identifier, rejected=True))]
                place = self.peers.address_of(association)
                where = "" if place is None else machine(place.hosts[0])
                return self.tables.requested(association, peer.identifier, own_only, now, peer.private, where)
        return []

    # 3.2: initialization

    def _list_response(self, peer: Peer, message: enrp.ListResponse, now: float) -> list[Outcome]:
        listed = mentor.Listed(peer.identifier, message.rejected)
        return [*self._lists.heard(peer, message, now), *self.initialization.happened(listed, now)]

    def _table_response(
        self, peer: Peer, association: Association, message: enrp.HandleTableResponse, now: float
    ) -> list[Outcome]:
        if self.ready:
            return self._audits.response(peer.identifier, association, message, now)
        outcomes: list[Outcome] = []
        if self.initialization.downloads_from(peer.identifier):
            outcomes += self._copying.take(peer.identifier, association, message)
        table = mentor.Table(peer.identifier, message.rejected, message.more_to_send)
        return [*outcomes, *self.initialization.happened(table, now)]

    # 3.3: updates

    def _update(self, peer: Peer, association: Association, message: enrp.HandleUpdate) -> list[Outcome]:
        sender = peer.identifier
        if message.action == UpdateAction.DEL_PE:
            return [*self._replica.deleted(sender, message.handle, message.element.identifier, message.dead)]
        if message.action != UpdateAction.ADD_PE:
            return []
        element, outcomes = self._copying.told(sender, association, message.handle, message.element)
        self._audits.mentioned(sender, element)
        suggested = message.takeover_suggested and message.receiver == self._server and self.ready and self.takes
        if suggested and element is not None and authority.says(What.SUGGEST, self._server, sender, element).allowed:
            # draft-dreibholz-rserpool-enrp-takeover: the peer has more to do than we have.
            outcomes.append(self._handlespace.adopt(element, self._server))
        return outcomes

    # 3.4: the peers

    def _presence(self, peer: Peer, association: Association, message: enrp.Presence, now: float) -> list[Outcome]:
        answer = [self.ourselves.presence(association, peer.identifier)] if message.reply_required else []
        return [*answer, *self._compare(peer, message.checksum, now)]

    def _compare(self, peer: Peer, checksum: int | None, now: float) -> list[Effect]:
        return self._audits.compare(peer, checksum, now) if self.ready and peer.identifier else []

    def _silent(self, identifier: int, now: float) -> list[Outcome]:
        """L{PEER} is due."""
        peer = self.peers.get(identifier)
        if peer is None:
            return []
        if now < self.peers.silent_at(peer):
            self.peers.watch(peer)
            return []
        return [*self._probe(peer, now)] if peer.answer_by is None else self._failed(peer, now)

    def _probe(self, peer: Peer, now: float) -> list[Effect]:
        # 3.4.3: a presence with the Reply-required flag; without an association, try to have one.
        peer.answer_by = now + self._profile.max_time_no_response
        self.peers.watch(peer)
        if peer.association is not None:
            return self.ourselves.ask(peer)
        return [] if peer.address is None else self._dials.want(peer.address)

    def _failed(self, peer: Peer, now: float) -> list[Outcome]:
        self.peers.failed(peer)
        return [Notify(PeerLost(peer.identifier)), *self.takeovers.failed(peer.identifier, now)]
