"""How many connections fit the file descriptors that this process may have."""

from __future__ import annotations

import resource

OURS = 128
"""File descriptors that are taken by other things."""


def room_for(connections: int) -> int:
    """How many connections can be relayed, of those that are wanted; the soft limit is raised if it must be.

    @param connections: each takes two file descriptors.
    """
    needed = 2 * connections + OURS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return connections
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if most > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    return min(connections, max(1, (soft - OURS) // 2))
