"""Registrations that say once more what was granted before: in the same bytes, over the same association, of an element
that is as it was then (RFC 5352 section 3.1).

As most registrations are. Nothing in them has to be looked at again, as long as nothing has changed by which they were
judged; their answer is the same bytes, too.
"""

from __future__ import annotations

import math
from typing import Final

from rserpool.core.effects import Send
from rserpool.core.handlespace.changes import Outcome, Renewed
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.handlespace.limits import Limits
from rserpool.core.handlespace.pool import Pool
from rserpool.core.registrar.clients import Client
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import OpaqueTransport

MOST: Final = 4096
"""So many are remembered."""
EVERY: Final = 60.0
"""Seconds after which they are forgotten, where there are so many: some are of elements that are gone."""


class Renewal:
    """One that was granted, and by what it was judged.

    @ivar response: the bytes that answer it.
    """

    __slots__ = ("_client", "_limits", "_owner", "_standing", "_transport", "_wire", "element", "response")

    def __init__(self, client: Client, element: Element, response: bytes, limits: Limits) -> None:
        self.element, self.response = element, response
        self._client, self._transport, self._standing = client, client.asap_transport, client.standing
        self._wire, self._owner, self._limits = element.wire, element.owner, limits

    def holds(self, pool: Pool, limits: Limits) -> bool:
        """Whether it would be granted again as it was: each of these is another object once it has changed."""
        client, element = self._client, self.element
        return (
            not pool.ending
            and pool.elements.get(element.identifier) is element
            and element.wire is self._wire
            and element.owner == self._owner
            and element.association == client.association
            and client.asap_transport is self._transport
            and client.standing is self._standing
            and limits is self._limits
        )


class Renewals:
    """What is remembered of all clients."""

    def __init__(self, server: int, handlespace: Handlespace) -> None:
        self._server = server
        self._handlespace = handlespace
        self._of: dict[Client, dict[bytes, Renewal]] = {}
        self._count = 0
        self._forget_at = -math.inf
        self._said: tuple[Client, bytes] | None = None

    def find(self, client: Client, data: bytes, limits: Limits) -> tuple[Renewal, Pool] | None:
        """The registration with these bytes, if it would be granted as before, and the pool; else it may be L{granted}
        next."""
        renewals = self._of.get(client)
        renewal = None if renewals is None else renewals.get(data)
        if renewals is not None and renewal is not None:
            pool = self._handlespace.pools.get(renewal.element.handle)
            if pool is not None and renewal.holds(pool, limits):
                return renewal, pool
            del renewals[data]
            self._count -= 1
        if data[:1] == asap.REGISTERS and len(data) <= asap.SHORT:
            self._said = client, data
        return None

    def granted(
        self, client: Client, message: asap.Registration, outcomes: list[Outcome], limits: Limits, now: float
    ) -> None:
        """What came of a registration; it is remembered if it has changed nothing."""
        said, self._said = self._said, None
        if said is None or said[0] is not client or len(outcomes) != 2:
            return
        answer, change = outcomes
        if not isinstance(answer, Send) or not isinstance(change, Renewed) or change.other:
            return
        response, element = answer.message, change.element
        if response.causes or change.before != self._server or not self._is_plain(client, message, element):
            return
        if asap.encode(message) == said[1] and self._has_room(now):
            self._of.setdefault(client, {})[said[1]] = Renewal(client, element, asap.encode(response), limits)
            self._count += 1

    def lost(self, client: Client) -> None:
        """A client is gone."""
        self._count -= len(self._of.pop(client, ()))

    def _is_plain(self, client: Client, message: asap.Registration, element: Element) -> bool:
        """Whether it hangs on nothing else: not on how far away it is, nor on addresses that are to be confirmed."""
        transport = message.element.user_transport
        pool = self._handlespace.pools.get(element.handle)
        return (
            pool is not None
            and "distance" not in pool.policy.fields
            and not isinstance(transport, OpaqueTransport)
            and client.hosts.issuperset(transport.addresses)
        )

    def _has_room(self, now: float) -> bool:
        if self._count >= MOST and now >= self._forget_at:
            self._of.clear()
            self._count = 0
        if not self._count:
            self._forget_at = now + EVERY
        return self._count < MOST
