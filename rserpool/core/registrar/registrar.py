"""The registrar, also called name server or ENRP server: ASAP towards elements and users (RFC 5352 section 4)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Final

from rserpool.core import authority
from rserpool.core.access import PLAIN, Access, State
from rserpool.core.addresses import TransportAddress
from rserpool.core.deadlines import Timers
from rserpool.core.dice import Dice
from rserpool.core.effects import Abort, Association, Close, Effect, Notify, Send
from rserpool.core.errors import CauseCode, Unproved
from rserpool.core.handlespace.changes import Later, Outcome, Suspected, consumed
from rserpool.core.handlespace.distances import Distances
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.handlespace.limits import Limits
from rserpool.core.identity import Credentials
from rserpool.core.peering.peering import Peering
from rserpool.core.profiles import Profile
from rserpool.core.registrar.announcing import ANNOUNCE, Announcing
from rserpool.core.registrar.answers import UPDATE, Answers
from rserpool.core.registrar.bare import InTheClear, in_the_clear
from rserpool.core.registrar.clients import Client, Clients
from rserpool.core.registrar.confirming import CONFIRM, Confirming
from rserpool.core.registrar.consequences import REST, Consequences
from rserpool.core.registrar.draining import DRAIN, HELD, DrainingElements
from rserpool.core.registrar.enrp import EnrpSide
from rserpool.core.registrar.events import ErrorReported
from rserpool.core.registrar.evictions import Evictions
from rserpool.core.registrar.foreign import FOREIGN
from rserpool.core.registrar.gate import Gate
from rserpool.core.registrar.home import Home
from rserpool.core.registrar.operating import Operating
from rserpool.core.registrar.orders import ORDERED, Orders
from rserpool.core.registrar.retiring import RETIRE, Retiring
from rserpool.core.registrar.supervision import ELEMENTS, Supervision
from rserpool.core.ruling import Who
from rserpool.core.trail import Act, trail
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import ErrorCause, SctpTransport, TcpTransport
from rserpool.core.wire.tlv import LONGEST_INFORMATION

STALL = 0.1
"""A tick that comes later than this, in seconds, means that our own loop stood still."""


class Registrar:
    """Holds the handlespace and the procedures of a registrar; itself its side towards elements and users.

    Every method that takes C{now} (monotonic seconds) returns the effects that the caller must perform, in order.

    @param access: who may be what in this scope.
    @param round_trip: C{round_trip(association)} tells how far away a peer is (seconds there and back; None if that is
        not known), for the policies that count with distances.
    @param encapsulated: whether an association is encapsulated in UDP: our UDP port is told over no other.
    @param unconfirmed: C{unconfirmed(association)}: the addresses of a peer that may be anybody's as yet.
    @ivar identifier: its ENRP server identifier (non-zero, 32 bits).
    @ivar limits: what it accepts.
    @ivar counts: what it has done so far.
    @ivar observer: whether anybody looks on at what happens to elements.
    @ivar enrp: its side towards other registrars.
    @ivar peering: what it knows of them.
    @ivar operating: what operators do by it; C{draining}: the elements that drain; C{evictions}: who is refused for a
        while; C{retiring}: whether it is to end.
    """

    def __init__(
        self,
        identifier: int,
        *,
        profile: Profile,
        random: Dice,
        limits: Limits | None = None,
        keep_alives: bool = True,
        access: Access = PLAIN,
        round_trip: Callable[[Association], float | None] = lambda association: None,
        encapsulated: Callable[[Association], bool] = lambda association: True,
        unconfirmed: Callable[[Association], Collection[str]] = lambda association: (),
    ) -> None:
        self.limits = limits = limits or Limits()
        distances = Distances(round_trip)
        self.identifier = identifier
        self.handlespace = Handlespace(random, limits)
        self._timers = Timers()
        self._clients = Clients(limits, access)
        self.counts, self.observer = self._clients.counts, self._clients.observer
        self.peering = Peering(
            identifier,
            self.handlespace,
            self._timers,
            profile=profile,
            random=random,
            distances=distances,
            encapsulated=encapsulated,
            access=access,
        )
        supervised = identifier, self.handlespace, self._clients, self._timers, distances, self.peering
        self.supervision = Supervision(*supervised, profile=profile, random=random, keep_alives=keep_alives)
        self.supervision.shares.allow(limits.supervision_percent)
        self.answers = Answers(self.handlespace, self._clients, limits, self._timers)
        confirming, self.evictions = Confirming(unconfirmed, self._timers, profile), (evictions := Evictions())
        self._home = Home(
            identifier, self.handlespace, self.supervision, self._clients, limits, distances, confirming, evictions
        )
        self._announcing = Announcing(identifier, profile, self._timers)
        self.draining = DrainingElements(identifier, self.handlespace, self._clients, self._timers, profile)
        consequences = Consequences(
            identifier,
            peering=self.peering,
            answers=self.answers,
            home=self._home,
            supervision=self.supervision,
            clients=self._clients,
            draining=self.draining,
            timers=self._timers,
        )
        self._follow = consequences.follow
        self._initialization = self.peering.initialization
        self._gate = Gate(identifier, self.peering.peers, access)
        self.retiring = Retiring(identifier, self.handlespace, self.peering, self._timers, profile)
        operated = identifier, self.handlespace, self.peering, self.draining, evictions
        self._orders = Orders(*operated, self._timers, profile)
        self.operating = Operating(*operated, self.retiring, self._orders, self._follow)
        self.peering.greet, self.peering.tables.served = self.operating.met, self.counts.served
        self.enrp = EnrpSide(self.peering, consequences, self._gate, self.operating)
        self._due = self._waited_for(consequences)

    def _waited_for(self, consequences: Consequences) -> dict[Hashable, Callable[..., Sequence[Outcome]]]:
        """Everything that a registrar waits for, by the first word of its key in the table."""
        return {
            ELEMENTS: self.supervision.look,
            FOREIGN: self.supervision.look_abroad,
            UPDATE: self.answers.update,
            ANNOUNCE: self._announcing.announce,
            REST: consequences.rest,
            CONFIRM: self._home.unproved,
            DRAIN: self.draining.late,
            HELD: self.draining.look,
            RETIRE: self.retiring.step,
            ORDERED: self._orders.late,
            **self.peering.due,
        }

    @property
    def clients(self) -> int:
        """How many associations and connections are up."""
        return len(self._clients)

    @property
    def access(self) -> Access:
        """Who may be what, as it is now."""
        return self._clients.access

    @property
    def in_the_clear(self) -> InTheClear:
        """What is not secured: with 100,000 elements this takes some milliseconds."""
        return in_the_clear(self.handlespace, self._clients, self.peering.peers, self._gate)

    def access_changed(self, access: Access, now: float) -> list[Effect]:
        """Who may be what is this now: who is revoked is cut off, and what it registered is removed, if it is ours.

        That TLS is required from now on is refused while anything would be lost by it: L{NotYetRequired
        <rserpool.core.registrar.events.NotYetRequired>}, and the state stays what it was.
        """
        before, bare = self.access, None
        if access.state is State.REQUIRED and before.state is not State.REQUIRED:
            bare = self.in_the_clear
        held = bool(bare)
        access = access.after(before, before.state if held else None)
        self._clients.access = access
        self.peering.judge(access)
        gone = [
            element for element in self.handlespace.owned_by(self.identifier) if not authority.stays(access, element)
        ]
        why = authority.removes(Who.REVOKED)
        effects = self._follow([self.handlespace.deregister(element, why) for element in gone], now)
        for client in self._clients.judged_anew():
            effects += [Abort(client.association), *self.association_lost(client.association, now)]
        for association, cut in self._gate.judged_anew(access):
            effects += [*cut, *self.enrp.association_lost(association, now)]
        return [*effects, Notify(bare.refusal)] if bare else effects

    def announce(
        self, transports: tuple[SctpTransport | TcpTransport, ...], encapsulation: int, now: float
    ) -> list[Effect]:
        """3.6: begin to announce where this registrar is reached."""
        return self._announcing.start(transports, encapsulation, now)

    def association_up(
        self,
        association: Association,
        peer: TransportAddress,
        now: float,
        outbound: bool = False,
        credentials: Credentials = None,
    ) -> list[Effect]:
        """An association or connection is up; one that a C{Connect} asked for is outbound."""
        client = self._clients.get(association) or self._clients.up(association, peer, now, outbound, credentials)
        return self._follow(self.supervision.connected(client, peer, now), now) if outbound else []

    def addresses_changed(self, association: Association, hosts: tuple[str, ...], now: float) -> list[Effect]:
        """The IP addresses of an association are these: what is registered over it is checked against them."""
        self._clients.moved(association, hosts)
        client = self._clients.get(association)
        return [] if client is None else self._follow(self._home.moved(client, now), now)

    def connect_failed(self, peer: TransportAddress, now: float, _: Unproved | None = None) -> list[Effect]:
        """What a L{Connect<rserpool.core.effects.Connect>} asked for could not be opened."""
        return self._follow(self.supervision.unreachable(peer, now), now)

    def association_lost(self, association: Association, now: float, _: Unproved | None = None) -> list[Effect]:
        """An association is gone: its elements are asked at once, over a new one, whether they live (3.5)."""
        client, orphans = self._clients.lost(association)
        if client is None:
            return []
        self.answers.client_lost(client)
        self._home.client_lost(client)
        doubted = self.supervision.foreign.lost(client)
        each = consumed(orphans)
        suspected = (Suspected(element, element.home) if element.association is None else None for element in each)
        return self._follow([*doubted, *self.draining.client_lost(client), Later(suspected)], now)

    def association_paused(self, association: Association, now: float) -> list[Effect]:
        """The peer reads too slowly: it gets no updates until it resumes."""
        client = self._clients.get(association)
        if client is not None:
            client.paused = True
        return []

    def association_resumed(self, association: Association, now: float) -> list[Effect]:
        """The peer reads again."""
        client = self._clients.get(association)
        if client is None:
            return []
        client.paused = False
        return self.answers.resumed(client)

    def at_once(self, association: Association, data: bytes, now: float) -> bytes | list[Effect] | None:
        """The answer to what asks for no more, or the effects of a message, where it is known; None: L{receive} it."""
        client = self._clients.get(association)
        if client is None or client.standing.clear or not self._initialization.ready:
            return None
        if data[:1] == asap.ASKS:
            return self.answers.at_once(client, data, now)
        if not self.draining.idle and data[:1] in _HEARD_BY_DRAINING:
            return None
        outcomes = self._home.again(client, data, now)
        return None if outcomes is None else self._follow(outcomes, now)

    def receive(self, association: Association, message: asap.Message, now: float) -> list[Effect]:
        """An ASAP message arrived."""
        client = self._clients.get(association)
        if client is None:
            return []
        if client.standing.clear and (
            type(message) is not asap.HandleResolution
            or not authority.resolves(client, self._clients.access.plain_users).allowed
        ):
            return self._refused(client, message, now)
        if isinstance(message, _REQUESTS) and not (self._initialization.ready and client.requests.take(now)):
            # RFC 5353 3.2: no services before initialization is completed.
            if isinstance(message, asap.Registration):
                self.counts.refused[CauseCode.LACK_OF_RESOURCES] += 1
            return [Send(association, _refusal(message, CauseCode.LACK_OF_RESOURCES))]
        match message:
            case asap.HandleResolution():
                return self.answers.resolve(client, message, now)
            case asap.Registration():
                return self._follow(self._home.wanted(client, message, now), now)
            case asap.EndpointKeepAliveAck():
                more = [] if self.draining.idle else self.draining.acknowledged(client, message, now)
                return self._follow([*self._home.acknowledged(client, message, now), *more], now)
            case asap.Deregistration():
                outcomes = self._home.deregister(client, message)
                if message.drains or not self.draining.idle:
                    outcomes += self.draining.left(client, message, now)
                return self._follow(outcomes, now)
            case asap.EndpointUnreachable(handle=handle, identifier=identifier):
                element = self.handlespace.find(handle, identifier)
                if not client.reports.take(now) or element is None:
                    return []
                seen = self.observer.reported(element, str(client.peer))
                return [*seen, *self._follow(self.supervision.reported(element, client, now), now)]
            case asap.Error(causes=causes):
                return [Notify(ErrorReported(association, causes))]
            case asap.ServerAnnounce():
                return []
        # 2.2.14: a message that a registrar has no procedure for.
        cause = ErrorCause(CauseCode.UNRECOGNIZED_MESSAGE, asap.encode(message)[:LONGEST_INFORMATION])
        return [Send(association, asap.Error((cause,)))]

    def _refused(self, client: Client, message: asap.Message, now: float) -> list[Effect]:
        """What comes in the clear, where TLS is required, hears so, and changes nothing."""
        association, effects = client.association, list[Effect]()
        if isinstance(message, asap.Registration):
            self.counts.refused[CauseCode.REJECTED_FOR_SECURITY] += 1
        if not isinstance(message, asap.Error | asap.EndpointKeepAliveAck) and client.reports.take(now):
            effects.append(Send(association, _refusal(message, CauseCode.REJECTED_FOR_SECURITY)))
        effects += trail(
            Act.REFUSED, client.standing, client.peer, getattr(message, "handle", b""), 0, "TLS is required"
        )
        return effects if self._clients.access.plain_users else [*effects, Close(association)]

    def change_limits(self, limits: Limits) -> None:
        """It accepts so much from now on; what it has accepted stays, and the rates of who is there."""
        self.limits = limits
        self.supervision.shares.allow(limits.supervision_percent)
        for each in (self.handlespace, self._clients, self.answers, self._home):
            each.limits = limits

    def announcement(self, message: asap.Message | enrp.Message, source: str, now: float) -> list[Effect]:
        """Something arrived at the multicast group of ASAP from the IP address C{source}."""
        if isinstance(message, asap.ServerAnnounce):
            self._announcing.heard(message, now)
        return []

    def tick(self, now: float) -> list[Effect]:
        """Do what is due; to be called at L{next_deadline}."""
        earliest = self._timers.next()
        if earliest is not None and now - earliest > STALL:
            self.supervision.excuse(now)
            self.peering.peers.refresh(now)
        return [
            effect
            for name, *about in self._timers.due(now)
            for effect in self._follow(self._due[name](*about, now), now)
        ]

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None; to be asked after every other call."""
        return self._timers.next()


_HEARD_BY_DRAINING: Final = (asap.ACKNOWLEDGES, asap.DEREGISTERS)
_REQUESTS: Final = (asap.HandleResolution, asap.Registration, asap.Deregistration)


def _refusal(message: asap.Message, cause: CauseCode) -> asap.Message:
    """How a request is refused; an error, where it is none."""
    causes = (ErrorCause(cause),)
    match message:
        case asap.HandleResolution(handle=handle):
            return asap.HandleResolutionResponse(handle, causes=causes)
        case asap.Registration(handle=handle, element=element):
            return asap.RegistrationResponse(handle, element.identifier, True, causes)
        case asap.Deregistration(handle=handle, identifier=identifier):
            return asap.DeregistrationResponse(handle, identifier, causes)
    return asap.Error(causes)
