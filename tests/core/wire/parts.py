"""Messages in pieces of hexadecimal text."""

from __future__ import annotations

from tests.core.wire.test_layout import IPV4

USER = f"0005 0010 0050 0000 {IPV4}"
POLICY = "0008 0008 00000001"
ASAP_TRANSPORT = f"0004 0010 c350 0000 {IPV4}"


def nest(kind: str, *parts: str) -> str:
    """A parameter around what stands inside."""
    value = "".join(parts).replace(" ", "")
    return f"{kind} {len(value) // 2 + 4:04x} {value}"


def message(kind: str, *parts: str) -> bytes:
    """A message around its parameters; C{kind} is type and flags."""
    value = bytes.fromhex("".join(parts))
    return bytes.fromhex(kind) + (len(value) + 4).to_bytes(2, "big") + value
