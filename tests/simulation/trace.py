"""What happened in a simulation, as text: one line a message or event."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

from rserpool.core import WireError
from rserpool.core.wire import asap, enrp
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP


class Trace:
    """Collects; what it holds is decoded when it is printed, not before.

    @ivar entries: time, source, target, message or event, PPID; an event has no target.
    """

    def __init__(self) -> None:
        self.entries: list[tuple[float, str, str, Any, int]] = []
        self.messages = 0

    def message(self, when: float, source: str, target: str, data: bytes, ppid: int) -> None:
        """A message arrived."""
        self.messages += 1
        self.entries.append((when, source, target, data, ppid))

    def event(self, when: float, who: str, what: Any) -> None:
        """Something happened; C{what} is text or an event of a role."""
        self.entries.append((when, who, "", what, 0))

    def lines(self, *, since: float = 0.0, wanted: Callable[[Any], bool] = lambda message: True) -> list[str]:
        """All of it from C{since} on; messages that are not C{wanted} are left out."""
        lines = []
        for when, source, target, what, ppid in self.entries:
            if when < since:
                continue
            if not target:
                lines.append(f"{when:9.4f}  {source}: {_text(what)}")
                continue
            codec = "ASAP" if ppid == PPID_ASAP else "ENRP"
            try:
                message: Any = (asap if ppid == PPID_ASAP else enrp).decode(what).message
            except WireError as error:
                lines.append(f"{when:9.4f}  {source} -> {target}  {codec} garbage: {error}")
                continue
            if wanted(message):
                lines.append(f"{when:9.4f}  {source} -> {target}  {codec} {_text(message)}")
        return lines

    def messages_of(self, codec: Any) -> list[tuple[str, str, Any]]:
        """The messages of ASAP or ENRP (the module) that arrived: source, target, message."""
        wanted = PPID_ASAP if codec is asap else PPID_ENRP
        found = []
        for _, source, target, what, ppid in self.entries:
            if target and ppid == wanted:
                try:
                    found.append((source, target, codec.decode(what).message))
                except WireError:
                    continue
        return found

    def text(self) -> str:
        """All of it."""
        return "\n".join(self.lines()) + "\n"


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode("ascii") if value.isascii() and value.decode("ascii").isprintable() else value.hex()
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        return f"0x{value:x}" if value > 99999 else str(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, asap.EndpointKeepAlive) and not value.home:
        return f"EndpointKeepAlive({_text(value.handle)} {_text(value.identifier)})"
    match type(value).__name__:
        case "PoolElementParameter":
            return f"{_text(value.identifier)}@{_text(value.home)}"
        case "PolicyParameter":
            return f"policy {value.type}:{value.data.hex()}"
        case "ServerInformation":
            return f"{_text(value.identifier)} at {value.transport.addresses[0]}"
        case "TransportAddress":
            return str(value)
    if is_dataclass(value):
        shown = []
        for each in fields(value):
            content = getattr(value, each.name)
            if content is True:
                shown.append(each.name)
            elif content not in (False, None, ()):
                obvious = each.name in ("handle", "identifier", "information", "element")
                shown.append(("" if obvious else f"{each.name}=") + _text(content))
        return f"{type(value).__name__}({' '.join(shown)})"
    return str(value)
