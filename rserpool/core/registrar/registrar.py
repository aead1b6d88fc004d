"""The registrar, also called name server or ENRP server: ASAP towards elements and users (RFC 5352 section 4)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rserpool.core.addresses import TransportAddress
from rserpool.core.dice import Dice
from rserpool.core.effects import Association, Effect, Notify, Send
from rserpool.core.errors import CauseCode
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.peering import Peering
from rserpool.core.peering.replica import Replica
from rserpool.core.profiles import Profile
from rserpool.core.registrar.announcing import Announcing
from rserpool.core.registrar.answers import Answers
from rserpool.core.registrar.clients import Client, Places
from rserpool.core.registrar.home import Home
from rserpool.core.registrar.limits import Limits
from rserpool.core.registrar.supervision import Supervision
from rserpool.core.wire import asap
from rserpool.core.wire.enrp import UpdateAction
from rserpool.core.wire.parameters import ErrorCause, SctpTransport, TcpTransport
from rserpool.core.wire.tlv import LONGEST_INFORMATION


@dataclass(frozen=True, slots=True)
class ElementRegistered:
    """A new element is in the handlespace."""

    handle: bytes
    identifier: int


@dataclass(frozen=True, slots=True)
class ElementRemoved:
    """An element left the handlespace; C{why} is C{"deregistered"}, C{"expired"} or C{"unreachable"}."""

    handle: bytes
    identifier: int
    why: str


@dataclass(frozen=True, slots=True)
class SupervisionStretched:
    """Keep-alives go out every C{interval} seconds instead of the profile's: there are C{elements} elements."""

    interval: float
    elements: int


@dataclass(frozen=True, slots=True)
class ErrorReceived:
    """A peer reported an error."""

    association: Association
    causes: tuple[ErrorCause, ...]


