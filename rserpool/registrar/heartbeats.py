"""SCTP's own heartbeats: they become rarer with the number of associations, as keep-alives do (RFC 9260, 8.3)."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall

from rserpool.core.profiles import Profile
from rserpool.core.registrar.shares import Shares

SELDOMER: Final = 1.5
"""By so much more they stretch: whoever is asked by a keep-alive, however late, needs no heartbeat."""
PAUSE: Final = 1.0
"""Seconds between two changes, at least: each is told to all associations, which is work where they come by the
thousand."""


class Heartbeats:
    """Those of one endpoint.

    @param shares: what supervision costs, and may cost.
    """

    def __init__(self, reactor: Any, profile: Profile, shares: Shares) -> None:
        self._reactor = reactor
        self._profile = profile
        self._shares = shares
        self._stretch = 1.0
        self._timer: IDelayedCall | None = None

    def look(self, endpoint: Any) -> None:
        """There are many more or fewer associations than before: it is told soon."""
        if self._timer is None:
            self._timer = self._reactor.callLater(PAUSE, self._tell, endpoint)

    def stop(self) -> None:
        """The endpoint is about to be closed."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _tell(self, endpoint: Any) -> None:
        self._timer = None
        needed = endpoint.associations * self._shares.cost / self._shares.rest
        stretch = max(1.0, needed / self._profile.keep_alive_interval)
        if abs(stretch - self._stretch) > 0.1 * self._stretch:
            self._stretch = stretch
            further = SELDOMER if stretch > SELDOMER else 1.0
            endpoint.setHeartbeat(self._profile.heartbeat_interval * stretch * further)
