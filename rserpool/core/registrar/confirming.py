"""Registrations that name an address which nobody has proved yet (RFC 9260 section 5.4).

Whoever sets an association up names all addresses that it says it has; but for the one that it came from they may be
anybody's, until the path there is confirmed. Until then none of them counts: nobody is an element because it is at one,
nor may one be registered. That takes a round trip or so, for which a registration waits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from rserpool.core.deadlines import Timers
from rserpool.core.effects import Association
from rserpool.core.profiles import Profile
from rserpool.core.registrar.clients import Client
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import OpaqueTransport

CONFIRM: Final = "confirm"
"""The key of registrations that wait: with the association."""
LONGEST: Final = 2.0
"""Seconds that one waits at most, or three quarters of T2 if that is less."""
MOST: Final = 64
"""So many wait of one association."""


class Confirming:
    """Those that wait, by association.

    @param unconfirmed: C{unconfirmed(association)}: the addresses of the peer that are not confirmed yet.
    """

    def __init__(self, unconfirmed: Callable[[Association], Collection[str]], timers: Timers, profile: Profile) -> None:
        self._unconfirmed = unconfirmed
        self._timers = timers
        self._patience = min(LONGEST, 0.75 * profile.t2_registration)
        self._waiting: dict[Association, list[asap.Registration]] = {}

    def waits(
        self,
        client: Client,
        message: asap.Registration,
        had: Callable[[Client, asap.Registration], Collection[str]],
        now: float,
    ) -> bool:
        """Whether a registration is to wait, and does.

        @param had: tells the addresses that the element was registered with before.
        """
        transport = message.element.user_transport
        if isinstance(transport, OpaqueTransport) or client.hosts.issuperset(transport.addresses):
            return False
        unproved = set(transport.addresses).difference(had(client, message))
        if unproved.isdisjoint(self._unconfirmed(client.association)):
            return False
        waiting = self._waiting.setdefault(client.association, [])
        if len(waiting) >= MOST:
            return False
        waiting.append(message)
        if (CONFIRM, client.association) not in self._timers:
            self._timers.set((CONFIRM, client.association), now + self._patience)
        return True

    def over(self, association: Association, *, late: bool = False) -> list[asap.Registration]:
        """An address was confirmed, or it is too C{late}, or the association is gone: what waited."""
        if late:
            self._timers.cancel((CONFIRM, association))
        return self._waiting.pop(association, [])