class Registrar:
    """Holds the handlespace and the procedures of a registrar.

    Every method that takes C{now} (monotonic seconds) returns the effects that the caller must perform, in order.

    @param round_trip: C{round_trip(association)} tells how far away a peer is (seconds there and back; None if that is
        not known), for the policies that count with distances.
    @ivar identifier: its ENRP server identifier (non-zero, 32 bits).
    """

    def __init__(
        self,
        identifier: int,
        *,
        profile: Profile,
        random: Dice,
        limits: Limits | None = None,
        keep_alives: bool = True,
        round_trip: Callable[[Association], float | None] = lambda association: None,
    ) -> None:
        self.identifier = identifier
        self.handlespace = Handlespace(random)
        self._limits = limits or Limits()
        self._profile = profile
        self._clients: dict[Association, Client] = {}
        self._stretched = profile.keep_alive_interval
        self._due_at: float | None = None
        self._unmoved = False
        self._places = Places()
        self.supervision = Supervision(
            identifier, profile, random, self._clients.get, self._places.at, self._gone, keep_alives
        )
        self.answers = Answers(self.handlespace, self._limits, self._clients.get)
        self._home = Home(
            identifier,
            self.handlespace,
            self.supervision,
            self._limits,
            self._clients.get,
            self._changed,
            self._deregistered,
            round_trip,
        )
        replica = Replica(
            identifier,
            self.handlespace,
            changed=self.answers.changed,
            release=self._release,
            remove=self._remove,
            doubt=self.supervision.probe,
            confirmed=self.supervision.confirmed,
            insist=lambda element: self.peering.announce(UpdateAction.ADD_PE, element),
        )
        self.peering = Peering(
            identifier,
            self.handlespace,
            replica,
            profile=profile,
            random=random,
            adopt=self.supervision.claim,
            round_trip=round_trip,
        )
        self._announcing = Announcing(identifier, profile)
        self._procedures: dict[type, Any] = {
            asap.HandleResolution: self._resolution,
            asap.Registration: self._registration,
            asap.Deregistration: self._deregistration,
            asap.EndpointKeepAliveAck: self._acknowledgement,
            asap.EndpointUnreachable: self._unreachable,
            asap.Error: self._error,
            asap.ServerAnnounce: self._ignored,
        }

    @property
    def clients(self) -> int:
        """How many associations and connections are up."""
        return len(self._clients)

    def announce(
        self, transports: tuple[SctpTransport | TcpTransport, ...], encapsulation: int, now: float
    ) -> list[Effect]:
        """3.6: begin to announce where this registrar is reached."""
        self._announcing.start(transports, encapsulation, now)
        return self._announcing.tick(now)

    def association_up(
        self, association: Association, peer: TransportAddress, now: float, outbound: bool = False
    ) -> list[Effect]:
        """An association or connection is up; one that a C{Connect} asked for is outbound."""
        client = self._clients[association] = Client(association, peer, now, self._limits, outbound)
        self._places.add(client)
        return self.supervision.connected(client, now) if outbound else []

    def addresses_changed(self, association: Association, hosts: tuple[str, ...], now: float) -> list[Effect]:
        """The IP addresses of an association are these: what is registered over it is checked against them."""
        client = self._clients.get(association)
        if client is not None and hosts:
            self._places.remove(client)
            client.moved(replace(client.peer, hosts=hosts))
            self._places.add(client)
        return []

    def connect_failed(self, peer: TransportAddress, now: float) -> list[Effect]:
        """What a L{Connect<rserpool.core.effects.Connect>} asked for could not be opened."""
        return self.supervision.unreachable(peer, now)

    def association_lost(self, association: Association, now: float) -> list[Effect]:
        """An association is gone: its elements are asked at once, over a new one, whether they live (3.5)."""
        client = self._clients.pop(association, None)
        if client is None:
            return []
        self._places.remove(client)
        self.answers.client_lost(client)
        self._home.client_lost(client)
        effects: list[Effect] = []
        for element in client.elements:
            if element.association == association and element.watch is not None:
                element.association = None
                effects += self.supervision.probe(element, now)
        return effects

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

    def receive(self, association: Association, message: Any, now: float) -> list[Effect]:
        """An ASAP message arrived."""
        client = self._clients.get(association)
        if client is None:
            return []
        procedure = self._procedures.get(type(message))
        if procedure is None:
            # 2.2.14: a message that a registrar has no procedure for.
            cause = ErrorCause(CauseCode.UNRECOGNIZED_MESSAGE, asap.encode(message)[:LONGEST_INFORMATION])
            return [Send(association, asap.Error((cause,)))]
        effects: list[Effect] = procedure(client, message, now)
        # The most frequent message changes nothing that is due.
        self._unmoved = type(message) is asap.HandleResolution and not message.subscribe
        return effects

    def announcement(self, message: Any, source: str, now: float) -> list[Effect]:
        """Something arrived at the multicast group of ASAP from the IP address C{source}."""
        if isinstance(message, asap.ServerAnnounce):
            self._announcing.heard(message, now)
        return []

    def tick(self, now: float) -> list[Effect]:
        """Do what is due; to be called at L{next_deadline}."""
        if self._due_at is not None:
            self.supervision.excuse(now - self._due_at, now)
            self.peering.excuse(now - self._due_at, now)
        effects = self.supervision.tick(now) + self.answers.tick(now) + self._announcing.tick(now)
        effects += self.peering.tick(now)
        interval = self.supervision.interval
        if abs(interval - self._stretched) > 0.1 * self._stretched:
            self._stretched = interval
            effects.append(Notify(SupervisionStretched(interval, self.supervision.watched)))
        return effects

    def next_deadline(self) -> float | None:
        """When C{tick} must be called next (monotonic seconds), or None; to be asked after every other call."""
        if self._unmoved:
            self._unmoved = False
            return self._due_at
        earliest = self.supervision.next_deadline()
        for deadline in (
            self.answers.next_deadline(),
            self._announcing.next_deadline(),
            self.peering.next_deadline(),
        ):
            if deadline is not None and (earliest is None or deadline < earliest):
                earliest = deadline
        self._due_at = earliest
        return earliest

    def _resolution(self, client: Client, message: asap.HandleResolution, now: float) -> list[Effect]:
        # RFC 5353 3.2: no services before initialization is completed.
        if not self.peering.ready or not client.requests.take(now):
            causes = (ErrorCause(CauseCode.LACK_OF_RESOURCES),)
            return [Send(client.association, asap.HandleResolutionResponse(message.handle, causes=causes))]
        return self.answers.resolve(client, message, now)

    def _registration(self, client: Client, message: asap.Registration, now: float) -> list[Effect]:
        if not self.peering.ready or not client.requests.take(now):
            causes = (ErrorCause(CauseCode.LACK_OF_RESOURCES),)
            refusal = asap.RegistrationResponse(message.handle, message.element.identifier, True, causes)
            return [Send(client.association, refusal)]
        return self._home.register(client, message, now)

    def _deregistration(self, client: Client, message: asap.Deregistration, now: float) -> list[Effect]:
        if not self.peering.ready or not client.requests.take(now):
            causes = (ErrorCause(CauseCode.LACK_OF_RESOURCES),)
            return [Send(client.association, asap.DeregistrationResponse(message.handle, message.identifier, causes))]
        return self._home.deregister(client, message, now)

    def _acknowledgement(self, client: Client, message: asap.EndpointKeepAliveAck, now: float) -> list[Effect]:
        return self._home.acknowledged(client, message, now)

    def _unreachable(self, client: Client, message: asap.EndpointUnreachable, now: float) -> list[Effect]:
        if not client.reports.take(now):
            return []
        element = self.handlespace.find(message.handle, message.identifier)
        return [] if element is None else self.supervision.reported(element, client, now)

    def _error(self, client: Client, message: asap.Error, now: float) -> list[Effect]:
        return [Notify(ErrorReceived(client.association, message.causes))]

    def _ignored(self, client: Client, message: Any, now: float) -> list[Effect]:
        return []

    def _changed(self, element: Element, created: bool, now: float) -> list[Effect]:
        effects = self.peering.announce(UpdateAction.ADD_PE, element)
        effects += self.answers.changed(element.handle, now)
        if created:
            effects.append(Notify(ElementRegistered(element.handle, element.identifier)))
        return effects

    def _deregistered(self, element: Element, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if element.home != self.identifier:
            # Its home may be dead: it becomes ours first, so that all peers let us remove it.
            self.handlespace.adopt(element, self.identifier)
            effects = self.peering.announce(UpdateAction.ADD_PE, element)
        return effects + self._remove(element, "deregistered", now)

    def _gone(self, element: Element, expired: bool, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if expired and element.association is not None:
            # 3.2: the end of its registration life is told to the element.
            effects.append(Send(element.association, asap.DeregistrationResponse(element.handle, element.identifier)))
        return effects + self._remove(element, "expired" if expired else "unreachable", now)

    def _remove(self, element: Element, why: str, now: float) -> list[Effect]:
        effects: list[Effect] = []
        if element.home == self.identifier:
            effects = self.peering.announce(UpdateAction.DEL_PE, element)
        self.handlespace.deregister(element.handle, element.identifier)
        self._release(element)
        return [
            *effects,
            Notify(ElementRemoved(element.handle, element.identifier, why)),
            *self.answers.changed(element.handle, now),
            *self._home.removed(element, now),
        ]

    def _release(self, element: Element) -> None:
        """We look after this element no longer."""
        self.supervision.forget(element)
        client = self._clients.get(element.association)
        if client is not None:
            client.elements.pop(element, None)
        element.association = None
