"""Registration and deregistration at the home registrar (RFC 5352 sections 3.1 and 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rserpool.core.effects import Association, Effect, Send
from rserpool.core.errors import CauseCode, Rejected
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.policies.distance import at_distance, remeasured
from rserpool.core.registrar.clients import Client
from rserpool.core.registrar.limits import Limits
from rserpool.core.registrar.supervision import Supervision
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import (
    ErrorCause,
    OpaqueTransport,
    PoolElementParameter,
    SctpTransport,
    UserTransport,
    encode_pool_element,
)
from rserpool.core.wire.transports import encode_transport


class Home:
    """Who may register, change and remove an element, and what follows.

    An element belongs to the association that registered it. Another association may change it if it speaks from the
    recorded ASAP transport; anybody else only after the old association is gone and a probe of it has failed. Such a
    registration waits for the probe, and is then granted or refused.

    C{changed(element, created, now)} is called after each registration, C{remove(element, now)} removes an element,
    C{round_trip(association)} tells how far away a client is (seconds there and back; None if that is not known).
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        supervision: Supervision,
        limits: Limits,
        client_of: Callable[[Association], Client | None],
        changed: Callable[[Element, bool, float], list[Effect]],
        remove: Callable[[Element, float], list[Effect]],
        round_trip: Callable[[Association], float | None] = lambda association: None,
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._supervision = supervision
        self._limits = limits
        self._client_of = client_of
        self._changed = changed
        self._remove = remove
        self._round_trip = round_trip
        self._contests: dict[Element, list[tuple[Client, asap.Registration]]] = {}

    def register(self, client: Client, message: asap.Registration, now: float) -> list[Effect]:
        """3.1: grant, refuse or keep waiting."""
        try:
            present = self._handlespace.find(message.handle, message.element.identifier)
            if present is not None and not self._may_change(client, present):
                return self._contest(client, message, present, now)
            return self._grant(client, message, present, now)
        except Rejected as error:
            return [_refusal(client, message, error)]

    def deregister(self, client: Client, message: asap.Deregistration, now: float) -> list[Effect]:
        """3.2: remove the element, unless it is another's; an unknown element counts as removed."""
        element = self._handlespace.find(message.handle, message.identifier)
        causes: tuple[ErrorCause, ...] = ()
        effects: list[Effect] = []
        if not client.reliable or (element is not None and not self._may_change(client, element)):
            causes = (ErrorCause(CauseCode.REJECTED_FOR_SECURITY),)
        elif element is not None:
            effects = self._remove(element, now)
        # The answer goes out before the news.
        response = asap.DeregistrationResponse(message.handle, message.identifier, causes)
        return [Send(client.association, response), *effects]

    def acknowledged(self, client: Client, message: asap.EndpointKeepAliveAck, now: float) -> list[Effect]:
        """3.4: an element answered a keep-alive."""
        element = self._handlespace.find(message.handle, message.identifier)
        # Another registrar's element may answer too, where a user had reported it.
        if element is None or element.watch is None or not self._may_change(client, element):
            return []
        self._bind(client, element)
        self._supervision.acknowledged(element, now)
        effects: list[Effect] = [
            _refusal(rival, registration, Rejected(CauseCode.NON_UNIQUE_PE_IDENTIFIER))
            for rival, registration in self._contests.pop(element, ())
        ]
        return effects + self._measure(client, element, now)

    def removed(self, element: Element, now: float) -> list[Effect]:
        """An element is gone: who waited for its identifier may have it, first come first served."""
        effects: list[Effect] = []
        for client, message in self._contests.pop(element, ()):
            effects += self.register(client, message, now)
        return effects

    def client_lost(self, client: Client) -> None:
        """A client that may be waiting is gone."""
        for element in [e for e, rivals in self._contests.items() if any(rival is client for rival, _ in rivals)]:
            rivals = [(rival, message) for rival, message in self._contests[element] if rival is not client]
            if rivals:
                self._contests[element] = rivals
            else:
                del self._contests[element]

    def _may_change(self, client: Client, element: Element) -> bool:
        return element.association == client.association or client.is_at(element.asap_address())

    def _contest(self, client: Client, message: asap.Registration, present: Element, now: float) -> list[Effect]:
        self._check(client, message)
        if present.association is not None or present.watch is None:
            raise Rejected(CauseCode.NON_UNIQUE_PE_IDENTIFIER)
        self._contests.setdefault(present, []).append((client, message))
        return self._supervision.probe(present, now)

    def _grant(self, client: Client, message: asap.Registration, present: Element | None, now: float) -> list[Effect]:
        transport = self._check(client, message)
        handle = message.handle
        if present is None or present not in client.elements:
            if len(client.elements) >= self._limits.elements_per_association:
                raise Rejected(CauseCode.LACK_OF_RESOURCES)
        if present is None:
            pool = self._handlespace.pool(handle)
            if pool is None:
                if len(self._handlespace.pools) >= self._limits.pools:
                    raise Rejected(CauseCode.LACK_OF_RESOURCES)
            elif len(pool) >= self._limits.elements_per_pool:
                raise Rejected(CauseCode.LACK_OF_RESOURCES)
        # 3.1 rule 4: own it, and record the SCTP transport address that it came from.
        wanted = message.element
        parameter = PoolElementParameter(
            wanted.identifier,
            self._server,
            wanted.life,
            transport,
            at_distance(wanted.policy, lambda: self._round_trip(client.association), add=False),
            client.asap_transport,
            client.encapsulation,
            wanted.framing,
        )
        element, created = self._handlespace.register(handle, parameter)
        self._bind(client, element)
        self._supervision.registered(element, now)
        effects: list[Effect] = [Send(client.association, asap.RegistrationResponse(handle, element.identifier))]
        for rival, registration in self._contests.pop(element, ()):
            effects.append(_refusal(rival, registration, Rejected(CauseCode.NON_UNIQUE_PE_IDENTIFIER)))
        return effects + self._changed(element, created, now)

    def _bind(self, client: Client, element: Element) -> None:
        if element.association != client.association:
            former = self._client_of(element.association)
            if former is not None:
                former.elements.pop(element, None)
            element.association = client.association
            client.elements[element] = None

    def _measure(self, client: Client, element: Element, now: float) -> list[Effect]:
        """An element answered: how far away it is may be known better than when it registered."""
        pool = self._handlespace.pool(element.handle)
        if pool is None or "distance" not in pool.policy.fields:
            return []
        parameter = element.parameter()
        policy = remeasured(parameter.policy, self._round_trip(client.association))
        if policy == parameter.policy:
            return []
        self._handlespace.register(element.handle, replace(parameter, policy=policy))
        return self._changed(element, False, now)

    def _check(self, client: Client, message: asap.Registration) -> UserTransport:
        parameter = message.element
        if not client.reliable:  # 2.2.1: over SCTP alone
            raise Rejected(CauseCode.REJECTED_FOR_SECURITY)
        if len(message.handle) > self._limits.handle_length:
            raise Rejected(CauseCode.LACK_OF_RESOURCES)
        if not message.handle or not parameter.identifier or parameter.life == 0 or parameter.life < -1:
            raise Rejected(CauseCode.INVALID_VALUES, encode_pool_element(parameter))
        transport = parameter.user_transport
        if isinstance(transport, OpaqueTransport):
            return transport
        # 2.2.1: a subset of the addresses of the association, whatever the transport. SCTP uses only the addresses of
        # which both ends have the family, and rsplib's elements name all that they have.
        usable = tuple(address for address in transport.addresses if address in client.hosts)
        if not transport.port or not usable:
            raise Rejected(CauseCode.INVALID_VALUES, encode_transport(transport))
        if usable != transport.addresses and isinstance(transport, SctpTransport):
            return SctpTransport(transport.port, transport.use, usable)
        return transport


def _refusal(client: Client, message: asap.Registration, error: Rejected) -> Effect:
    causes = (ErrorCause(error.cause, error.information),)
    return Send(client.association, asap.RegistrationResponse(message.handle, message.element.identifier, True, causes))
