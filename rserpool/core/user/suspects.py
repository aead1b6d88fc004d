"""Elements that a user could not reach: they come last for a while, and longer each time (RFC 5352 section 3.5).

An element that its registrar reaches and its user does not stays in the pool. Only the user can remember that.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rserpool.core.backoff import Backoff
from rserpool.core.deadlines import Timers
from rserpool.core.profiles import Profile

LONGEST = 60.0
"""Seconds after which an element that could not be reached is tried first again, at the latest."""
MEMORY = 600.0
"""Seconds after which it is forgotten that an element could not be reached, if nobody has tried it since."""


@dataclass(slots=True)
class _Suspect:
    """One of them.

    @ivar until: when it need not come last any more (monotonic seconds).
    @ivar pause: how long it was to come last.
    @ivar tried: whether one request tries it now.
    """

    until: float
    pause: float = 0.0
    tried: bool = True


@dataclass(slots=True)
class Memory:
    """What a user knows that outlives its association with a registrar, and its service's rest.

    @ivar suspects: elements that could not be reached, by pool and PE identifier.
    @ivar seen: the pools that were there once, in the order in which they were seen last.
    """

    suspects: dict[tuple[bytes, int], _Suspect] = field(default_factory=dict)
    seen: dict[bytes, None] = field(default_factory=dict)


class Suspects:
    """Those of one user. Its timers are those whose keys begin with C{"suspect"}."""

    def __init__(self, timers: Timers, profile: Profile, memory: Memory) -> None:
        self._timers = timers
        first = 2 * profile.keep_alive_timeout
        self._pauses = Backoff(first, max(first, LONGEST))
        self._trial = 2 * profile.t1_enrp_request
        self._suspects = memory.suspects
        for (handle, identifier), suspect in self._suspects.items():
            self._set(handle, identifier, suspect, suspect.until)

    def __bool__(self) -> bool:
        return bool(self._suspects)

    def add(self, handle: bytes, identifier: int, now: float) -> bool:
        """An element could not be reached; whether it should be reported (3.5: once)."""
        suspect = self._suspects.setdefault((handle, identifier), _Suspect(now))
        if suspect.until > now and not suspect.tried:
            return False
        suspect.pause = self._pauses.after(suspect.pause)
        suspect.tried = False
        self._set(handle, identifier, suspect, now + suspect.pause)
        return True

    def remove(self, handle: bytes, identifier: int) -> None:
        """It was reached, or has left the pool, or that was long ago."""
        if self._suspects.pop((handle, identifier), None) is not None:
            self._timers.cancel(("suspect", handle, identifier))

    def retain(self, handle: bytes, identifiers: set[int]) -> None:
        """The pool has these elements; another one that comes is another one, whatever its identifier is."""
        for pool, identifier in [key for key in self._suspects if key[0] == handle and key[1] not in identifiers]:
            self.remove(pool, identifier)

    def has(self, handle: bytes, identifier: int, now: float) -> bool:
        """Whether it should come last."""
        suspect = self._suspects.get((handle, identifier))
        return suspect is not None and suspect.until > now

    def chosen(self, handle: bytes, identifier: int, now: float) -> None:
        """An element comes first: if it is one of these, others wait for what comes of that."""
        suspect = self._suspects.get((handle, identifier))
        if suspect is None or suspect.until > now:
            return
        if suspect.tried:
            # It was tried, and nobody complained: not all who resolve a pool say what became of it.
            self.remove(handle, identifier)
            return
        suspect.tried = True
        self._set(handle, identifier, suspect, now + self._trial)

    def _set(self, handle: bytes, identifier: int, suspect: _Suspect, until: float) -> None:
        suspect.until = until
        self._timers.set(("suspect", handle, identifier), until + MEMORY)
