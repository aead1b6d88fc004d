"""The registrar among registrars: ENRP (RFC 5353 section 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import lt
from typing import TYPE_CHECKING, Any

from rserpool.addresses import ENRP_PORT, TransportAddress, scope
from rserpool.deadlines import Deadlines
from rserpool.effects import Announce, Association, Close, Effect, Notify, Send
from rserpool.enrp import mentor, takeover
from rserpool.enrp.audit import Audit
from rserpool.enrp.peers import Peer, PeerList
from rserpool.enrp.table import TableSessions
from rserpool.enrp.update import Replica
from rserpool.handlespace.element import Element
from rserpool.handlespace.handlespace import Handlespace
from rserpool.profiles import Profile
from rserpool.wire import enrp
from rserpool.wire.enrp import UpdateAction, encode_handle_update
from rserpool.wire.parameters import ErrorCause, ServerInformation

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, slots=True)
class Ready:
    """The registrar offers its services; C{mentor} gave it the handlespace, 0 if nobody did."""

    mentor: int
    elements: int


@dataclass(frozen=True, slots=True)
class PeerFound:
    """A peer is up."""

    identifier: int
    address: TransportAddress | None


@dataclass(frozen=True, slots=True)
class PeerLost:
    """A peer is considered dead (3.4.3)."""

    identifier: int


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The elements of C{target} have a new home."""

    target: int
    by: int
    elements: int


@dataclass(frozen=True, slots=True)
class Audited:
    """The handlespace of C{peer} differed from our copy, which is the same again; C{removed} elements had gone."""

    peer: int
    removed: int


@dataclass(frozen=True, slots=True)
class PeerError:
    """A peer reported an error."""

    peer: int
    causes: tuple[ErrorCause, ...]


_HEARTBEAT = "heartbeat"
_MENTOR = "mentor"
_ORPHANS = "orphans"


