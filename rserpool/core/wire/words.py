"""Messages, and what is in them, as people read them: a line each."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

from rserpool.core import handles
from rserpool.core.addresses import TransportAddress
from rserpool.core.handles import printable
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import PolicyParameter, PoolElementParameter, ServerInformation


def text_of(value: Any) -> str:
    """What is most worth knowing of it, on one line, without what a terminal would obey."""
    match value:
        case str():
            return printable(value, None)
        case bytes():
            return value.decode("ascii") if value.isascii() and value.decode("ascii").isprintable() else value.hex()
        case bool() | None:
            return printable(str(value), None)
        case int():
            return f"0x{value:x}" if value > 99999 else str(value)
        case tuple() | list():
            return "[" + ", ".join(map(text_of, value)) + "]"
        case asap.EndpointKeepAlive(home=False, draining=None) | asap.EndpointKeepAliveAck(draining=None):
            # As most are.
            return f"{type(value).__name__}({text_of(value.handle)} {text_of(value.identifier)})"
        case asap.HandleResolution(handle=handles.NOBODY) | asap.HandleResolutionResponse(handle=handles.NOBODY):
            asks = isinstance(value, asap.HandleResolution)
            return f"{type(value).__name__}({'does the registrar live?' if asks else 'it lives'})"
        case PoolElementParameter():
            return f"{text_of(value.identifier)}@{text_of(value.home)}"
        case PolicyParameter():
            return f"policy {value.type}:{value.data.hex()}"
        case ServerInformation():
            return f"{text_of(value.identifier)} at {value.transport.addresses[0]}"
        case TransportAddress():
            return printable(str(value), None)
    if is_dataclass(value):
        shown = []
        for each in (each for each in fields(value) if each.repr):
            content = getattr(value, each.name)
            if content is True:
                shown.append(each.name)
            elif content not in (False, None, ()) and type(content) is not object:
                obvious = each.name in ("handle", "identifier", "information", "element")
                shown.append(("" if obvious else f"{each.name}=") + text_of(content))
        return f"{type(value).__name__}({' '.join(shown)})"
    return printable(str(value), None)
