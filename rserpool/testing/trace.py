"""What happened in a scope: one entry a message, one an event; as data for tests, and as text for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from rserpool.core.errors import WireError
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.words import text_of
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP

EVERYBODY = "---"
"""Who it happens to, where it is not one process: a partition, for example."""
_CODECS: dict[int, tuple[str, Any]] = {PPID_ASAP: ("ASAP", asap), PPID_ENRP: ("ENRP", enrp)}


class Entry(NamedTuple):
    """One message that arrived, or one event.

    @ivar when: seconds of the scope's clock.
    @ivar source: who sent it, or whom it happened to, by name; C{"?"} for a host that is no process of the scope.
    @ivar target: who received it; empty for an event.
    @ivar what: the message's bytes; or the event, which is text or an object of the package.
    @ivar ppid: the message's payload protocol identifier.
    """

    when: float
    source: str
    target: str
    what: Any
    ppid: int = 0


class Message(NamedTuple):
    """A message of ASAP or ENRP that arrived, decoded."""

    when: float
    source: str
    target: str
    message: Any


class Dialled(NamedTuple):
    """An attempt to connect over TCP."""

    host: str
    port: int


class Trace:
    """Collects messages over SCTP, events of the roles, attempts over TCP, and faults.

    What it holds is decoded when somebody asks, not before.

    @ivar entries: all of it, in order; clear it where a test runs for very long.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def event(self, when: float, who: str, what: Any) -> None:
        """Something happened; C{what} is text or an event of a role."""
        self.entries.append(Entry(when, who, "", what))

    def messages(
        self, kind: type = object, *, source: str | None = None, target: str | None = None, since: float = 0.0
    ) -> list[Message]:
        """The messages of ASAP and ENRP that arrived; those that cannot be understood are left out.

        @param kind: the class of messages that is wanted, for example L{asap.Registration<rserpool.core.wire.asap>}.
        @param source: the name of who sent them.
        @param target: the name of who received them.
        """
        found = []
        for when, sender, receiver, data, ppid in self.entries:
            if not receiver or ppid not in _CODECS or when < since:
                continue
            if source in (None, sender) and target in (None, receiver):
                try:
                    message = _CODECS[ppid][1].decode(data).message
                except WireError:
                    continue
                if isinstance(message, kind):
                    found.append(Message(when, sender, receiver, message))
        return found

    def events(self, kind: type, who: str | None = None) -> list[Any]:
        """The events of one class, of one process or of all."""
        return [
            each.what
            for each in self.entries
            if not each.target and isinstance(each.what, kind) and who in (None, each.source)
        ]

    def dialled(self, who: str | None = None) -> list[tuple[str, int]]:
        """Where one process, or any, tried to connect over TCP: address and port, in order."""
        return [(each.host, each.port) for each in self.events(Dialled, who)]

    def lines(self, *, since: float = 0.0, wanted: Callable[[Any], bool] = lambda message: True) -> list[str]:
        """All of it from C{since} on, as text; messages that are not C{wanted} are left out."""
        lines = []
        for when, source, target, what, ppid in self.entries:
            if when < since:
                continue
            if not target:
                lines.append(f"{when:9.4f}  {source}: {_text(what)}")
                continue
            way = f"{when:9.4f}  {source} -> {target}"
            if ppid not in _CODECS:
                lines.append(f"{way}  {len(what)} bytes")
                continue
            name, codec = _CODECS[ppid]
            try:
                message = codec.decode(what).message
            except WireError as error:
                lines.append(f"{way}  {name} garbage: {error}")
                continue
            if wanted(message):
                lines.append(f"{way}  {name} {_text(message)}")
        return lines

    def text(self) -> str:
        """All of it as text, a line each."""
        return "\n".join(self.lines()) + "\n"


def _text(value: Any) -> str:
    return f"dials tcp {value.host}:{value.port}" if isinstance(value, Dialled) else text_of(value)
