"""New elements of ours, and those that leave, as nearly all do: known by the layout of what they say (RFC 5352 sections
3.1 and 3.2).

What is unusual in any way is left to L{Home<rserpool.core.registrar.home.Home>}, and so is all that is refused.
"""

from __future__ import annotations

from rserpool.core import authority
from rserpool.core.effects import Send
from rserpool.core.handlespace.changes import Added, Outcome
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import LARGEST, Handlespace, reach_of
from rserpool.core.handlespace.limits import Limits
from rserpool.core.handlespace.pool import Pool
from rserpool.core.registrar.clients import Client, Clients
from rserpool.core.registrar.evictions import Evictions
from rserpool.core.registrar.supervision import Supervision
from rserpool.core.wire import usual
from rserpool.core.wire.transports import address_text


class Usual:
    """Does for these what L{Home} would do."""

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        supervision: Supervision,
        clients: Clients,
        evictions: Evictions,
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._pools = handlespace.pools
        self._supervision = supervision
        self._clients = clients
        self._counts = clients.counts
        self._evictions = evictions

    def comes(self, client: Client, data: bytes, limits: Limits, now: float) -> list[Outcome] | None:
        """The bytes of a registration of a new element in a pool that is there; None: they are to be decoded."""
        coming = usual.registration(data)
        if coming is None or client.standing.secured or len(self._evictions):
            return None
        handle, stands, identifier, life, kind, port, use, packed, number, data_of_policy, told, more = coming
        pool, host = self._pools.get(handle), address_text(packed)
        if (
            pool is None
            or identifier in pool.elements
            or not pool.simply(number, kind, use)
            or not identifier
            or not port
            or not (life > 0 or life == -1)
            or host not in client.hosts
            or not authority.speaks_for_elements(client, handle).allowed
            or not self._has_room(client, pool, len(data_of_policy), limits)
        ):
            return None
        try:
            values = pool.policy.decode(data_of_policy)
        except ValueError:
            return None
        if not client.requests.take(now):
            return None
        wire = usual.element(identifier, self._server, life, told, client.control, more)
        element = Element(pool.handle, identifier, life, wire, values)
        self._handlespace.add(element, pool, self._server, reach_of(packed))
        self._clients.bind(client, element)
        self._supervision.registered(element, now)
        self._counts.registered += 1
        return [Send(client.association, usual.granted(stands, identifier)), Added(element, self._server)]

    def leaves(self, client: Client, data: bytes, now: float) -> list[Outcome] | None:
        """The bytes of a deregistration of an element of ours; None: they are to be decoded."""
        leaving = usual.deregistration(data)
        if leaving is None or client.standing.secured:
            return None
        handle, identifier = leaving
        pool = self._pools.get(handle)
        element = None if pool is None else pool.elements.get(identifier)
        if element is None or element.home != self._server:
            return None
        rule = authority.deregisters(client, element)
        if not rule.allowed or not client.requests.take(now):
            return None
        # The answer goes out before the news.
        return [Send(client.association, usual.left(data)), self._handlespace.deregister(element, rule.why)]

    def _has_room(self, client: Client, pool: Pool, length: int, limits: Limits) -> bool:
        """Whether there is plenty, here and at its association.

        @param length: of the data of its policy.
        """
        length += len(pool.handle) + 20 + 20 * len(client.asap_transport.addresses)
        return (
            length <= LARGEST
            and len(pool.handle) <= limits.handle_length
            and len(client.elements) < limits.elements_per_association
            and client.bytes <= limits.bytes_per_association - LARGEST
            and self._handlespace.has_room(pool.handle, pool, length)
        )
