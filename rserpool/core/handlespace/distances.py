"""How far away elements are, as this registrar measures it, for the policies that count with distances."""

from __future__ import annotations

from collections.abc import Callable

from rserpool.core.effects import Association
from rserpool.core.policies.distance import at_distance, remeasured
from rserpool.core.wire.parameters import PolicyParameter


class Distances:
    """Writes distances into Policy parameters (draft-dreibholz-rserpool-delay).

    @param round_trip: C{round_trip(association)} tells how far away a peer is (seconds there and back; None if that is
        not known); asked only where a policy counts with distances, or an element does not answer in time.
    """

    def __init__(self, round_trip: Callable[[Association], float | None]) -> None:
        self.round_trip = round_trip

    def of_ours(self, policy: PolicyParameter, association: Association) -> PolicyParameter:
        """An element registers with us: its distance is the way to it."""
        return at_distance(policy, lambda: self.round_trip(association), add=False)

    def of_a_peers(self, policy: PolicyParameter, association: Association) -> PolicyParameter:
        """A peer tells of an element: the way to the peer comes on top of what stands there."""
        return at_distance(policy, lambda: self.round_trip(association), add=True)

    def again(self, policy: PolicyParameter, association: Association) -> PolicyParameter:
        """An element of ours answers: what it is if the way to it is clearly another by now."""
        return remeasured(policy, self.round_trip(association))
