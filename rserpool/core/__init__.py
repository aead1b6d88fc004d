"""What every role speaks of: addresses, errors, profiles, elements of pools, effects.

Messages and time go in, effects come out: nothing in this package does I/O, reads a clock or rolls dice.
"""

from __future__ import annotations

from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import (
    Abort,
    Announce,
    Association,
    Close,
    Connect,
    Effect,
    Notify,
    Probe,
    Send,
    StopConnecting,
)
from rserpool.core.errors import (
    AnotherService,
    CannotAct,
    CauseCode,
    ConfigurationError,
    CookieRefused,
    ElementError,
    NoElement,
    NoRegistrar,
    Rejected,
    RequestFailed,
    RequestTimeout,
    RSerPoolError,
    SctpUnavailable,
    SessionEnded,
    SessionFull,
    UnknownPool,
    WireError,
)
from rserpool.core.identity import Identity, parse_identity
from rserpool.core.profiles import PROFILES, Profile, profile
from rserpool.core.reading import parse_transport_address
from rserpool.core.wire.parameters import (
    PolicyParameter,
    PoolElementParameter,
    SctpTransport,
    TcpTransport,
    UdpTransport,
)

__all__ = [
    "AnotherService",
    "Abort",
    "Announce",
    "Association",
    "CannotAct",
    "CauseCode",
    "Close",
    "ConfigurationError",
    "Connect",
    "CookieRefused",
    "Effect",
    "Identity",
    "NoElement",
    "NoRegistrar",
    "Notify",
    "PROFILES",
    "PolicyParameter",
    "PoolElementParameter",
    "Probe",
    "Profile",
    "RSerPoolError",
    "Rejected",
    "ElementError",
    "RequestFailed",
    "RequestTimeout",
    "SctpTransport",
    "SctpUnavailable",
    "Send",
    "SessionEnded",
    "SessionFull",
    "StopConnecting",
    "TcpTransport",
    "TransportAddress",
    "UdpTransport",
    "UnknownPool",
    "WireError",
    "parse_identity",
    "parse_transport_address",
    "profile",
]
