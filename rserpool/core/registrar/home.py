"""Registration and deregistration at the home registrar (RFC 5352 sections 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

from rserpool.core import authority
from rserpool.core.effects import Association, Effect, Notify, Send
from rserpool.core.errors import EVICTED, CauseCode, Rejected
from rserpool.core.handlespace.changes import Insisted, Later, Outcome, Renewed
from rserpool.core.handlespace.distances import Distances
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import LARGEST, Handlespace
from rserpool.core.handlespace.limits import Limits
from rserpool.core.registrar.clients import Client, Clients
from rserpool.core.registrar.confirming import Confirming
from rserpool.core.registrar.contests import Contests
from rserpool.core.registrar.events import AddressesRefused, RegistrationRefused
from rserpool.core.registrar.evictions import Evictions
from rserpool.core.registrar.renewals import Renewals
from rserpool.core.registrar.supervision import Supervision
from rserpool.core.registrar.usual import Usual
from rserpool.core.ruling import Ruling
from rserpool.core.trail import Act, trail
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import (
    DATA_ONLY,
    DATA_PLUS_CONTROL,
    ErrorCause,
    OpaqueTransport,
    PoolElementParameter,
    SctpTransport,
    UserTransport,
    encode_pool_element,
    pool_handle,
)
from rserpool.core.wire.tlv import U32, whole
from rserpool.core.wire.transports import encode_address, encode_transport

_ROOM = 65_400
"""Bytes that handle and quotation have in a refusal together."""


class Home:
    """Grants and refuses what elements ask for.

    A registration of an element that may be dead waits in a contest until that is known, and is then granted or
    refused.

    @ivar rivals: those that wait for an element's identifier, by element; to be looked at alone.
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        supervision: Supervision,
        clients: Clients,
        limits: Limits,
        distances: Distances,
        confirming: Confirming,
        evictions: Evictions,
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._supervision = supervision
        self._clients = clients
        self._counts = clients.counts
        self.limits = limits
        self._distances = distances
        self._confirming = confirming
        self._evictions = evictions
        self._contests = Contests()
        self._renewals = Renewals(server, handlespace)
        self._usual = Usual(server, handlespace, supervision, clients, evictions)
        self.rivals = self._contests.rivals

    def wanted(self, client: Client, message: asap.Registration, now: float) -> list[Outcome]:
        """3.1: a registration; it waits for addresses that nobody has proved yet."""
        if self._confirming.waits(client, message, self._had, now):
            return []
        outcomes = self.register(client, message, now)
        self._renewals.granted(client, message, outcomes, self.limits, now)
        return outcomes

    def again(self, client: Client, data: bytes, now: float) -> list[Outcome] | None:
        """What comes of the bytes of a registration that was granted just so before, or that is usual, of a usual
        deregistration, or those with which our elements acknowledge keep-alives; None: they are to be decoded."""
        kind = data[:1]
        if kind == asap.ACKNOWLEDGES:
            return self._acknowledged(client, data, now)
        if kind == asap.DEREGISTERS:
            return self._usual.leaves(client, data, now)
        found = self._renewals.find(client, data, self.limits)
        if found is None:
            return self._usual.comes(client, data, self.limits, now) if kind == asap.REGISTERS else None
        if len(self._evictions) or not client.requests.take(now):
            return None
        renewal, pool = found
        pool.update(renewal.element, same=True)
        self._supervision.registered(renewal.element, now)
        self._counts.renewed += 1
        renewed = Renewed(renewal.element, self._server, self._server, False)
        return [Send(client.association, renewal.response), renewed]

    def moved(self, client: Client, now: float) -> list[Outcome]:
        """Addresses of a client were confirmed, or are others now."""
        waiting = self._confirming.over(client.association)
        wanted = [outcome for message in waiting for outcome in self.wanted(client, message, now)]
        return [*wanted, Later(self._reached_by_more(client))] if client.elements else wanted

    def _reached_by_more(self, client: Client) -> Iterator[Outcome | None]:
        """Its elements are at all addresses that are proved by now: whoever takes them over has to reach one."""
        for element in list(client.elements):
            here = element.asap_address() if element in self._handlespace else None
            if here is not None and client.hosts.issuperset(here.hosts) and len(client.hosts) > len(here.hosts):
                parameter = replace(element.parameter(), asap_transport=client.asap_transport)
                yield self._handlespace.register(element.handle, parameter)
            else:
                yield None

    def unproved(self, association: Association, now: float) -> list[Outcome]:
        """L{CONFIRM<rserpool.core.registrar.confirming.CONFIRM>} is due: what is not confirmed by now is not theirs."""
        client, waiting = self._clients.get(association), self._confirming.over(association, late=True)
        return [] if client is None else [o for message in waiting for o in self.register(client, message, now)]

    def register(self, client: Client, message: asap.Registration, now: float, vacant: bool = False) -> list[Outcome]:
        """3.1: grant, refuse or keep waiting.

        @param vacant: whether who has the identifier was asked in vain.
        """
        present = self._handlespace.find(message.handle, message.element.identifier)
        try:
            transport = self._check(client, message)
            if self._evictions.refuses(message.handle, message.element, now):
                authority.evicted().demand(EVICTED)
            if present is not None and not vacant:
                rule = authority.changes(client, present)
                rule.demand()
                if rule.ruling is Ruling.WAITS:
                    if not self._contests.wait(present, client, message):
                        raise Rejected(CauseCode.LACK_OF_RESOURCES)
                    return self._supervision.probe(present, now)
            return self._grant(client, message, transport, present, now)
        except Rejected as error:
            # What an operator wants so is no fault.
            self._counts.refused[error.cause] += error.information != EVICTED
            return [*_refusal(client, message, error)]

    def deregister(self, client: Client, message: asap.Deregistration) -> list[Outcome]:
        """3.2: remove the element, unless it is another's; an unknown element counts as removed."""
        element = self._handlespace.find(message.handle, message.identifier)
        rule = authority.deregisters(client, element)
        causes = () if rule.cause is None else (ErrorCause(rule.cause),)
        # The answer goes out before the news.
        response = asap.DeregistrationResponse(message.handle, message.identifier, causes)
        outcomes: list[Outcome] = [Send(client.association, response)]
        if client.standing.secured and (causes or element is not None):
            act = Act.REFUSED if causes else Act.REMOVED
            why = "" if rule.cause is None else rule.cause.sentence
            outcomes += trail(act, client.standing, client.peer, message.handle, message.identifier, why)
        if element is not None and rule.allowed:
            if element.home != self._server:
                # Its home may be dead: it becomes ours first, so that all peers let us remove it.
                self._handlespace.adopt(element, self._server)
                outcomes.append(Insisted(element, self._server))
            outcomes.append(self._handlespace.deregister(element, rule.why))
        return outcomes

    def acknowledged(self, client: Client, message: asap.EndpointKeepAliveAck, now: float) -> list[Outcome]:
        """3.4: an element answered a keep-alive."""
        element = self._handlespace.find(message.handle, message.identifier)
        if element is None or not authority.acknowledges(client, element).allowed:
            return []
        if element.watch is None:
            return [*self._supervision.foreign.answered(client, element), *self.settled(element)]
        self._clients.bind(client, element)
        return self._lives(client, element, now)

    def _acknowledged(self, client: Client, data: bytes, now: float) -> list[Outcome] | None:
        """The same for the one element that speaks over an association."""
        if len(client.elements) != 1:
            return None
        (element,) = client.elements
        # Whatever its flags are, as rsplib's elements have others.
        if data[2:] != _acknowledgement(element.handle) + U32.pack(element.identifier):
            return None
        if element.watch is None or not authority.acknowledges(client, element).allowed:
            return None
        return self._lives(client, element, now)

    def _lives(self, client: Client, element: Element, now: float) -> list[Outcome]:
        """An element of ours has answered."""
        self._supervision.acknowledged(element, now)
        return [*self.settled(element), *self._measure(client, element)]

    def settled(self, element: Element) -> list[Effect]:
        """An element lives: who wants its identifier is refused."""
        if element not in self.rivals:
            return []
        rivals = self._contests.over(element)
        refused = Rejected(CauseCode.NON_UNIQUE_PE_IDENTIFIER)
        self._counts.refused[refused.cause] += len(rivals)
        return [effect for rival, registration in rivals for effect in _refusal(rival, registration, refused)]

    def removed(self, element: Element, now: float) -> list[Outcome]:
        """An element is gone: who waited for its identifier may have it, first come first served."""
        if element not in self.rivals:
            return []
        rivals = self._contests.over(element)
        return [outcome for client, message in rivals for outcome in self.register(client, message, now)]

    def vacant(self, element: Element, now: float) -> list[Outcome]:
        """An element does not answer, and its home cannot be told: the first who waits for its identifier has it."""
        rivals = self._contests.over(element)
        return [
            outcome
            for number, (client, message) in enumerate(rivals)
            for outcome in self.register(client, message, now, vacant=not number)
        ]

    def client_lost(self, client: Client) -> None:
        """A client that may be waiting is gone."""
        self._contests.lost(client)
        self._renewals.lost(client)
        self._confirming.over(client.association, late=True)

    def _grant(
        self,
        client: Client,
        message: asap.Registration,
        transport: UserTransport,
        present: Element | None,
        now: float,
    ) -> list[Outcome]:
        handle = message.handle
        held = present if present is not None and present in client.elements else None
        if held is None and len(client.elements) >= self.limits.elements_per_association:
            raise Rejected(CauseCode.LACK_OF_RESOURCES)
        # 3.1 rule 4: own it, and record the SCTP transport address that it came from.
        wanted = message.element
        parameter = PoolElementParameter(  # at half the cost of replace()
            wanted.identifier,
            self._server,
            wanted.life,
            transport,
            self._distances.of_ours(wanted.policy, client.association),
            client.asap_transport,
            client.encapsulation,
            wanted.framing,
            client.standing.owner(handle),
        )
        if client.bytes > self.limits.bytes_per_association - LARGEST:
            more = len(encode_pool_element(parameter)) + len(handle) - (0 if held is None else held.counted)
            if client.bytes + more > self.limits.bytes_per_association:
                raise Rejected(CauseCode.LACK_OF_RESOURCES)
        before = (b"", None) if present is None else (present.wire, present.owner)
        change = self._handlespace.register(handle, parameter)
        element = change.element
        self._clients.bind(client, element)
        self._supervision.registered(element, now)
        # 2.2.3: without the R flag an error is a warning.
        cut = transport is not wanted.user_transport
        causes = (ErrorCause(CauseCode.INVALID_VALUES, encode_transport(wanted.user_transport)),) if cut else ()
        response = asap.RegistrationResponse(handle, element.identifier, False, causes)
        if present is None:
            self._counts.registered += 1
        else:
            self._counts.renewed += 1
        outcomes: list[Outcome] = [Send(client.association, response), change]
        if client.standing.secured and before != (element.wire, element.owner):
            act = Act.REGISTERED if present is None else Act.CHANGED
            outcomes += trail(act, client.standing, client.peer, handle, element.identifier)
        return outcomes

    def _measure(self, client: Client, element: Element) -> list[Outcome]:
        """An element answered: how far away it is may be known better than when it registered."""
        pool = self._handlespace.pool(element.handle)
        if pool is None or "distance" not in pool.policy.fields:
            return []
        parameter = element.parameter()
        policy = self._distances.again(parameter.policy, client.association)
        if policy == parameter.policy:
            return []
        return [self._handlespace.register(element.handle, replace(parameter, policy=policy))]

    def _had(self, client: Client, message: asap.Registration) -> tuple[str, ...]:
        """The addresses that the element has already, if it is the one that asks: they were proved then."""
        present = self._handlespace.find(message.handle, message.element.identifier)
        if present is None or not authority.changes(client, present).allowed:
            return ()
        transport = present.parameter().user_transport
        return () if isinstance(transport, OpaqueTransport) else transport.addresses

    def _check(self, client: Client, message: asap.Registration) -> UserTransport:
        parameter = message.element
        authority.speaks_for_elements(client, message.handle).demand()
        if len(message.handle) > self.limits.handle_length:
            # Not for now: it does not become shorter.
            raise Rejected(CauseCode.INVALID_VALUES, pool_handle(message.handle))
        if not message.handle:
            raise Rejected(CauseCode.INVALID_VALUES, pool_handle(message.handle))
        if not parameter.identifier or parameter.life == 0 or parameter.life < -1:
            raise Rejected(CauseCode.INVALID_VALUES, encode_pool_element(parameter))
        transport = parameter.user_transport
        if isinstance(transport, OpaqueTransport):
            return transport
        usable = authority.usable(client, transport, lambda: self._had(client, message))
        if not transport.port or transport.use not in (DATA_ONLY, DATA_PLUS_CONTROL):
            raise Rejected(CauseCode.INVALID_VALUES, encode_transport(transport))
        if usable != transport.addresses and isinstance(transport, SctpTransport):
            return SctpTransport(transport.port, transport.use, usable)
        return transport


