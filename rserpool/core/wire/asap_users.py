"""Messages of ASAP to and from pool users (RFC 5352 sections 2.2.5, 2.2.6, 2.2.9 and 2.2.11 to 2.2.13)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import ClassVar, Final, Self

from rserpool.core.frozen import frozen
from rserpool.core.wire.asap_elements import OneElement
from rserpool.core.wire.causes import ErrorCause, decode_operation_error, encode_operation_error
from rserpool.core.wire.frame import does_not_fit, message
from rserpool.core.wire.parameters import (
    PolicyParameter,
    PoolElementParameter,
    decode_element,
    decode_policy,
    policy_parameter,
    pool_element,
    pool_handle,
)
from rserpool.core.wire.private import (
    DEAD,
    LAST_WILL,
    SESSION_FRAMING,
    decode_dead,
    decode_framing,
    decode_will,
    encode_dead,
    encode_framing,
    encode_will,
)
from rserpool.core.wire.tlv import (
    COOKIE,
    HANDLE_RESOLUTION_OPTION,
    LONGEST,
    OPERATION_ERROR,
    POLICY,
    POOL_ELEMENT,
    POOL_HANDLE,
    handle_and,
    missing,
    once,
    parameter,
    parameter_u32,
    parameters,
    unexpected,
    value_u32,
)

_FLAG: Final = 0x01
_PRIVATE: Final = 0x80


@frozen
class HandleResolution:
    """ASAP_HANDLE_RESOLUTION (RFC 5352 section 2.2.5).

    @ivar subscribe: the S bit.
    @ivar items: the most elements that the answer is to hold (draft-dreibholz-rserpool-asap-hropt; 0xffffffff for
        as many as allowed, 0 for as many as the registrar gives by default); C{None} if the parameter is absent.
    @ivar private: whether the sender knows the private parameters; others may drop what has them (docs/interop.md).
    """

    TYPE: ClassVar[int] = 0x05
    handle: bytes
    subscribe: bool = False
    items: int | None = None
    private: bool = True

    def _encode(self) -> bytes:
        values = [pool_handle(self.handle)]
        if self.items is not None:
            values.append(parameter_u32(HANDLE_RESOLUTION_OPTION, self.items))
        return message(self.TYPE, (_FLAG if self.subscribe else 0) | (_PRIVATE if self.private else 0), b"", values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle, place = handle_and(data, 4, end, HANDLE_RESOLUTION_OPTION, report)
        items = value_u32(data, place, "handle resolution option") if place else None
        return cls(handle, bool(flags & _FLAG), items, bool(flags & _PRIVATE))


@frozen
class HandleResolutionResponse:
    """ASAP_HANDLE_RESOLUTION_RESPONSE (RFC 5352 section 2.2.6).

    @ivar policy: the overall policy of the pool; C{None} stands for round robin.
    @ivar accepted: the A bit: updates will follow.
    @ivar causes: if there are any, the answer is negative.
    @ivar dead: the identifiers of those that were removed because they did not answer (private parameter Dead Elements,
        docs/interop.md).
    """

    TYPE: ClassVar[int] = 0x06
    handle: bytes
    policy: PolicyParameter | None = None
    elements: tuple[PoolElementParameter, ...] = ()
    accepted: bool = False
    causes: tuple[ErrorCause, ...] = ()
    dead: tuple[int, ...] = ()

    def _encode(self) -> bytes:
        values = [pool_handle(self.handle)]
        if self.policy is not None:
            values.append(policy_parameter(self.policy))
        values.extend(map(pool_element, self.elements))
        if self.causes:
            values.append(encode_operation_error(self.causes))
        if self.dead:
            values.append(encode_dead(self.dead))
        return message(self.TYPE, _FLAG if self.accepted else 0, b"", values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle: bytes | None = None
        policy: PolicyParameter | None = None
        elements: list[PoolElementParameter] = []
        causes: tuple[ErrorCause, ...] = ()
        dead: tuple[int, ...] = ()
        for kind, start, stop in parameters(data, 4, end):
            if kind == POOL_ELEMENT:
                elements.append(decode_element(data, start, stop, report))
            elif kind == POOL_HANDLE and handle is None:
                handle = data[start + 4 : stop]
            elif kind == POLICY and policy is None:
                policy = decode_policy(data, start, stop)
            elif kind == OPERATION_ERROR and not causes:
                causes = decode_operation_error(data, start, stop)
            elif kind == DEAD:
                dead = dead or decode_dead(data, start, stop)
            else:
                unexpected(data, kind, start, stop, report)
        if handle is None:
            missing("Pool Handle")
        return cls(handle, policy, tuple(elements), bool(flags & _FLAG), causes, dead)


_LONGEST_POLICY = 20
"""Bytes of the longest Policy parameter of RFC 5356."""


def encode_handle_resolution_response(
    handle: bytes, policy: bytes, elements: Sequence[bytes], accepted: bool = False, dead: Sequence[int] = ()
) -> bytes:
    """A positive ASAP_HANDLE_RESOLUTION_RESPONSE from parameters that are encoded already.

    Trailing elements that would make it longer than 65,535 bytes are left out.

    @param policy: the overall policy as a padded TLV; empty to leave it out.
    @param elements: Pool Elements as padded TLVs.
    @param dead: see L{HandleResolutionResponse}.
    @raise ValueError: if not even handle and policy fit.
    """
    try:
        values = [pool_handle(handle)]
        if policy:
            values.append(policy)
        after = encode_dead(dead) if dead else b""
        room = LONGEST - 4 - sum(map(len, values)) - len(after)
        if sum(map(len, elements)) <= room:
            values.extend(elements)
        else:
            for element in elements:
                if len(element) - (-element[3] & 3) > room:
                    break
                room -= len(element)
                values.append(element)
        if after:
            values.append(after)
        return message(HandleResolutionResponse.TYPE, _FLAG if accepted else 0, b"", values)
    except struct.error as error:
        raise does_not_fit(error) from None


def fills_answer(handle: bytes, elements: Sequence[PoolElementParameter]) -> bool:
    """Whether an answer with these elements had no room for one more: then there may be others that it leaves out."""
    sizes = [len(pool_element(element)) for element in elements]
    room = LONGEST - 4 - len(pool_handle(handle)) - _LONGEST_POLICY - sum(sizes)
    return bool(sizes) and room < max(sizes)


@frozen
class EndpointUnreachable(OneElement):
    """ASAP_ENDPOINT_UNREACHABLE (RFC 5352 section 2.2.9)."""

    TYPE: ClassVar[int] = 0x09


@frozen
class _OneCookie:
    """A message with one Cookie parameter (RFC 5354 section 3.13), opaque but for who wrote it."""

    TYPE: ClassVar[int]
    cookie: bytes

    def _encode(self) -> bytes:
        return message(self.TYPE, 0, b"", (parameter(COOKIE, self.cookie),))

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        start, stop = once(data, 4, end, frozenset({COOKIE}), report).get(COOKIE) or missing("Cookie")
        return cls(data[start + 4 : stop])


@frozen
class Cookie(_OneCookie):
    """ASAP_COOKIE (RFC 5352 section 2.2.11): state that an element leaves with a user."""

    TYPE: ClassVar[int] = 0x0B


@frozen
class CookieEcho(_OneCookie):
    """ASAP_COOKIE_ECHO (RFC 5352 section 2.2.12): the latest cookie, brought to the next element."""

    TYPE: ClassVar[int] = 0x0C


MOST_ON_A_CARD = 100
"""So many elements of a business card are read: nobody tries that many, and anybody may send one."""


@frozen
class BusinessCard:
    """ASAP_BUSINESS_CARD (RFC 5352 section 2.2.13): a pool, and elements in the order of preferred failover, of which
    L{MOST_ON_A_CARD} are read.

    @ivar exclusive: whether these elements alone may follow (private parameter Last Will, docs/interop.md).
    @ivar framing: the version of session framing that an element speaks which sends it; 0 where that is not told.
    """

    TYPE: ClassVar[int] = 0x0D
    handle: bytes
    elements: tuple[PoolElementParameter, ...]
    exclusive: bool = False
    framing: int = 0

    def _encode(self) -> bytes:
        values = [pool_handle(self.handle), *map(pool_element, self.elements)]
        if self.exclusive:
            values.append(encode_will(True))
        if self.framing:
            values.append(encode_framing(self.framing))
        return message(self.TYPE, 0, b"", values)

    @classmethod
    def _decode(cls, data: bytes, flags: int, end: int, report: list[bytes]) -> Self:
        handle: bytes | None = None
        elements: list[PoolElementParameter] = []
        exclusive, framing = False, 0
        for kind, start, stop in parameters(data, 4, end):
            if kind == POOL_ELEMENT:
                if len(elements) < MOST_ON_A_CARD:
                    elements.append(decode_element(data, start, stop, report))
            elif kind == POOL_HANDLE and handle is None:
                handle = data[start + 4 : stop]
            elif kind == LAST_WILL:
                exclusive = exclusive or decode_will(data, start, stop)
            elif kind == SESSION_FRAMING:
                framing = framing or decode_framing(data, start, stop)
            else:
                unexpected(data, kind, start, stop, report)
        if handle is None:
            missing("Pool Handle")
        return cls(handle, tuple(elements), exclusive, framing)
