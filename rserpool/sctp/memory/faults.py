"""The faults of a simulated network, as SCTP sees them: what cannot pass now, and what is slow.

Inside an association nothing is lost or reordered: what cannot pass waits, and when a fault lasts too long the
association ends (RFC 9260 section 8.1).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Generic, TypeVar

S = TypeVar("S")


class Faults(Generic[S]):
    """Faults between any two members of a network; a subclass is told what changed through L{changed}.

    @ivar latency: seconds from one member to another where L{delay} says nothing else.
    """

    def __init__(self) -> None:
        self.latency = 0.0001
        self._silent: set[S] = set()
        # A dict, since what heals is looked at in the order in which it was cut: runs repeat.
        self._cut: dict[tuple[S, S], None] = {}
        self._held: set[tuple[S, S]] = set()
        self._transit: dict[tuple[S, S], float] = {}

    def silence(self, member: S) -> None:
        """Its host falls silent (power, cable, SIGSTOP): nothing goes in or out, and no ICMP answers for it."""
        self._silent.add(member)
        self.changed((member,))

    def unsilence(self, member: S) -> None:
        """It is back: what waited arrives now."""
        self._silent.discard(member)
        self.changed((member,))

    def partition(self, some: Collection[S], others: Collection[S]) -> None:
        """Cut every path between C{some} and C{others}, both ways."""
        self.partition_oneway(some, others)
        self.partition_oneway(others, some)

    def partition_oneway(self, senders: Collection[S], receivers: Collection[S]) -> None:
        """Cut the paths from C{senders} to C{receivers}; the way back stays open."""
        self._cut.update(((a, b), None) for a in senders for b in receivers if a is not b)
        self.changed((*senders, *receivers))

    def heal(self) -> None:
        """Undo all partitions."""
        touched = dict.fromkeys(member for pair in self._cut for member in pair)
        self._cut.clear()
        self.changed(tuple(touched))

    def hold(self, a: S, b: S) -> None:
        """Keep everything from C{a} to C{b} until L{release}, however long; nobody takes it for a failure."""
        self._held.add((a, b))

    def release(self, a: S, b: S) -> None:
        """Let pass what L{hold} kept."""
        self._held.discard((a, b))
        self.changed((a, b))

    def delay(self, a: S, b: S, seconds: float) -> None:
        """Make the way between C{a} and C{b} last so many seconds, both ways; what is under way is not changed."""
        self._transit[a, b] = self._transit[b, a] = seconds

    def changed(self, members: Collection[S]) -> None:
        """Something may pass, or no longer pass, between C{members} and others."""

    def forget(self, member: S) -> None:
        """The member is gone for good, and with it its faults."""
        self._silent.discard(member)
        self._held.difference_update([pair for pair in self._held if member in pair])
        self._cut = {pair: None for pair in self._cut if member not in pair}
        self._transit = {pair: seconds for pair, seconds in self._transit.items() if member not in pair}

    def broken(self, a: S, b: S) -> bool:
        """Whether nothing passes from C{a} to C{b}."""
        return a in self._silent or b in self._silent or (a, b) in self._cut

    def stopped(self, a: S, b: S) -> bool:
        """Whether the way from C{a} to C{b} is broken or held."""
        return self.broken(a, b) or (a, b) in self._held

    def transit(self, a: S, b: S) -> float:
        """Seconds from C{a} to C{b}."""
        return self._transit.get((a, b), self.latency) if self._transit else self.latency