def _refusal(client: Client, message: asap.Registration, error: Rejected) -> list[Effect]:
    # The TLV itself: its padding is the cause's.
    information = error.information[: int.from_bytes(error.information[2:4], "big")]
    strange = _strange(client, message, error)
    if strange:
        # Behind it, which address we see.
        information += encode_address(client.peer.hosts[0].partition("%")[0])
    room = max(0, _ROOM - len(message.handle))
    causes = (ErrorCause(error.cause, information if len(information) <= room else whole(information[:room])),)
    handle, identifier = message.handle, message.element.identifier
    response = asap.RegistrationResponse(handle, identifier, True, causes)
    refused = trail(Act.REFUSED, client.standing, client.peer, handle, identifier, str(error))
    told: list[Effect] = []
    if strange:
        told.append(Notify(AddressesRefused(handle, identifier, strange, client.peer.hosts)))
    elif not refused:
        evicted = error.information == EVICTED
        told.append(Notify(RegistrationRefused(handle, identifier, client.peer, error.cause, str(error), evicted)))
    return [Send(client.association, response), *told, *refused]


def _strange(client: Client, message: asap.Registration, error: Rejected) -> tuple[str, ...]:
    """The addresses for which it was refused, if it was for these."""
    transport = message.element.user_transport
    if error.cause is not CauseCode.INVALID_VALUES or not client.hosts.isdisjoint(transport.addresses):
        return ()
    return transport.addresses if transport.addresses and error.information == encode_transport(transport) else ()


@lru_cache(maxsize=1024)
def _acknowledgement(handle: bytes) -> bytes:
    """What the acknowledgements of a pool's elements have in common: between their flags and the identifier."""
    return asap.encode(asap.EndpointKeepAliveAck(handle, 0))[2 : -U32.size]