class Peering:
    """Holds the procedures of ENRP.

    Every method that takes C{now} (monotonic seconds) returns the effects that the caller must perform, in order.

    @param adopt: C{adopt(element, now)} is called for each element that we take over.
    @ivar ready: whether initialization is completed (3.2).
    @ivar suggest: whether to suggest to less busy peers that they take elements of ours over
        (draft-dreibholz-rserpool-enrp-takeover).
    @ivar gives_way: how takeovers are arbitrated (3.5.1): that of L{takeover.step<rserpool.enrp.takeover.step>}.
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        replica: Replica,
        *,
        profile: Profile,
        random: Random,
        adopt: Callable[[Element, float], list[Effect]],
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._replica = replica
        self._profile = profile
        self._random = random
        self._adopt = adopt
        self.gives_way: Callable[[int, int], bool] = lt
        self._information: ServerInformation | None = None
        self._discover = False
        self.suggest = False
        self._suggested: dict[Element, int] = {}
        self._mentor: mentor.State = mentor.Ready()
        self._peers = PeerList((), profile, random, 0.0)
        self._tables = TableSessions(server, handlespace, 2 * profile.max_time_no_response)
        self._takeovers: dict[int, takeover.State] = {}
        self._audits: dict[int, Audit] = {}
        self._orphans: dict[int, float] = {}
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
        self._peers = PeerList(configured, self._profile, self._random, now)
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
            address = _usable(message.information, source)
        if address is not None:
            self._peers.want(address, now)
        return self._after([], now)

    def announce(self, action: UpdateAction, element: Element) -> list[Effect]:
        """3.3: tell all peers about an element of ours."""
        if not len(self._peers):
            return []
        effects = self._peers.to_all(encode_handle_update(self._server, 0, action, element.handle, element.wire))
        better = self._less_busy(element) if self.suggest and action is UpdateAction.ADD_PE else None
        if better is not None and better.association is not None:
            self._suggested[element] = better.identifier
            message = encode_handle_update(
                self._server, better.identifier, action, element.handle, element.wire, takeover_suggested=True
            )
            effects.append(Send(better.association, message))
        return effects

    def _less_busy(self, element: Element) -> Peer | None:
        """The connected peer with the fewest elements, if we have clearly more; what was suggested counts as done."""
        self._suggested.pop(element, None)
        self._suggested = {one: to for one, to in self._suggested.items() if one.home == self._server and one.watch}
        moving = list(self._suggested.values())
        connected = [peer for peer in self._peers if peer.association is not None and peer.monitored]
        if not connected:
            return None
        load = {
            peer: len(self._handlespace.owned_by(peer.identifier)) + moving.count(peer.identifier) for peer in connected
        }
        least = min(connected, key=lambda peer: (load[peer], peer.identifier))
        own = len(self._handlespace.owned_by(self._server)) - len(moving)
        return least if own > load[least] + max(1, load[least] // 10) else None

    # The associations

    def association_up(
        self, association: Association, peer: TransportAddress, now: float, outbound: bool = False
    ) -> list[Effect]:
        """An association with another registrar is up: each presents itself, and asks who the other is."""
        self._peers.up(association, peer, outbound)
        return [Send(association, self._own_presence(0, reply_required=True))]

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
        self._audits.pop(peer.identifier, None)
        effects = self._initialize(mentor.PeerDown(peer.identifier), now)
        for target in list(self._takeovers):
            effects += self._takeover(target, takeover.PeerGone(peer.identifier), now)
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
            return [Close(association)]
        procedure = self._procedures[type(message)]
        if sender == 0:
            # Not a registrar, but a tool that looks on: it is answered, and is no peer.
            stranger = Peer(0, now)
            questions = (enrp.Presence, enrp.ListRequest, enrp.HandleTableRequest)
            return procedure(stranger, association, message, now) if isinstance(message, questions) else []
        peer, fresh = self._peers.heard(association, sender, now)
        effects: list[Effect] = []
        if isinstance(message, enrp.Presence) and message.information is not None:
            peer.learn(message.information)
        if not peer.monitored:
            effects += self._takeover(sender, takeover.TargetHeard(), now)
        for target in list(self._takeovers):
            effects += self._takeover(target, takeover.Heard(sender), now)
        if fresh:
            effects.append(Notify(PeerFound(sender, peer.address)))
            if self.ready:
                # Whom it knows, and what it owns: after a split both may differ from what we have.
                effects += self._to(sender, enrp.ListRequest(self._server, sender))
                effects += self._audit(peer, now)
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
                effects += self._peers.to_all(enrp.encode(self._own_presence(0))) + self._present_ourselves()
            elif due == _ORPHANS:
                self._deadlines.set(_ORPHANS, now + self._profile.max_time_last_heard)
                effects += self._look_for_orphans(now)
                effects += self._look_for_peers()
        effects += self._peers_tick(now)
        when = mentor.deadline(self._mentor)
        if when is not None and now >= when:
            effects += self._initialize(mentor.TimeOut(), now)
        for target, state in list(self._takeovers.items()):
            when = takeover.deadline(state)
            if when is not None and now >= when:
                effects += self._takeover(target, takeover.TimeOut(), now)
        for identifier, audit in list(self._audits.items()):
            if now >= audit.answer_by:
                del self._audits[identifier]
        return effects

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None."""
        if not len(self._peers) and self.ready and not self._takeovers and not self._peers.dialling:
            return self._deadlines.next()
        deadlines = [self._deadlines.next(), self._peers.next_deadline(), mentor.deadline(self._mentor)]
        deadlines += [takeover.deadline(state) for state in self._takeovers.values()]
        deadlines += [audit.answer_by for audit in self._audits.values()]
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
                effects += self._to(chosen, enrp.ListRequest(self._server, chosen))
            else:
                effects += self._to(chosen, enrp.HandleTableRequest(self._server, chosen))
        return effects

    def _open(self, now: float) -> list[Effect]:
        assert isinstance(self._mentor, mentor.Ready)
        effects: list[Effect] = [Notify(Ready(self._mentor.mentor, len(self._handlespace)))]
        for peer in self._peers:
            if peer.association is not None and peer.identifier != self._mentor.mentor:
                effects += self._audit(peer, now)
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
        return self._to(self._asked, enrp.ListRequest(self._server, self._asked))

    def _list_response(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        for information in message.servers:
            known = self._peers.get(information.identifier)
            if information.identifier != self._server and (known is None or known.association is None):
                address = _usable(information, peer.address.hosts[0]) if peer.address is not None else None
                if address is not None:
                    self._peers.want(address, now)
        return self._initialize(mentor.Listed(peer.identifier, message.rejected), now)

    def _table_request(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        if not self.ready:
            return [Send(association, enrp.HandleTableResponse(self._server, peer.identifier, rejected=True))]
        return [Send(association, self._tables.respond(association, peer.identifier, message.own_children_only, now))]

    def _table_response(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        if isinstance(self._mentor, mentor.Downloading) and self._mentor.mentor == peer.identifier:
            effects = self._take(peer.identifier, message.entries, None, now)
            effects += self._restore(message.entries, now)
            table = mentor.Table(peer.identifier, message.rejected, message.more_to_send)
            return effects + self._initialize(table, now)
        audit = self._audits.get(peer.identifier)
        if audit is None:
            return []
        if message.rejected:
            del self._audits[peer.identifier]
            return []
        effects = self._take(peer.identifier, message.entries, audit, now)
        if message.more_to_send:
            audit.answer_by = now + self._profile.max_time_no_response
            return effects + self._to(peer.identifier, enrp.HandleTableRequest(self._server, peer.identifier, True))
        del self._audits[peer.identifier]
        gone = audit.unmentioned(peer.identifier)
        return [*effects, *self._replica.unmentioned(gone, now), Notify(Audited(peer.identifier, len(gone)))]

    def _take(
        self, sender: int, entries: Iterable[enrp.PoolEntry], audit: Audit | None, now: float
    ) -> list[Effect]:
        effects: list[Effect] = []
        for entry in entries:
            for parameter in entry.elements:
                element, more = self._replica.added(sender, entry.handle, parameter, now, announced=False)
                effects += more
                if audit is not None and element is not None:
                    audit.mentioned(element)
        return effects

    def _restore(self, entries: Iterable[enrp.PoolEntry], now: float) -> list[Effect]:
        """What we owned before we were restarted with the same identifier is ours again, if it lives."""
        effects: list[Effect] = []
        for entry in entries:
            for parameter in entry.elements:
                if parameter.home == self._server:
                    element = self._replica.restored(entry.handle, parameter)
                    if element is not None:
                        effects += self._adopt(element, now)
        return effects

    # 3.3: updates

    def _update(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        if message.action == UpdateAction.ADD_PE:
            element, effects = self._replica.added(
                peer.identifier, message.handle, message.element, now, announced=True
            )
            audit = self._audits.get(peer.identifier)
            if audit is not None and element is not None:
                # Newer than the table that is on its way.
                audit.mentioned(element)
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
        # 3.6.1 (3) to (5): compare, and re-synchronise.
        if (
            self.ready
            and peer.identifier
            and message.checksum is not None
            and message.checksum != self._handlespace.checksum_of(peer.identifier)
        ):
            effects += self._audit(peer, now)
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
        return [Notify(PeerLost(peer.identifier)), *self._takeover(peer.identifier, event, now)]

    # 3.5: takeover

    def _takeover(self, target: int, event: takeover.Event, now: float) -> list[Effect]:
        no_response = self._profile.max_time_no_response
        timers = takeover.Timers(
            claim=no_response * self._random.uniform(1.0, 1.4), probe=no_response, yielded=4 * no_response
        )
        before = self._takeovers.get(target, takeover.Monitored())
        state, actions = takeover.step(self._server, before, event, now, timers, self.gives_way)
        if isinstance(state, takeover.Monitored):
            self._takeovers.pop(target, None)
        else:
            self._takeovers[target] = state
        effects: list[Effect] = []
        for action in actions:
            match action:
                case takeover.Action.ANNOUNCE_CLAIM:
                    effects += self._peers.to_all(enrp.encode(enrp.InitTakeover(self._server, 0, target)))
                case takeover.Action.ACKNOWLEDGE if isinstance(state, takeover.Yielded):
                    self._monitor(target, False)
                    effects += self._to(state.to, enrp.InitTakeoverAck(self._server, state.to, target))
                case takeover.Action.PROBE if isinstance(state, takeover.Probing):
                    for peer in sorted(state.pending):
                        probe = self._own_presence(peer, reply_required=True)
                        effects += self._to(peer, probe)
                case takeover.Action.ENFORCE:
                    effects += self._enforce(target, now)
                case takeover.Action.HAND_OVER if isinstance(event, takeover.Enforced):
                    self._peers.remove(target)
                    moved = self._replica.handed_over(target, event.by)
                    effects.append(Notify(TakenOver(target, event.by, moved)))
                case takeover.Action.MONITOR:
                    self._monitor(target, True)
                    again = no_response * self._random.uniform(1.0, 3.0)
                    watched = self._peers.get(target)
                    if watched is not None:
                        watched.last_heard = now - self._profile.max_time_last_heard + again
                case takeover.Action.ACTIVE:
                    self._monitor(target, True)
                case _:
                    pass
        return effects

    def _monitor(self, target: int, monitored: bool) -> None:
        peer = self._peers.get(target)
        if peer is not None:
            peer.monitored = monitored
            peer.answer_by = None

    def _enforce(self, target: int, now: float) -> list[Effect]:
        # 3.5.2: tell all, remove the target, own its elements.
        effects = self._peers.to_all(enrp.encode(enrp.TakeoverServer(self._server, 0, target)))
        self._peers.remove(target)
        self._orphans.pop(target, None)
        elements = list(self._handlespace.owned_by(target))
        effects.append(Notify(TakenOver(target, self._server, len(elements))))
        for element in elements:
            self._handlespace.adopt(element, self._server)
            effects += self._adopt(element, now)
        return effects

    def _claim(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        if message.target == self._server:
            # 3.5.1 (1): we live.
            return self._peers.to_all(enrp.encode(self._own_presence(0)))
        return self._takeover(message.target, takeover.Claim(peer.identifier), now)

    def _acknowledgement(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        return self._takeover(message.target, takeover.Acknowledged(peer.identifier), now)

    def _enforcement(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        if message.target == self._server:
            effects = self._replica.taken_from_us(peer.identifier)
            return effects + self._peers.to_all(enrp.encode(self._own_presence(0)))
        return self._takeover(message.target, takeover.Enforced(peer.identifier), now)

    def _look_for_orphans(self, now: float) -> list[Effect]:
        """Elements whose home nobody knows are taken over like those of a failed peer."""
        lost = {
            home
            for home in self._handlespace.homes
            if home != self._server and home not in self._peers and home not in self._takeovers
        }
        effects: list[Effect] = []
        for home in sorted(lost):
            since = self._orphans.setdefault(home, now)
            if now >= since + self._profile.max_time_last_heard:
                del self._orphans[home]
                effects += self._takeover(home, takeover.Failed(frozenset(self._peers.connected)), now)
        self._orphans = {home: since for home, since in self._orphans.items() if home in lost}
        return effects

    # 3.6: auditing

    def _audit(self, peer: Peer, now: float) -> list[Effect]:
        if peer.identifier in self._audits or peer.association is None:
            return []
        elements = list(self._handlespace.owned_by(peer.identifier))
        self._audits[peer.identifier] = Audit(elements, now + self._profile.max_time_no_response)
        return self._to(peer.identifier, enrp.HandleTableRequest(self._server, peer.identifier, True))

    def _error(self, peer: Peer, association: Association, message: Any, now: float) -> list[Effect]:
        return [Notify(PeerError(peer.identifier, message.causes))]

    def _to(self, identifier: int, message: enrp.Message) -> list[Effect]:
        peer = self._peers.get(identifier)
        return [] if peer is None or peer.association is None else [Send(peer.association, message)]


def _usable(information: ServerInformation, source: str) -> TransportAddress | None:
    """Where a server can be reached that we heard of from C{source}: by loopback only if we reach the source so."""
    local = scope(source) == "loopback"
    hosts = tuple(host for host in information.transport.addresses if local or scope(host) == "global")
    return TransportAddress(hosts, information.transport.port, information.encapsulation) if hosts else None
