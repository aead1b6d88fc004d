"""The audit trail of a secured scope: who registered, changed, removed, claimed, or was refused, and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.logger import Logger

from rserpool.core.handles import printable
from rserpool.core.trail import Acted

MOST = 20
"""So many lines about one act of one identity are written within L{PERIOD}."""
PERIOD = 60.0
MOST_KINDS: Final = 1_000
"""So many identities are counted; beyond that, all others count as one."""


class Trail:
    """Writes the trail as the log C{rserpool.registrar.trail}, so that a program can send it elsewhere.

    Who does something over and over fills no disk, and hides nobody else: the lines of each identity are counted.

    @param now: a monotonic clock, in seconds.
    """

    log = Logger(namespace="rserpool.registrar.trail")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}

    def tell(self, acted: Acted) -> None:
        """Somebody did something."""
        act = acted.act.value
        key = act, acted.identity
        if key not in self._seen and len(self._seen) >= MOST_KINDS:
            self._make_room()
            if len(self._seen) >= MOST_KINDS:
                key = act, "others"
        now = self._now()
        since, count = self._seen.get(key, (now, 0))
        if now - since >= PERIOD:
            # Those that were counted first come first.
            del self._seen[key]
            self._sum_up(key, count)
            since, count = now, 0
        self._seen[key] = since, count + 1
        if count < MOST:
            identity, about, why = printable(acted.identity, 300), acted.about, acted.why
            address = "" if acted.address is None else str(acted.address)
            # A thousand elements that come at once have a line each: one field is read much faster than five.
            line = f"audit: {identity}{address and f' at {address}'} {act} {about}{why and f': {why}'}"
            self.log.info(
                "{line}",
                event="audit",
                line=line,
                identity=identity,
                address=address,
                act=act,
                about=about,
                why=why,
            )

    def _make_room(self) -> None:
        now = self._now()
        while self._seen:
            key, (since, count) = next(iter(self._seen.items()))
            if now - since < PERIOD:
                return
            self._sum_up(key, count)
            del self._seen[key]

    def _sum_up(self, key: tuple[str, str], count: int) -> None:
        if count > MOST:
            act, identity = key
            self.log.info(
                "audit: {identity} {act}: {more} more lines were left out",
                event="audit-more",
                identity=printable(identity, 300),
                act=act,
                more=count - MOST,
            )
