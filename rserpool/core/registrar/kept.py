"""Answers to resolutions that are kept as bytes until something in their pool changes (RFC 5352 section 3.3).

Users ask for the same pools over and over, in the same bytes. Where the member that comes first decides what is chosen
(round robin), the answers of a pool are pieces of its elements, written twice one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from rserpool.core.errors import WireError
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.handlespace.pool import Pool
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import without_private

ROOM: Final = 4 * 2**20
"""Bytes of elements that are kept, at most; what was kept first goes first."""
SMALLEST_ELEMENT = 40
"""Bytes of the smallest Pool Element parameter that a registrar hands out."""
MOST: Final = 65_535 // SMALLEST_ELEMENT
"""More elements than these are in no answer."""
MOST_ASKED: Final = 4096
"""So many requests are remembered whose answers are not kept."""
WORTH: Final = 512
"""To write down so many elements costs about as much as to answer once. It is done when a pool was asked for often
enough since it changed that this will be no loss."""
Asked: TypeAlias = tuple[bytes, frozenset[str]]
"""The bytes of a request, and the scopes of addresses that can be used by whoever sent it."""

plain = lru_cache(maxsize=4096)(without_private)
"""A Pool Element without private parameters, for who does not know them."""


class Turns:
    """All answers to one request: one for each element that may come first.

    @ivar state: C{Pool.state} of the pool that they are of.
    @ivar private: whether who asks knows the private parameters.
    """

    __slots__ = ("_begin", "_length", "_ring", "_starts", "handle", "private", "state")

    def __init__(self, pool: Pool, request: asap.HandleResolution, elements: Sequence[Element]) -> None:
        """
        @param elements: all elements of the pool in the order of its policy.
        @raise ValueError: if these answers are no such pieces.
        """
        self.handle, self.state, self.private = pool.handle, pool.state, request.private
        wires = [element.wire if request.private else plain(element.wire) for element in elements]
        items = min(request.items or MOST, MOST)
        first = asap.encode_handle_resolution_response(pool.handle, pool.policy_wire, wires[:items])
        self._begin = first[: len(asap.encode_handle_resolution_response(pool.handle, pool.policy_wire, ()))]
        self._length = len(first) - len(self._begin)
        sizes = [len(wire) for wire in wires]
        if any(wire[3] & 3 for wire in wires):
            raise ValueError("the length of an answer leaves the padding of its last element out")
        if self._length < sum(sizes) and len({*sizes}) > 1:
            raise ValueError("it depends on their sizes how many elements are in an answer")
        self._ring = b"".join((*wires, *wires))
        self._starts: dict[int, int] = {}
        start = 0
        for element, size in zip(elements, sizes, strict=True):
            self._starts[element.identifier] = start
            start += size

    def __len__(self) -> int:
        return len(self._ring)

    def beginning_with(self, element: Element) -> bytes:
        """The answer in which this element comes first."""
        start = self._starts[element.identifier]
        return self._begin + self._ring[start : start + self._length]


class KeptAnswers:
    """What is kept, of all pools."""

    def __init__(self, handlespace: Handlespace) -> None:
        self._pools = handlespace.pools
        self._kept: dict[Asked, Turns] = {}
        self._length = 0
        # How often it was asked for since the pool's state is this; so often None that its answers cannot be kept.
        self._asked: dict[Asked, tuple[object, int | None]] = {}

    def find(self, data: bytes, sees: frozenset[str]) -> tuple[Turns, Pool] | None:
        """The answers to a request, if they are kept, and the pool.

        @param sees: the scopes of addresses that can be used by whoever asks.
        """
        asked = data, sees
        turns = self._kept.get(asked)
        if turns is None:
            if data[:1] != asap.ASKS or len(data) > asap.SHORT:
                return None
        else:
            pool = self._pools.get(turns.handle)
            if pool is not None and pool.state is turns.state:
                return turns, pool
            self._drop(asked)
        return self._ask(asked)

    def _ask(self, asked: Asked) -> tuple[Turns, Pool] | None:
        """It is not kept: is it worth it by now?"""
        data, sees = asked
        try:
            decoded = asap.decode(data)
        except WireError:
            return None
        request = decoded.message
        if not isinstance(request, asap.HandleResolution) or request.subscribe or decoded.unrecognized:
            return None
        pool = self._pools.get(request.handle)
        if pool is None or not pool.selection.IN_TURN or not sees.issuperset(pool.scopes):
            return None
        state, times = self._asked.get(asked, (None, 0))
        if state is not pool.state:
            times = 0
        if times is not None and times * WORTH >= max(len(pool), 1) and 2 * SMALLEST_ELEMENT * len(pool) <= ROOM:
            turns = self._keep(asked, pool, request)
            if turns is not None:
                return turns, pool
            times = None
        if len(self._asked) >= MOST_ASKED:
            self._asked.clear()
        self._asked[asked] = pool.state, None if times is None else times + 1
        return None

    def _keep(self, asked: Asked, pool: Pool, request: asap.HandleResolution) -> Turns | None:
        try:
            turns = Turns(pool, request, pool.peek())
        except ValueError:
            return None
        if len(turns) > ROOM:
            return None
        self._asked.pop(asked, None)
        self._kept[asked] = turns
        self._length += len(turns)
        while self._length > ROOM:
            self._drop(next(iter(self._kept)))
        return turns

    def _drop(self, asked: Asked) -> None:
        self._length -= len(self._kept.pop(asked))
