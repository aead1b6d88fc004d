"""Policy, Pool Element and Server Information parameters, and all that stands in them (RFC 5354 section 3)."""

from __future__ import annotations

import struct
from dataclasses import replace
from functools import lru_cache
from struct import Struct
from typing import Final

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen
from rserpool.core.identity import Identity
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.frame import does_not_fit
from rserpool.core.wire.private import (
    ENCAPSULATION,
    OWNER,
    SESSION_FRAMING,
    decode_encapsulation,
    decode_framing,
    decode_owner,
    encode_encapsulation,
    encode_framing,
    encode_owner,
    padded_owner,
)
from rserpool.core.wire.tlv import (
    PADDING,
    POLICY,
    POOL_ELEMENT,
    POOL_HANDLE,
    SCTP_TRANSPORT,
    SERVER_INFORMATION,
    U32,
    container,
    parameter,
    parameters,
    unexpected,
)
from rserpool.core.wire.transports import (
    DATA_ONLY,
    DATA_PLUS_CONTROL,
    TRANSPORTS,
    DccpTransport,
    OpaqueTransport,
    SctpTransport,
    TcpTransport,
    UdpLiteTransport,
    UdpTransport,
    UserTransport,
    decode_sctp_transport,
    decode_transport,
    encode_transport,
)

__all__ = [
    "DATA_ONLY",
    "DATA_PLUS_CONTROL",
    "DccpTransport",
    "ErrorCause",
    "OpaqueTransport",
    "PolicyParameter",
    "PoolElementParameter",
    "SctpTransport",
    "ServerInformation",
    "TcpTransport",
    "UdpLiteTransport",
    "UdpTransport",
    "UserTransport",
    "decode_pool_element",
    "encode_policy",
    "encode_pool_element",
    "with_owner",
    "without_private",
]

_POLICY_HEAD: Final = Struct("!HHI")
_ELEMENT_HEAD: Final = Struct("!HHIIi")
_HEAD: Final = Struct("!HH")
_ELEMENT_FIXED: Final = Struct("!IIi")
_SHORT_POLICY: Final = 32
"""Policies up to this many bytes are decoded through a cache; the bound keeps its memory small."""


@frozen
class PolicyParameter:
    """Pool Member Selection PolicyParameter (RFC 5354 section 3.8); its data are opaque here.

    @ivar type: the policy type of RFC 5356, or a private one.
    @ivar data: the policy-specific data.
    """

    type: int
    data: bytes = b""


@frozen
class PoolElementParameter:
    """Pool Element (RFC 5354 section 3.10).

    @ivar home: identifier of the home registrar; 0 if there is none yet.
    @ivar life: registration life in seconds; -1 is for ever.
    @ivar asap_transport: where the element speaks ASAP; a registrar fills it in.
    @ivar encapsulation: UDP port of SCTP over UDP there; 0 if not known.
    @ivar framing: version of the session framing that it speaks at its user transport; 0 if none.
    @ivar owner: the identity that registered it, as registrars tell each other; None if nobody proved one.
    """

    identifier: int
    home: int
    life: int
    user_transport: UserTransport
    policy: PolicyParameter
    asap_transport: SctpTransport | None = None
    encapsulation: int = 0
    framing: int = 0
    owner: Identity | None = None


@frozen
class ServerInformation:
    """Server Information (RFC 5354 section 3.11).

    @ivar encapsulation: UDP port of SCTP over UDP there; 0 if not known.
    """

    identifier: int
    transport: SctpTransport
    encapsulation: int = 0


def pool_handle(handle: bytes) -> bytes:
    """The Pool Handle parameter (RFC 5354 section 3.9), padded."""
    return parameter(POOL_HANDLE, handle)


def policy_parameter(policy: PolicyParameter) -> bytes:
    """The Policy parameter, padded; C{struct.error} if it does not fit."""
    length = 8 + len(policy.data)
    return _POLICY_HEAD.pack(POLICY, length, policy.type) + policy.data + PADDING[length & 3]


def decode_policy(data: bytes, start: int, stop: int) -> PolicyParameter:
    """A Policy parameter.

    @raise WireError: if it has no policy type.
    """
    if stop - start < 8:
        raise WireError("a policy parameter has no policy type", information=data[start:stop])
    if stop - start > _SHORT_POLICY:
        return PolicyParameter(U32.unpack_from(data, start + 4)[0], data[start + 8 : stop])
    return _short_policy(data[start + 4 : stop])


@lru_cache(maxsize=4096)
def _short_policy(value: bytes) -> PolicyParameter:
    # The elements of a pool have the same policy, and often the same values.
    return PolicyParameter(U32.unpack_from(value)[0], value[4:])


def encode_policy(policy: PolicyParameter) -> bytes:
    """The complete PolicyParameter TLV, padded.

    @raise ValueError: if a value does not fit.
    """
    try:
        return policy_parameter(policy)
    except struct.error as error:
        raise does_not_fit(error) from None


