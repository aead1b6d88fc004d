"""The handlespace: every pool that a registrar knows (RFC 5352 sections 3.1 and 3.2, RFC 5353 section 3.6)."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from rserpool.core.addresses import scope
from rserpool.core.dice import Dice
from rserpool.core.errors import CauseCode, Rejected
from rserpool.core.handlespace.changes import Added, Moved, Removed, Renewed, Why
from rserpool.core.handlespace.checksum import fold, identifier_sum
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.limits import Limits
from rserpool.core.handlespace.pool import Pool
from rserpool.core.identity import Identity
from rserpool.core.policies import POLICIES, Policy
from rserpool.core.policies.table import opaque
from rserpool.core.wire.parameters import OpaqueTransport, PoolElementParameter, encode_policy, encode_pool_element
from rserpool.core.wire.rows import Row
from rserpool.core.wire.tlv import whole
from rserpool.core.wire.transports import address_text

LARGEST = 32_768
_QUOTED = 1_024
"""So many bytes may an element and its pool handle have (a bit less counts): it fits any message about elements, also
beside what is in an ENRP_HANDLE_TABLE_RESPONSE already."""


_SMALL = 1024
"""Who registers again with no more bytes than these needs no more room."""


class Holdings:
    """The elements that one registrar owns, in the order in which it got them.

    @ivar total: the sum that the checksum is made of.
    """

    __slots__ = ("elements", "identifier", "total")

    def __init__(self, identifier: int) -> None:
        self.identifier = identifier
        self.elements: dict[Element, None] = {}
        self.total = 0


class Handlespace:
    """Pools and their elements, by handle and identifier, and by home registrar.

    @ivar pools: the pools by handle; a pool goes with its last element.
    @ivar bytes: how long all elements are, with the handle of its pool for each.
    """

    def __init__(self, random: Dice, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self._held: dict[Identity | None, tuple[int, int]] = {}
        self.bytes = 0
        self.pools: dict[bytes, Pool] = {}
        self._homes: dict[int, Holdings] = {}
        self._random = random
        self._length = 0

    def __len__(self) -> int:
        """The number of elements."""
        return self._length

    def __contains__(self, element: Element) -> bool:
        """Whether this very object is registered: who went and came back is another."""
        return self.find(element.handle, element.identifier) is element

    def pool(self, handle: bytes) -> Pool | None:
        """The pool of this handle."""
        return self.pools.get(handle)

    def find(self, handle: bytes, identifier: int) -> Element | None:
        """The element of this handle and identifier."""
        pool = self.pools.get(handle)
        return None if pool is None else pool.elements.get(identifier)

    def register(self, handle: bytes, parameter: PoolElementParameter, *, others: bool = False) -> Added | Renewed:
        """Register an element, or register it again with other attributes (RFC 5352 section 3.1, rules 1 to 3).

        @param parameter: the element, with the home registrar and the ASAP transport filled in.
        @param others: it is another registrar's: its policy need not be known here, and is round robin then; and some
            room is left for ours.
        @return: what happened; an element that registers again stays the same object.
        @raise Rejected: with cause 0x3 if the policy is unknown or its values are cut short, and with 0x5, 0x7 or 0x8
            if it does not agree with the pool; with 0x3 if it is longer than L{LARGEST}, with 0x6 past a limit;
            nothing has changed then.
        @raise ValueError: if the parameter cannot be encoded.
        """
        pool = self.pools.get(handle)
        present = None if pool is None else pool.elements.get(parameter.identifier)
        wire = b"" if present is None else _encoded(parameter)
        if pool is not None and present is not None and wire == present.wire and parameter.owner == present.owner:
            # As most that register again: it only says that it lives, and tells its load anew.
            pool.check(parameter)
            pool.update(present, same=True)
            return Renewed(present, present.home, present.home, False)
        length = _length(handle, parameter)
        if length > LARGEST:
            raise _too_long(parameter)
        if present is None:
            if not self.has_room(handle, pool, length, parameter.home if others else 0, parameter.owner):
                raise Rejected(CauseCode.LACK_OF_RESOURCES)
        elif length > _SMALL and self.bytes + length - len(present.wire) > self.limits.bytes:
            raise Rejected(CauseCode.LACK_OF_RESOURCES)
        if pool is not None:
            pool.check(parameter)  # rules 2 and 3
            policy = pool.policy
        else:
            policy = _policy(parameter, others)
        values = _values(policy, parameter)
        wire = wire or encode_pool_element(parameter, False)
        if pool is None:  # rule 1
            transport = parameter.user_transport
            pool = Pool(handle, policy, transport.TYPE, transport.use, self._random)
            self.pools[handle] = pool
        scopes = _scopes(parameter)
        if present is None:
            element = Element(pool.handle, parameter.identifier, parameter.life, wire, values, parameter.owner)
            self.add(element, pool, parameter.home, scopes)
            return Added(element, parameter.home)
        before = present.home
        # Users care for its home as little as for its owner.
        other = wire[12:] != present.wire[12:]
        more = len(wire) - len(present.wire)
        self.bytes += more
        present.life = parameter.life
        present.wire = wire
        self._belongs(present, parameter.owner, len(handle) + len(wire), more)
        present.values = values
        pool.rescope(present, scopes)
        pool.update(present)
        if before != parameter.home:
            self._disown(present, pool)
            self._own(present, pool, parameter.home)
        return Renewed(present, parameter.home, before, other)

    def roomy(self, elements: int, size: int) -> bool:
        """Whether so many new elements of other registrars, with so many bytes beside the handles, reach no limit but
        that of a pool, whatever they are."""
        limits = self.limits
        size += elements * limits.handle_length
        most = min(0.9 * limits.elements, limits.elements_per_registrar)
        return self._length + elements < most and self.bytes + size < 0.9 * limits.bytes

    def copy(self, handle: bytes, row: Row) -> Element | None:
        """Add another registrar's element, for which there is room, as one that L{register} would add; None if it is
        there, its pool is not, or anything else is to be said or done about it."""
        pool = self.pools.get(handle)
        if (
            pool is None
            or row.identifier in pool.elements
            or not pool.simply(row.policy_type, row.transport_type, row.transport_use)
        ):
            return None
        if len(pool.elements) >= self.limits.elements_per_pool or len(handle) > self.limits.handle_length:
            return None
        try:
            values = pool.policy.decode(row.policy_data)
        except ValueError:
            return None
        element = Element(pool.handle, row.identifier, row.life, row.wire, values, row.owner)
        self.add(element, pool, row.home, reach_of(row.address))
        return element

    def add(self, element: Element, pool: Pool, home: int, scopes: frozenset[str]) -> None:
        """Add a new element, for which there L{has_room}, and which agrees with its pool.

        @param scopes: how far the addresses of its user transport reach.
        """
        size = len(element.wire) + len(pool.handle)
        self.bytes += size
        self._length += 1
        if element.owner is not None:
            self._hold(element.owner, 1, size)
        pool.rescope(element, scopes)
        pool.add(element)
        self._own(element, pool, home)

    def deregister(self, element: Element, why: Why) -> Removed:
        """Remove an element, and its pool if it was the last (RFC 5352 section 3.2).

        @raise KeyError: if it is not there.
        """
        pool = self.pools[element.handle]
        pool.remove(element)
        self._disown(element, pool)
        size = len(element.wire) + len(element.handle)
        if element.owner is not None:
            self._hold(element.owner, -1, -size)
        self._length -= 1
        self.bytes -= size
        if not pool.elements:
            del self.pools[element.handle]
        return Removed(element, element.home, why)

    def adopt(self, element: Element, home: int) -> Moved:
        """Make another registrar the home of an element (RFC 5352 section 3.5, RFC 5353 section 3.5)."""
        before = element.home
        if before != home:
            pool = self.pools[element.handle]
            self._disown(element, pool)
            # RFC 5354 section 3.10: after the parameter's header and the PE identifier
            element.wire = element.wire[:8] + home.to_bytes(4, "big") + element.wire[12:]
            pool.moved(element)
            self._own(element, pool, home)
        return Moved(element, home, before)

    def owned_by(self, home: int) -> Collection[Element]:
        """The elements of one home registrar, in the order in which it got them.

        This is a view: take a list of it before changing what it shows.
        """
        entry = self._homes.get(home)
        return () if entry is None else entry.elements.keys()

    @property
    def homes(self) -> Collection[int]:
        """The identifiers of the registrars that own something."""
        return self._homes.keys()

    def checksum_of(self, home: int) -> int:
        """The 16-bit PE checksum of one home registrar (RFC 5353 section 3.6.2); 0xffff if it owns nothing."""
        entry = self._homes.get(home)
        return fold(0 if entry is None else entry.total)

    def has_room(
        self, handle: bytes, pool: Pool | None, length: int, of: int = 0, owner: Identity | None = None
    ) -> bool:
        """Whether there is room for a new element; C{of} another registrar, if it is not 0."""
        limits, left = self.limits, 0.9 if of else 1.0
        elements, size = (0, 0) if of or owner is None else self._held.get(owner, (0, 0))
        return not (
            (of and len(handle) > limits.handle_length)
            or self.bytes + length > limits.bytes * left
            or self._length >= limits.elements * left
            or (pool is None and len(self.pools) >= limits.pools * left)
            or (pool is not None and len(pool.elements) >= limits.elements_per_pool)
            or (of and len(self.owned_by(of)) >= limits.elements_per_registrar)
            or elements >= limits.elements_per_identity
            or (elements and size + length > limits.bytes_per_identity)
        )

    def _belongs(self, element: Element, owner: Identity | None, size: int, more: int) -> None:
        """An element is of this identity from now on, with so many bytes, and so many more than before."""
        if element.owner != owner:
            self._hold(element.owner, -1, more - size)
            self._hold(owner, 1, size)
            element.owner = owner
        elif more and owner is not None:
            self._hold(owner, 0, more)

    def _hold(self, owner: Identity | None, elements: int, size: int) -> None:
        """An identity has so many elements and bytes more; nobody has those without an owner."""
        if owner is not None:
            before = self._held.get(owner, (0, 0))
            self._held[owner] = before[0] + elements, before[1] + size
            if not self._held[owner][0]:
                del self._held[owner]

    def _own(self, element: Element, pool: Pool, home: int) -> None:
        entry = self._homes.get(home)
        if entry is None:
            entry = self._homes[home] = Holdings(home)
        element.home = entry.identifier
        entry.elements[element] = None
        entry.total += pool.handle_sum + identifier_sum(element.identifier)

    def _disown(self, element: Element, pool: Pool) -> None:
        entry = self._homes[element.home]
        del entry.elements[element]
        entry.total -= pool.handle_sum + identifier_sum(element.identifier)
        if not entry.elements:
            del self._homes[element.home]


@lru_cache(maxsize=1024)
def _reach(addresses: tuple[str, ...]) -> frozenset[str]:
    return _one_of(frozenset(map(scope, addresses)))


@lru_cache(maxsize=4096)
def reach_of(address: bytes) -> frozenset[str]:
    """How far an address reaches, by its 4 or 16 bytes."""
    return _reach((address_text(address),))


@lru_cache(maxsize=16)
def _one_of(scopes: frozenset[str]) -> frozenset[str]:
    """The same object for equal sets: a set takes more room than all else of an element, and few are different."""
    return scopes


def _scopes(parameter: PoolElementParameter) -> frozenset[str]:
    return _reach(parameter.user_transport.addresses)


def _encoded(parameter: PoolElementParameter) -> bytes:
    """Its bytes, without the owner; none if it cannot be encoded."""
    try:
        return encode_pool_element(parameter, False)
    except ValueError:
        return b""


def _length(handle: bytes, parameter: PoolElementParameter) -> int:
    """How long it is at most, but for its fixed fields."""
    transport, control = parameter.user_transport, parameter.asap_transport
    length = len(handle) + len(parameter.policy.data) + 20 * len(transport.addresses)
    if control is not None:
        length += 20 * len(control.addresses)
    return length + len(transport.data) if isinstance(transport, OpaqueTransport) else length


def _too_long(parameter: PoolElementParameter) -> Rejected:
    """Not for now: it does not become shorter."""
    try:
        tlv = encode_pool_element(parameter)
    except ValueError:
        tlv = b""
    return Rejected(CauseCode.INVALID_VALUES, whole(tlv[:_QUOTED]))


def _policy(parameter: PoolElementParameter, others: bool) -> Policy:
    policy = POLICIES.get(parameter.policy.type)
    if policy is None:
        if others:
            return opaque(parameter.policy.type)
        reason = f"policy type 0x{parameter.policy.type:08x} is not known here"
        raise Rejected(CauseCode.INVALID_VALUES, encode_policy(parameter.policy), reason)
    return policy


def _values(policy: Policy, parameter: PoolElementParameter) -> tuple[int, ...]:
    try:
        return policy.decode(parameter.policy.data)
    except ValueError as error:
        raise Rejected(CauseCode.INVALID_VALUES, encode_policy(parameter.policy), str(error)) from None
