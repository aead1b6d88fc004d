"""The registrar among registrars: ENRP (RFC 5353 section 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from rserpool.core.addresses import ENRP_PORT, TransportAddress
from rserpool.core.deadlines import Deadlines
from rserpool.core.dice import Dice
from rserpool.core.effects import Abort, Announce, Association, Close, Effect, Notify, Send
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering import mentor, takeover
from rserpool.core.peering.audit import Audits
from rserpool.core.peering.events import Namesake, PeerError, PeerFound, PeerLost, Ready
from rserpool.core.peering.peers import Peer, PeerList, usable_address
from rserpool.core.peering.replica import Replica
from rserpool.core.peering.suggestion import Suggestions
from rserpool.core.peering.table import TableSessions
from rserpool.core.peering.takeovers import Takeovers
from rserpool.core.profiles import Profile
from rserpool.core.wire import enrp
from rserpool.core.wire.enrp import UpdateAction, encode_handle_update
from rserpool.core.wire.parameters import ServerInformation

_HEARTBEAT = "heartbeat"
_ORPHANS = "orphans"


class Peering:
    """Holds the procedures of ENRP.

    Every method that takes C{now} (monotonic seconds) returns the effects that the caller must perform, in order.

    @param adopt: C{adopt(element, now)} is called for each element that we take over.
    @param round_trip: how far away a peer is, see L{Registrar<rserpool.core.registrar.registrar.Registrar>}.
    @ivar ready: whether initialization is completed (3.2).
    @ivar suggest: whether to suggest to less busy peers that they take elements of ours over
        (draft-dreibholz-rserpool-enrp-takeover).
    @ivar takeovers: those that are under way (3.5).
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        replica: Replica,
        *,
        profile: Profile,
        random: Dice,
        adopt: Callable[[Element, float], list[Effect]],
        round_trip: Callable[[Association], float | None] = lambda association: None,
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._replica = replica
        self._profile = profile
        self._random = random
        self._adopt = adopt
        self._round_trip = round_trip
        self._information: ServerInformation | None = None
        self._namesake = False
        self._discover = False
        self.suggest = False
        self._mentor: mentor.State = mentor.Ready()
        self._peers = PeerList(profile, random)
        self._tables = TableSessions(server, handlespace, 2 * profile.max_time_no_response)
        self._audits = Audits(server, handlespace, replica, self._peers, profile.max_time_no_response)
        self._suggestions = Suggestions(server, handlespace, self._peers)
        self.takeovers = Takeovers(
            server,
            handlespace,
            replica,
            self._peers,
            profile=profile,
            random=random,
            adopt=adopt,
            presence=lambda receiver: self._own_presence(receiver, reply_required=True),
        )
        self._asked = 0
        self._deadlines = Deadlines[str]()
        self._procedures: dict[type, Callable[[Peer, Association, Any, float], list[Effect]]] = {
            enrp.Presence: self._presence,
            enrp.HandleTableRequest: self._table_request,
            enrp.HandleTableResponse: self._table_response,
            enrp.HandleUpdate: self._update,
            enrp.ListRequest: self._list_request,
            enrp.ListResponse: self._list_response,
            enrp.InitTakeover: self._claim,
            enrp.InitTakeoverAck: self._acknowledgement,
            enrp.TakeoverServer: self._enforcement,
            enrp.Error: self._error,
        }

    @property
    def ready(self) -> bool:
        """Whether initialization is completed (3.2)."""
        return isinstance(self._mentor, mentor.Ready)

    @property
    def peers(self) -> PeerList:
        """The peer list (3.4)."""
        return self._peers

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
        self._discover = discover
        self._information = information
        self._peers.configure(configured, now)
        self._deadlines.set(_HEARTBEAT, now + self._profile.peer_heartbeat_cycle)
        self._deadlines.set(_ORPHANS, now + self._profile.max_time_last_heard)
        if not configured and not discover:
            return []
        patience = self._profile.max_time_no_response * self._random.uniform(2.0, 3.0)
        self._mentor = mentor.Searching(now + patience)
        return self._after(self._present_ourselves(), now)

    def announcement(self, message: Any, source: str, now: float) -> list[Effect]:
        """Something arrived at the multicast group of ENRP from the IP address C{source} (3.1)."""
        if not isinstance(message, enrp.Presence) or message.sender in (0, self._server):
            return []
        known = self._peers.get(message.sender)
        if known is not None and known.association is not None:
            return []
        address: TransportAddress | None = TransportAddress((source,), ENRP_PORT)
        if message.information is not None:
            address = usable_address(message.information, source)
        if address is not None:
            self._peers.want(address, now)
        return self._after([], now)

    def announce(self, action: UpdateAction, element: Element) -> list[Effect]:
        """3.3: tell all peers about an element of ours."""
        if not len(self._peers):
            return []
        effects = self._peers.to_all(encode_handle_update(self._server, 0, action, element.handle, element.wire))
        if self.suggest and action is UpdateAction.ADD_PE:
            better = self._suggestions.for_element(element)
            if better is not None and better.association is not None:
                message = encode_handle_update(
                    self._server, better.identifier, action, element.handle, element.wire, takeover_suggested=True
                )
                effects.append(Send(better.association, message))
        return effects

    # The associations

    def association_up(
        self, association: Association, peer: TransportAddress, now: float, outbound: bool = False
    ) -> list[Effect]:
        """An association with another registrar is up: each presents itself, and asks who the other is."""
        new = self._peers.up(association, peer, outbound)
        return [Send(association, self._own_presence(0, reply_required=True))] if new else []

    def connect_failed(self, peer: TransportAddress, now: float) -> list[Effect]:
        """A registrar could not be reached; one that we lost before is dead."""
        effects: list[Effect] = []
        for expected in self._peers.connect_failed(peer, now):
            if expected.monitored and expected.answer_by is not None:
                effects += self._failed(expected, now)
        return self._after(effects, now)

    def association_lost(self, association: Association, now: float) -> list[Effect]:
        """An association is gone: a reason to probe the peer at once."""
        self._tables.forget(association)
        peer = self._peers.lost(association, now)
        if peer is None:
            return self._after([], now)
        self._audits.forget(peer.identifier)
        effects = self._initialize(mentor.PeerDown(peer.identifier), now)
        effects += self.takeovers.everywhere(takeover.PeerGone(peer.identifier), now)
        if peer.monitored and peer.identifier in self._peers:
            effects += self._probe(peer, now)
        return self._after(effects, now)

    def association_paused(self, association: Association, now: float) -> list[Effect]:
        """A peer reads too slowly; SCTP aborts the association in the end, and an audit mends what it missed."""
        return []

    def association_resumed(self, association: Association, now: float) -> list[Effect]:
        """The peer reads again."""
        return []

    def receive(self, association: Association, message: Any, now: float) -> list[Effect]:
        """An ENRP message arrived."""
        sender = message.sender
        if sender == self._server:
            self._peers.is_ourselves(association)
            return [*self._not_ourselves(message), Close(association)]
        procedure = self._procedures[type(message)]
        if sender == 0:
            # Not a registrar, but a tool that looks on: it is answered, and is no peer.
            stranger = Peer(0, now)
            questions = (enrp.Presence, enrp.ListRequest, enrp.HandleTableRequest)
            return procedure(stranger, association, message, now) if isinstance(message, questions) else []
        speaks_for = self._peers.sender(association)
        if speaks_for not in (None, sender):
            return [Abort(association)]
        if speaks_for is None and not self._peers.believable(association, sender):
            return []
        peer, fresh = self._peers.heard(association, sender, now)
        effects: list[Effect] = []
        if isinstance(message, enrp.Presence) and message.information is not None:
            peer.learn(message.information)
        if not peer.monitored:
            effects += self.takeovers.happened(sender, takeover.TargetHeard(), now)
        effects += self.takeovers.everywhere(takeover.Heard(sender), now)
        if fresh:
            effects.append(Notify(PeerFound(sender, peer.address)))
            if self.ready:
                # Whom it knows, and what it owns: after a split both may differ from what we have.
                effects += self._peers.to(sender, enrp.ListRequest(self._server, sender))
                effects += self._audits.start(peer, now)
            else:
                effects += self._initialize(mentor.PeerUp(sender), now)
        effects += procedure(peer, association, message, now)
        return self._after(effects, now)

    # Time

    def excuse(self, late: float, now: float) -> None:
        """Our own loop stood still for C{late} seconds: messages may lie unread, so nobody is late yet."""
        if late > 0.1:
            self._peers.refresh(now)

    def tick(self, now: float) -> list[Effect]:
        """Do what is due; to be called at L{next_deadline}."""
        effects: list[Effect] = []
        for due in self._deadlines.due(now):
            if due == _HEARTBEAT:
                self._deadlines.set(_HEARTBEAT, now + self._profile.peer_heartbeat_cycle)
                presence = enrp.encode(self._own_presence(0))
                effects += self._peers.to_all(presence) + self._peers.to_removed(presence) + self._present_ourselves()
            elif due == _ORPHANS:
                self._deadlines.set(_ORPHANS, now + self._profile.max_time_last_heard)
                effects += self.takeovers.look_for_orphans(now)
                effects += self._look_for_peers()
        effects += self._peers_tick(now)
        when = mentor.deadline(self._mentor)
        if when is not None and now >= when:
            effects += self._initialize(mentor.TimeOut(), now)
        effects += self.takeovers.tick(now)
        self._audits.tick(now)
        return effects

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None."""
        if not len(self._peers) and self.ready and not len(self.takeovers) and not self._peers.dialling:
            return self._deadlines.next()
        deadlines = (
            self._deadlines.next(),
            self._peers.next_deadline(),
            mentor.deadline(self._mentor),
            self.takeovers.next_deadline(),
            self._audits.next_deadline(),
        )
        return min((deadline for deadline in deadlines if deadline is not None), default=None)

    def _after(self, effects: list[Effect], now: float) -> list[Effect]:
        """What became due just now, for example an address to dial."""
        when = self._peers.next_deadline()
        return effects + self._peers_tick(now) if when is not None and now >= when else effects

    def _peers_tick(self, now: float) -> list[Effect]:
        effects, probe, failed = self._peers.tick(now)
        for peer in probe:
            effects += self._probe(peer, now)
        for peer in failed:
            effects += self._failed(peer, now)
        return effects

    # 3.2: initialization

    def _initialize(self, event: mentor.Event, now: float) -> list[Effect]:
        if self.ready:
            return []
        about = getattr(event, "peer", 0)
        others = tuple(peer for peer in self._peers.connected if peer != about)
        no_response = self._profile.max_time_no_response
        self._mentor, actions = mentor.step(self._mentor, event, now, no_response, others)
        effects: list[Effect] = []
        for action in actions:
            if action is mentor.Action.OPEN:
                effects += self._open(now)
                continue
            chosen = getattr(self._mentor, "mentor", 0)
            if action is mentor.Action.REQUEST_LIST:
                effects += self._peers.to(chosen, enrp.ListRequest(self._server, chosen))
            else:
                effects += self._peers.to(chosen, enrp.HandleTableRequest(self._server, chosen))
        return effects

    def _open(self, now: float) -> list[Effect]:
        assert isinstance(self._mentor, mentor.Ready)
        effects: list[Effect] = [Notify(Ready(self._mentor.mentor, len(self._handlespace)))]
        for peer in self._peers:
            if peer.association is not None and peer.identifier != self._mentor.mentor:
                effects += self._audits.start(peer, now)
        return effects

    def _list_request(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        if not self.ready:
            return [Send(association, enrp.ListResponse(self._server, peer.identifier, rejected=True))]
        servers = tuple(
            other.information
            for other in self._peers
            if other.information is not None and other.identifier != peer.identifier and other.monitored
        )
        return [Send(association, enrp.ListResponse(self._server, peer.identifier, servers))]

    def _look_for_peers(self) -> list[Effect]:
        """Ask one peer after the other whom it knows: two that lost each other may have a third in common."""
        connected = self._peers.connected
        if not self.ready or not connected:
            return []
        self._asked = next((peer for peer in connected if peer > self._asked), connected[0])
        return self._peers.to(self._asked, enrp.ListRequest(self._server, self._asked))

    def _list_response(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        for information in message.servers:
            known = self._peers.get(information.identifier)
            if information.identifier != self._server and (known is None or known.association is None):
                address = usable_address(information, peer.address.hosts[0]) if peer.address is not None else None
                if address is not None:
                    self._peers.want(address, now)
        return self._initialize(mentor.Listed(peer.identifier, message.rejected), now)

    def _table_request(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        if not self.ready:
            return [Send(association, enrp.HandleTableResponse(self._server, peer.identifier, rejected=True))]
        return [Send(association, self._tables.respond(association, peer.identifier, message.own_children_only, now))]

    def _table_response(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        if isinstance(self._mentor, mentor.Downloading) and self._mentor.mentor == peer.identifier:
            far = partial(self._round_trip, association)
            effects = self._replica.take(peer.identifier, message.entries, now, far=far)
            for element in self._replica.restored(message.entries):
                # What we owned before we were restarted with the same identifier is ours again, if it lives.
                effects += self._adopt(element, now)
            table = mentor.Table(peer.identifier, message.rejected, message.more_to_send)
            return effects + self._initialize(table, now)
        return self._audits.response(peer.identifier, message, now, partial(self._round_trip, association))

    # 3.3: updates

    def _update(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        if message.action == UpdateAction.ADD_PE:
            element, effects = self._replica.added(
                peer.identifier,
                message.handle,
                message.element,
                now,
                announced=True,
                far=partial(self._round_trip, association),
            )
            self._audits.mentioned(peer.identifier, element)
            if message.takeover_suggested and message.receiver == self._server and self.ready and element is not None:
                # draft-dreibholz-rserpool-enrp-takeover: the peer has more to do than we have.
                self._handlespace.adopt(element, self._server)
                effects += self._adopt(element, now)
            return effects
        if message.action == UpdateAction.DEL_PE:
            return self._replica.deleted(peer.identifier, message.handle, message.element.identifier, now)
        return []

    # 3.4: the peers

    def _present_ourselves(self) -> list[Effect]:
        return [Announce(self._own_presence(0), "enrp")] if self._discover else []

    def _own_presence(self, receiver: int, *, reply_required: bool = False) -> enrp.Presence:
        checksum = self._handlespace.checksum_of(self._server)
        return enrp.Presence(self._server, receiver, checksum, self._information, reply_required)

    def _presence(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if message.reply_required:
            effects.append(Send(association, self._own_presence(peer.identifier)))
        if self.ready and peer.identifier:
            effects += self._audits.compare(peer, message.checksum, now)
        return effects

    def _probe(self, peer: Peer, now: float) -> list[Effect]:
        # 3.4.3: a presence with the Reply-required flag; without an association, try to have one.
        peer.answer_by = now + self._profile.max_time_no_response
        if peer.association is not None:
            return [Send(peer.association, self._own_presence(peer.identifier, reply_required=True))]
        if peer.address is not None:
            self._peers.want(peer.address, now)
        return []

    def _failed(self, peer: Peer, now: float) -> list[Effect]:
        peer.monitored = False
        peer.answer_by = None
        others = frozenset(self._peers.connected) - {peer.identifier}
        event = takeover.Failed(others)
        return [Notify(PeerLost(peer.identifier)), *self.takeovers.happened(peer.identifier, event, now)]

    # 3.5: takeover

    def _claim(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        if message.target == self._server:
            # 3.5.1 (1): we live.
            return self._peers.to_all(enrp.encode(self._own_presence(0)))
        return self.takeovers.happened(message.target, takeover.Claim(peer.identifier), now)

    def _acknowledgement(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        return self.takeovers.happened(message.target, takeover.Acknowledged(peer.identifier), now)

    def _enforcement(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        if message.target == self._server:
            effects = self._replica.taken_from_us(peer.identifier)
            return effects + self._peers.to_all(enrp.encode(self._own_presence(0)))
        return self.takeovers.happened(message.target, takeover.Enforced(peer.identifier), now)

    def _not_ourselves(self, message: Any) -> list[Effect]:
        theirs = message.information if isinstance(message, enrp.Presence) else None
        ours = self._information
        if theirs is None or ours is None:
            return []
        hosts = theirs.transport.addresses
        place = theirs.transport.port, theirs.encapsulation
        if place == (ours.transport.port, ours.encapsulation) and not set(hosts).isdisjoint(ours.transport.addresses):
            return []
        if self._namesake:
            # It dials for ever: once said is enough.
            return []
        self._namesake = True
        return [Notify(Namesake(TransportAddress(hosts, *place)))]

    def _error(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        return [Notify(PeerError(peer.identifier, message.causes))]
