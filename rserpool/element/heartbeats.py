"""SCTP's own heartbeats of an element: they become as rare as keep-alives do (RFC 9260 section 8.3)."""

from __future__ import annotations

from rserpool.core.profiles import Profile
from rserpool.sctp.interfaces import ISctpEndpoint


def follow(endpoint: ISctpEndpoint | None, profile: Profile, seconds: float) -> None:
    """We are asked every C{seconds}: what heartbeats would show keep-alives show, too, however late one of them is."""
    if endpoint is not None:
        seldom = seconds > 1.5 * profile.keep_alive_interval
        endpoint.setHeartbeat(max(profile.heartbeat_interval, 1.5 * seconds if seldom else 0.0))
