"""Which endpoints to look at when time has passed: the library tells nobody what its timers have brought about.

To look at each one a hundred times a second is most of what a process with thousands does. But a timer that is set was
set when a packet went out, and sends one when it is over, unless it is the last: so in a crowd
(L{crowd<rserpool.sctp.usrsctp.crowd>}) those are looked at from which one went out lately, and all now and then.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Final, Generic, Protocol, TypeVar

from rserpool.core.profiles import Profile

FEW: Final = 16
"""So many are looked at each time."""
ALL: Final = 1.0
"""Seconds between two looks at all."""


class Owner(Protocol):
    """An endpoint."""

    @property
    def profile(self) -> Profile: ...


E = TypeVar("E", bound=Owner)


class News(Generic[E]):
    """
    @param endpoints: all endpoints of the process, by SCTP port.
    """

    def __init__(self, endpoints: Mapping[int, E]) -> None:
        self._endpoints = endpoints
        self._went: dict[bytes, float] = {}
        self._lately = 0.0
        self._all_at = -inf

    def expect(self, profile: Profile) -> None:
        """There is an endpoint more, with these timers: a heartbeat is the longest, two round trips at most."""
        self._lately = max(self._lately, 2 * (profile.rto_max + profile.rto_min))

    def went(self, port: bytes, now: float) -> None:
        """A packet goes out from this port."""
        if len(self._endpoints) > FEW:
            self._went[port] = now

    def take(self, now: float, crowd: bool) -> list[E]:
        """Those for which there may be something."""
        went = self._went
        if not crowd or len(self._endpoints) <= FEW or now >= self._all_at:
            self._all_at = now + ALL
            self._went = {port: when for port, when in went.items() if when > now - self._lately}
            return list(self._endpoints.values())
        lately = now - self._lately
        ports = [int.from_bytes(port, "big") for port, when in went.items() if when > lately]
        return [self._endpoints[port] for port in ports if port in self._endpoints]
