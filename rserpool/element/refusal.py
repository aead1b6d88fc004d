"""Why a registrar refused a registration, in a sentence that says what the pool has instead (RFC 5352 section 3.1)."""

from __future__ import annotations

from ipaddress import ip_address

from rserpool.core.errors import CauseCode, Rejected, WireError
from rserpool.core.policies import POLICIES
from rserpool.core.wire.parameters import decode_policy
from rserpool.core.wire.tlv import (
    DCCP_TRANSPORT,
    IPV4_ADDRESS,
    IPV6_ADDRESS,
    POLICY,
    POOL_HANDLE,
    UDP_LITE_TRANSPORT,
)

_HEADER = 4
_CLEAR = (
    "the registrar wants TLS, and the element came in the clear: say by which key or certificate it is known "
    "(--security DIR, security=, or RSERPOOL_SECURITY)"
)
_TRANSPORTS = range(DCCP_TRANSPORT, UDP_LITE_TRANSPORT + 1)


def refusal(cause: int, information: bytes = b"", secured: bool = False) -> Rejected:
    """The error for a cause.

    @param cause: an RFC 5354 cause code.
    @param information: its cause-specific information; a registrar that refuses a policy tells that of the pool, and
        one that refuses a transport gives it back, and behind it the address that it sees.
    @param secured: whether the element has an identity, and speaks TLS.
    """
    reason = ""
    if cause == CauseCode.INCONSISTENT_POOLING_POLICY:
        number = _policy_type(information)
        if number is not None:
            policy = POLICIES.get(number)
            name = f"policy 0x{number:08x}" if policy is None else policy.name
            reason = f"{CauseCode.INCONSISTENT_POOLING_POLICY.sentence}, which is {name}"
    elif cause == CauseCode.REJECTED_FOR_SECURITY:
        why = "its identity may not serve in this pool, or another one's element has its identifier"
        reason = f"{CauseCode.REJECTED_FOR_SECURITY.sentence}: {why if secured else _CLEAR}"
    elif cause == CauseCode.INVALID_VALUES and int.from_bytes(information[:2], "big") in _TRANSPORTS:
        reason = (
            f"{CauseCode.INVALID_VALUES.sentence} in the transport: its addresses must be those from which the element "
            "reaches the registrar" + _seen(information)
        )
    elif cause == CauseCode.INVALID_VALUES and int.from_bytes(information[:2], "big") == POOL_HANDLE:
        reason = f"{CauseCode.INVALID_VALUES.sentence}: the pool's name is empty, or longer than it may be there"
    return Rejected(cause, information, reason)


def _seen(information: bytes) -> str:
    """Which address the registrar sees, if it says so behind the transport."""
    behind = information[int.from_bytes(information[2:4], "big") :]
    kind, packed = int.from_bytes(behind[:2], "big"), behind[_HEADER:]
    if (kind, len(packed)) not in ((IPV4_ADDRESS, 4), (IPV6_ADDRESS, 16)):
        return ""
    return f", which sees it at {ip_address(packed)}"


def _policy_type(tlv: bytes) -> int | None:
    if len(tlv) < _HEADER or int.from_bytes(tlv[:2], "big") != POLICY:
        return None
    try:
        return decode_policy(tlv, 0, min(len(tlv), int.from_bytes(tlv[2:4], "big"))).type
    except WireError:
        return None
