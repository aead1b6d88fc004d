"""The table of policies: RFC 5356's, and those that rsplib has beyond it.

A new policy is one row here: tests, options and L{rserpool.core.policies.parse} go by the table, and the table of
C{docs/operations.md} is made of it (C{python -m tests.core.policies.documented}). One that is not this package's is a
plugin: L{rserpool.plugins}.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from rserpool.core.errors import ConfigurationError
from rserpool.core.policies.base import FULL_LOAD, Policy
from rserpool.core.policies.lottery import AllAlike, by_weight, by_what_is_left, by_what_is_left_with_degradation
from rserpool.core.policies.lowest import lowest, lowest_with_degradation
from rserpool.core.policies.round_robin import RoundRobin
from rserpool.core.policies.user import as_returned, highest_first, rotated, shuffled
from rserpool.core.policies.weighted_round_robin import WeightedRoundRobin


class Policies(dict[int, Policy]):
    """Policies by their policy type; no two have a name in common."""

    def __init__(self, policies: Iterable[Policy], origin: str) -> None:
        """
        @param origin: where they come from.
        """
        super().__init__()
        self._origins: dict[Policy, str] = {}
        self._beyond: Callable[[], object] | None = None
        for policy in policies:
            self.add(policy, origin)

    def add(self, policy: Policy, origin: str) -> None:
        """Take a policy in; once more is no mistake.

        @param origin: where it comes from, for L{ConfigurationError}.
        @raise ConfigurationError: if another policy has its number, its name or its abbreviation.
        """
        for other in self.values():
            if other is not policy and _share(other, policy):
                there = self._origins.get(other, "elsewhere")
                raise ConfigurationError(
                    f"two policies cannot live together: {_of(other, there)}, {_of(policy, origin)}"
                )
        self[policy.number] = policy
        self._origins[policy] = origin

    def beyond(self, add: Callable[[], object]) -> None:
        """There may be others: C{add} is called, once, when a policy is looked for that is not here."""
        self._beyond = add

    def find(self, number: int) -> Policy | None:
        """The policy of this policy type; None if nobody knows it."""
        if number not in self and self._beyond is not None:
            add, self._beyond = self._beyond, None
            add()
        return self.get(number)


def _share(one: Policy, other: Policy) -> bool:
    names = {one.name.upper(), one.abbreviation.upper()}
    return one.number == other.number or not names.isdisjoint({other.name.upper(), other.abbreviation.upper()})


def _of(policy: Policy, origin: str) -> str:
    return f"{policy.name} ({policy.abbreviation}, 0x{policy.number:08x}) of {origin}"


GUESSES: Final = 5
"""So many requests are taken to be a full load where an element does not say what one adds, and so are all that a user
makes of an element while it keeps one answer, if those are more. Much more for each is round robin, whatever elements
tell; much less is a flood upon who was idle a while ago."""
_EACH = FULL_LOAD // GUESSES

ROUND_ROBIN = Policy(0x00000001, "round-robin", "RR", (), lambda random: RoundRobin(), rotated, "each in its turn")
"""The default policy (RFC 5356 section 4.1.1)."""

POLICIES = Policies(
    (
        # RFC 5356 section 4
        ROUND_ROBIN,
        Policy(
            0x00000002, "weighted-round-robin", "WRR", ("weight",),
            lambda random: WeightedRoundRobin(), rotated,
            "each in its turn, as often as the weight says",
        ),
        Policy(
            0x00000003, "random", "RAND", (),
            AllAlike, shuffled,
            "anyone",
        ),
        Policy(
            0x00000004, "weighted-random", "WRAND", ("weight",),
            by_weight(lambda v: v[0]), shuffled,
            "anyone, as likely as the weight says",
        ),
        Policy(
            0x00000005, "priority", "PRIO", ("priority",),
            lowest(lambda v: 0xFFFFFFFF - v[0]), highest_first(0x00000005),
            "the highest priority",
            estimate=lambda v, given: FULL_LOAD - v[0],
        ),
        # RFC 5356 section 5
        Policy(
            0x40000001, "least-used", "LU", ("load",),
            lowest(lambda v: v[0]), as_returned,
            "the lowest load",
            estimate=lambda v, given: v[0] + given * _EACH, unsaid=lambda v: True,
        ),
        Policy(
            0x40000002, "least-used-degradation", "LUD", ("load", "degradation"),
            lowest_with_degradation(lambda v, given: v[0] + given * v[1]), as_returned,
            "the lowest load; each request counts with `degradation` until the load is told anew",
            estimate=lambda v, given: v[0] + given * (v[1] or _EACH), unsaid=lambda v: not v[1],
        ),
        Policy(
            0x40000003, "priority-least-used", "PLU", ("load", "degradation"),
            lowest(lambda v: v[0] + v[1]), as_returned,
            "the lowest load after one more request",
            estimate=lambda v, given: v[0] + v[1] + given * (v[1] or _EACH), unsaid=lambda v: not v[1],
        ),
        Policy(
            0x40000004, "randomized-least-used", "RLU", ("load",),
            by_what_is_left(lambda v: FULL_LOAD - v[0]), shuffled,
            "anyone, as likely as there is load left",
        ),
        # rsplib's, made of those (RFC 5356 sections 5.2 to 5.4)
        Policy(
            0xB0001001, "randomized-priority-least-used", "RPLU", ("load", "degradation"),
            by_what_is_left(lambda v: max(0, FULL_LOAD - v[0] - v[1])), shuffled,
            "as RLU, by the load after one more request",
        ),
        Policy(
            0xB0001002, "randomized-least-used-degradation", "RLUD", ("load", "degradation"),
            by_what_is_left_with_degradation(lambda v, given: max(0, FULL_LOAD - v[0] - given * v[1])), shuffled,
            "as RLU; each request counts with `degradation` until the load is told anew",
        ),
        Policy(
            0xB0001003, "priority-least-used-degradation", "PLUD", ("load", "degradation"),
            lowest_with_degradation(lambda v, given: v[0] + (given + 1) * v[1]), as_returned,
            "as LUD, by the load after one more request",
            estimate=lambda v, given: v[0] + v[1] + given * (v[1] or _EACH), unsaid=lambda v: not v[1],
        ),
        Policy(
            0xB0001004, "randomized-priority-least-used-degradation", "RPLUD", ("load", "degradation"),
            by_what_is_left_with_degradation(lambda v, given: max(0, FULL_LOAD - v[0] - (given + 1) * v[1])), shuffled,
            "as RLUD, by the load after one more request",
        ),
        # with a distance penalty factor (draft-dreibholz-rserpool-delay); see the module distance
        Policy(
            0xB0002001, "weighted-random-dpf", "WRAND-DPF", ("weight", "weight-dpf", "distance"),
            by_weight(lambda v: v[0] and max(1, v[0] - v[0] * v[2] * v[1] // FULL_LOAD)), shuffled,
            "as WRAND; each millisecond of distance takes the part `weight-dpf` of the weight",
        ),
        Policy(
            0xB0002002, "least-used-dpf", "LU-DPF", ("load", "load-dpf", "distance"),
            lowest(lambda v: v[0] + v[2] * v[1]), as_returned,
            "as LU, with `load-dpf` added for each millisecond of distance",
            estimate=lambda v, given: v[0] + v[2] * v[1] + given * _EACH, unsaid=lambda v: True,
        ),
        Policy(
            0xB0002003, "least-used-degradation-dpf", "LUD-DPF", ("load", "degradation", "load-dpf", "distance"),
            lowest_with_degradation(lambda v, given: v[0] + given * v[1] + v[3] * v[2]), as_returned,
            "as LUD, with `load-dpf` added for each millisecond of distance",
            estimate=lambda v, given: v[0] + v[3] * v[2] + given * (v[1] or _EACH), unsaid=lambda v: not v[1],
        ),
    ),
    "rserpool",
)  # fmt: skip
"""The policies by their policy type; plugins add theirs (L{rserpool.plugins.load}), of which a rule may heed who asks.

Of a row the rule is told C{v}, the values in the order of the fields, and in rules with degradation C{given}, how many
requests the element was given since it told them.
"""

ALIKE: Final = frozenset(POLICIES)
"""Those that order a pool alike for whoever asks: ours."""


def opaque(number: int) -> Policy:
    """A policy that is not known here, such as a private one of another implementation (RFC 5356 section 7.1).

    A registrar keeps the elements that others own under it, and selects them round robin.
    """
    return Policy(number, "unknown", "?", (), ROUND_ROBIN.selection, as_returned, "each in its turn")
