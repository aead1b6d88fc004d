"""How far away an element is, for the policies that count with it (draft-dreibholz-rserpool-delay).

The home registrar measures the way to its element; each registrar that hears of the element from another one adds the
way to that one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rserpool.core.policies.table import POLICIES
from rserpool.core.wire.parameters import PolicyParameter as Parameter

STEP: Final = 50
"""Distances are multiples of this, in milliseconds, so that they do not change with every measurement."""
STEADY: Final = 0.6 * STEP
"""A distance that is known stays what it is while what is measured differs by no more than this."""
FARTHEST: Final = 0xFFFFFFFF


def distance(round_trip: float | None) -> int:
    """One way in milliseconds, rounded to a multiple of L{STEP}.

    @param round_trip: the smoothed round trip time in seconds; None where it is not known, which counts as near.
    """
    return 0 if round_trip is None else round(round_trip * 500 / STEP) * STEP


def at_distance(parameter: Parameter, round_trip: Callable[[], float | None], *, add: bool) -> Parameter:
    """A Policy parameter with another distance; the same where the policy knows none, or its data are cut short.

    @param round_trip: tells the smoothed round trip time in seconds; called only where it is needed.
    @param add: whether to add the distance to what stands there, or to put it in its place.
    """
    place = _place(parameter)
    if place is None:
        return parameter
    milliseconds = distance(round_trip())
    return _with(parameter, place, milliseconds + (_distance(parameter, place) if add else 0))


def remeasured(parameter: Parameter, round_trip: float | None) -> Parameter:
    """The same for an element whose distance was measured before, and is now clearly another."""
    place = _place(parameter)
    if place is None or round_trip is None or abs(round_trip * 500 - _distance(parameter, place)) <= STEADY:
        return parameter
    return _with(parameter, place, distance(round_trip))


def _place(parameter: Parameter) -> int | None:
    policy = POLICIES.get(parameter.type)
    if policy is None or "distance" not in policy.fields:
        return None
    place = 4 * policy.fields.index("distance")
    return place if len(parameter.data) >= place + 4 else None


def _distance(parameter: Parameter, place: int) -> int:
    return int.from_bytes(parameter.data[place : place + 4], "big")


def _with(parameter: Parameter, place: int, milliseconds: int) -> Parameter:
    told = min(FARTHEST, milliseconds).to_bytes(4, "big")
    return Parameter(parameter.type, parameter.data[:place] + told + parameter.data[place + 4 :])
