"""What a policy is (RFC 5356): the values on the wire, the registrar's rule, and the pool user's rule."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, ClassVar, Final, Generic, TypeAlias, TypeVar

from rserpool.core.addresses import TransportAddress
from rserpool.core.dice import Dice
from rserpool.core.wire.parameters import PoolElementParameter

FULL_LOAD: Final = 0xFFFFFFFF
"""A load of 100 % (RFC 5356 section 3.1)."""

Asker: TypeAlias = TransportAddress | None
"""Who asks for a selection: where the user is seen from, one for each association; None where nobody asks."""


class Member:
    """What a selection knows of a pool element.

    @ivar values: the policy values as L{Policy.decode} returned them. Whoever changes them calls
        L{Selection.update} next.
    @ivar rank: the selection's own: where the member stands in its order.
    @ivar tally: the selection's own: a counter or a remainder.
    @ivar share: the selection's own: the weight that it counts with.
    """

    __slots__ = ("rank", "share", "tally", "values")

    values: tuple[int, ...]
    rank: int
    tally: int
    share: int


M = TypeVar("M", bound=Member)


class Selection(ABC, Generic[M]):
    """The registrar's side of a policy for one pool: its state, and how it chooses.

    @cvar IN_TURN: whether the first member alone decides what is chosen, and in which order, until a member comes, goes
        or registers again with other values; L{next_in_turn} tells it then. Each class says so for itself.
    """

    __slots__ = ()
    IN_TURN: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Whoever builds on a rule may choose in another way."""
        cls.IN_TURN = vars(cls).get("IN_TURN", False)

    @abstractmethod
    def __len__(self) -> int:
        """The number of members, also of those that are never selected."""

    @abstractmethod
    def add(self, member: M) -> None:
        """A new element of the pool, which joins without preference: neither flooded nor starved."""

    @abstractmethod
    def remove(self, member: M) -> None:
        """An element has left the pool; what was kept for it goes, too."""

    @abstractmethod
    def update(self, member: M) -> None:
        """A member has registered again, perhaps with other values."""

    @abstractmethod
    def select(self, count: int, asker: Asker = None) -> list[M]:
        """Choose at most C{count} members for one request, none twice, and note that they were chosen.

        @param asker: for rules that must know who asks; those of RFC 5356 do not.
        """

    def next_in_turn(self) -> M:
        """What L{select} would choose first; moves on as it does. There is a member."""
        return self.select(1)[0]

    @abstractmethod
    def peek(self, count: int, asker: Asker = None) -> list[M]:
        """What L{select} could choose now; moves no head and no counter."""


UserOrder: TypeAlias = Callable[[Sequence[PoolElementParameter], int, Dice], list[PoolElementParameter]]
"""The pool user's side of a policy: C{order(elements, turn, random)} is the order in which to try the elements that the
registrar returned; the turn is how many requests were made with this answer before, 0 for the first one."""

Estimate: TypeAlias = Callable[[tuple[int, ...], int], int]
"""What a user expects of an element that it has given requests: C{estimate(values, given)} is its load."""


def _said(values: tuple[int, ...]) -> bool:
    return False


_U32S: Final = [Struct(f"!{count}I") for count in range(8)]


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """One policy: a row of the table L{rserpool.core.policies.POLICIES}.

    @ivar number: the policy type on the wire (RFC 5356 section 7.1).
    @ivar name: what people write.
    @ivar abbreviation: what RFC 5356 writes, in capital letters; people may write it too, in any case.
    @ivar fields: the names of its values, each 32 bits unsigned, in wire order; at most seven.
    @ivar selection: makes the registrar's side of a new, empty pool.
    @ivar user_order: the pool user's side.
    @ivar chosen: what it chooses, in a few words for the documentation.
    @ivar defaults: what a field is where nothing is said; 0 if it is not here.
    @ivar estimate: with what a user counts its own requests, where C{user_order} alone would give one element all of
        them until the registrar is asked again; None for a policy whose order is another one each time.
    @ivar unsaid: whether an element with these values does not say what a request adds to its load, so that C{estimate}
        guesses: a user that makes many guesses less.
    @ivar fractions: the fields that are a part of the whole, people write them as 0.3 or 30%.
    """

    number: int
    name: str
    abbreviation: str
    fields: tuple[str, ...]
    selection: Callable[[Dice], Selection[Any]]
    user_order: UserOrder
    chosen: str
    defaults: Mapping[str, int] = field(default_factory=lambda: {"weight": 1})
    fractions: frozenset[str] = frozenset({"load", "degradation", "load-dpf", "weight-dpf"})
    estimate: Estimate | None = None
    unsaid: Callable[[tuple[int, ...]], bool] = _said

    def decode(self, data: bytes) -> tuple[int, ...]:
        """The values in the policy-specific data; data beyond them are ignored.

        @raise ValueError: if the data are too short.
        """
        layout = _U32S[len(self.fields)]
        if len(data) < layout.size:
            raise ValueError(f"{self.name} needs {layout.size} bytes of data, and {len(data)} are there")
        return layout.unpack_from(data)

    def encode(self, values: Sequence[int]) -> bytes:
        """The policy-specific data for these values.

        @raise ValueError: if their number is wrong, or one does not fit 32 bits.
        """
        if len(values) != len(self.fields):
            raise ValueError(f"{self.name} has {len(self.fields)} values, not {len(values)}")
        if not all(0 <= value <= 0xFFFFFFFF for value in values):
            raise ValueError(f"a value of {self.name} does not fit 32 bits: {tuple(values)}")
        return _U32S[len(values)].pack(*values)
