"""What has happened lately, for those who look: kept, and told to streams (Server-Sent Events of the HTML standard)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from rserpool.admin.answers import Described, dumped
from rserpool.core.described import element_json
from rserpool.core.handles import handle_text
from rserpool.core.wire.parameters import decode_pool_element

KEPT: Final = 5_000
"""So many events are kept."""


class Event:
    """Something happened.

    @ivar number: counts up.
    @ivar described: for C{json.dumps}.
    """

    __slots__ = ("_written", "described", "number")

    def __init__(self, number: int, described: Described) -> None:
        self.number = number
        self.described = described
        self._written = b""

    @property
    def written(self) -> bytes:
        """As a stream has it: written once, however many read it."""
        if not self._written:
            self._written = b"id: %d\ndata: %s\n\n" % (self.number, dumped(self.described))
        return self._written


class History:
    """The last L{KEPT} events.

    @param wall: seconds since 1970.
    @ivar last: the number of the last one.
    """

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._watchers: dict[Callable[[], object], None] = {}
        self.last = 0

    def add(self, described: Described) -> None:
        """Something happened; its kind is in C{kind}."""
        self.last += 1
        when = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds")
        self._events.append(Event(self.last, {"id": self.last, "time": when, **described}))
        for watcher in self._watchers:
            watcher()

    def watch(self, watcher: Callable[[], object]) -> Callable[[], object]:
        """Have this called with each event; it does little.

        @return: a function that ends it.
        """
        self._watchers[watcher] = None
        return lambda: self._watchers.pop(watcher, None)

    def after(self, number: int) -> tuple[list[Event], int]:
        """The events behind one.

        @return: they, and how many of them are kept no more.
        """
        number = min(number, self.last)
        wanted = self.last - number
        there = min(wanted, len(self._events))
        events = [self._events[index] for index in range(-there, 0)]
        return events, wanted - there

    def about(
        self, handle: bytes, identifier: int | None = None, kind: str | None = None, limit: int | None = None
    ) -> list[Described]:
        """What happened to a pool, or an element in it: the oldest first.

        @param kind: only events of this kind.
        @param limit: only the last so many.
        """
        pool, element = handle.hex(), None if identifier is None else f"0x{identifier:08x}"
        found = [
            described
            for described in (event.described for event in self._events)
            if described.get("handle") == pool
            and element in (None, described.get("identifier"))
            and kind in (None, described["kind"])
        ]
        return found if limit is None else found[-limit:]


def described_event(event: Any, us: int = 0) -> Described | None:
    """An event of a role; None for what is nothing to look at.

    @param us: our own server identifier.
    """
    name = type(event).__name__
    known = _KINDS.get(name)
    if known is None:
        return None
    kind, fields = known
    described: Described = {"kind": getattr(event, "kind", kind)}
    for field in fields:
        value = getattr(event, field)
        if field == "wire":
            element = element_json(decode_pool_element(value))
            described |= {"transport": element["transport"], "policy": element["policy"]}
        elif field == "handle":
            described |= {"pool": handle_text(value), "handle": value.hex()}
        elif field in _IDENTIFIERS:
            described[field] = f"0x{value:08x}"
        elif isinstance(value, bool | int | float):
            described[field] = value
        else:
            described[field] = None if value is None else str(value)
    return described


_IDENTIFIERS: Final = frozenset({"identifier", "home", "target", "by", "mentor", "peer"})
_KINDS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    # What a registrar tells of elements, and of its peers.
    "Observed": ("", ("handle", "identifier", "home", "why", "wire")),
    "Initialized": ("ready", ("mentor", "elements")),
    "PeerFound": ("peer-found", ("identifier", "address")),
    "PeerLost": ("peer-lost", ("identifier",)),
    "PeerRetired": ("peer-retired", ("identifier",)),
    "PeerUnreachable": ("peer-unreachable", ("address", "attempts")),
    "TakenOver": ("taken-over", ("target", "by", "elements")),
    "Audited": ("audited", ("peer", "removed")),
    "SupervisionStretched": ("keep-alives", ("interval", "elements")),
    # What an element tells.
    "Registered": ("registered", ("handle", "identifier", "registrar")),
    "HomeChanged": ("home", ("registrar",)),
}
