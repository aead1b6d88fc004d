"""Keys for benchmarks, and what speaks TLS by them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from rserpool.sctp.base import PPID_ASAP
from rserpool.sctp.tls.channel import Rule, Sides, TlsChannel
from rserpool.sctp.tls.endpoint import TlsStack
from rserpool.sctp.tls.framing import OwnLength
from rserpool.security.engine import TlsSide
from rserpool.security.keys import Key
from rserpool.security.way import Terms


def element_key(number: int) -> Key:
    """The key of an element."""
    return Key(f"e{number}", hashlib.sha256(b"bench %d" % number).digest())


def directory(path: Path, elements: int) -> Path:
    """What secures a registrar that knows the keys of so many elements."""
    for name, keys in {
        "own.key": [Key("reg1", hashlib.sha256(b"bench registrar").digest())],
        "elements.keys": [element_key(number) for number in range(elements)],
    }.items():
        file = path / name
        file.touch(0o600)
        file.write_text("".join(f"{key.name}:{key.secret.hex()}\n" for key in keys))
    return path


def over_tls(reactor: Any, stack: Any, key: Key) -> Any:
    """The stack of an element: it speaks TLS by its key."""
    side = TlsSide(Terms(server=False, own=key))
    return TlsStack(reactor, stack, TlsChannel(Sides(client=side), Rule.CLIENT, OwnLength(PPID_ASAP)))