def pool_element(element: PoolElementParameter, with_owner: bool = True) -> bytes:
    """The Pool Element parameter, padded; C{struct.error} or C{ValueError} if a value does not fit."""
    last = policy_parameter(element.policy)
    value = encode_transport(element.user_transport) + last
    if element.asap_transport is not None:
        last = encode_transport(element.asap_transport)
        value += last
    if element.encapsulation:
        last = encode_encapsulation(element.encapsulation)
        value += last
    if element.framing:
        last = encode_framing(element.framing)
        value += last
    if with_owner and element.owner is not None:
        last = encode_owner(element.owner)
        value += padded_owner(element.owner)
    # The length leaves out the padding of the last parameter (RFC 5354 section 2).
    length = 16 + len(value) - (-last[3] & 3)
    return _ELEMENT_HEAD.pack(POOL_ELEMENT, length, element.identifier, element.home, element.life) + value


def encode_pool_element(element: PoolElementParameter, with_owner: bool = True) -> bytes:
    """The complete Pool Element TLV, padded.

    @param with_owner: whether its owner is in it, as registrars tell each other.
    @raise ValueError: if a value does not fit.
    """
    try:
        return pool_element(element, with_owner)
    except struct.error as error:
        raise does_not_fit(error) from None


def decode_element(data: bytes, start: int, stop: int, report: list[bytes]) -> PoolElementParameter:
    """A Pool Element parameter inside a message.

    The first transport is the User Transport, the next one the ASAP Transport.

    @raise WireError: if user transport or policy is missing, or one stands twice.
    """
    if stop - start < 16:
        raise WireError("a pool element parameter is cut short", information=data[start:stop])
    identifier, home, life = _ELEMENT_FIXED.unpack_from(data, start + 4)
    user: UserTransport | None = None
    policy: PolicyParameter | None = None
    asap: SctpTransport | None = None
    encapsulation = framing = 0
    owner: Identity | None = None
    for kind, offset, end in parameters(data, start + 16, stop, start):
        if user is None and kind in TRANSPORTS:
            user = decode_transport(data, offset, end, report)
        elif kind == POLICY and policy is None:
            policy = decode_policy(data, offset, end)
        elif kind == SCTP_TRANSPORT and asap is None:
            asap = decode_sctp_transport(data, offset, end, report)
        elif kind == ENCAPSULATION:
            encapsulation = decode_encapsulation(data, offset, end) or encapsulation
        elif kind == SESSION_FRAMING:
            framing = decode_framing(data, offset, end) or framing
        elif kind == OWNER:
            owner = decode_owner(data, offset, end) or owner
        else:
            unexpected(data, kind, offset, end, report)
    if user is None or policy is None:
        raise WireError("a pool element has no user transport, or no policy", information=data[start:stop])
    return PoolElementParameter(identifier, home, life, user, policy, asap, encapsulation, framing, owner)


def decode_pool_element(tlv: bytes) -> PoolElementParameter:
    """A Pool Element from its complete TLV, with or without its final padding.

    @raise WireError: if it is none.
    """
    for kind, start, stop in parameters(tlv, 0, len(tlv)):
        if kind == POOL_ELEMENT and len(tlv) - stop <= 3:
            return decode_element(tlv, start, stop, [])
        break
    raise WireError("this is not one pool element parameter")


def without_private(tlv: bytes) -> bytes:
    """The same Pool Element without our private parameters, for who never showed that it knows them."""
    element = decode_pool_element(tlv)
    if not (element.encapsulation or element.framing or element.owner):
        return tlv
    return pool_element(replace(element, encapsulation=0, framing=0, owner=None))


def with_owner(tlv: bytes, owner: Identity | None) -> bytes:
    """The same Pool Element, which is padded and has no owner, with one: what registrars tell each other."""
    if owner is None:
        return tlv
    return _HEAD.pack(POOL_ELEMENT, len(tlv) + len(encode_owner(owner))) + tlv[4:] + padded_owner(owner)


def server_information(information: ServerInformation) -> bytes:
    """The Server Information parameter, padded; C{struct.error} or C{ValueError} if a value does not fit."""
    nested = [encode_transport(information.transport)]
    if information.encapsulation:
        nested.append(encode_encapsulation(information.encapsulation))
    return container(SERVER_INFORMATION, U32.pack(information.identifier), nested)


def decode_server_information(data: bytes, start: int, stop: int, report: list[bytes]) -> ServerInformation:
    """A Server Information parameter.

    @raise WireError: if its transport is missing, or stands twice.
    """
    if stop - start < 8:
        raise WireError("a server information parameter is cut short", information=data[start:stop])
    transport: SctpTransport | None = None
    encapsulation = 0
    for kind, offset, end in parameters(data, start + 8, stop, start):
        if kind == SCTP_TRANSPORT and transport is None:
            transport = decode_sctp_transport(data, offset, end, report)
        elif kind == ENCAPSULATION:
            encapsulation = decode_encapsulation(data, offset, end) or encapsulation
        else:
            unexpected(data, kind, offset, end, report)
    if transport is None:
        raise WireError("a server information parameter has no transport", information=data[start:stop])
    return ServerInformation(U32.unpack_from(data, start + 4)[0], transport, encapsulation)
