"""Sessions that outlive their server: a connection to a pool, and its server side (RFC 5352 sections 3.8, 3.9, 6)."""

from __future__ import annotations

from rserpool.core.session.cookies import KeyRing, SignedCookies, UnsignedCookies, parse_keys
from rserpool.session.asked import Asked
from rserpool.session.client import Session
from rserpool.session.element import ElementSession, SessionProtocol
from rserpool.session.keys import KeyFile
from rserpool.session.lines import PoolElementHandle
from rserpool.session.primitives import Sender
from rserpool.session.server import SessionFactory
from rserpool.session.stream import SessionClientEndpoint, run_over, stream_sessions

__all__ = [
    "Asked",
    "ElementSession",
    "KeyFile",
    "KeyRing",
    "PoolElementHandle",
    "Sender",
    "Session",
    "SessionClientEndpoint",
    "SessionFactory",
    "SessionProtocol",
    "SignedCookies",
    "UnsignedCookies",
    "parse_keys",
    "run_over",
    "stream_sessions",
]
