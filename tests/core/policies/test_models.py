"""Each selection against a naive model of it, under any sequence of what may happen to a pool."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.policies import FULL_LOAD, POLICIES, Policy
from tests.conformance import rfc
from tests.core.policies.members import Named, by_name, filled

Steps = list[tuple[str, int, tuple[int, ...]]]

VALUES = st.tuples(*[st.sampled_from([0, 1, 2, 3, 1000, FULL_LOAD - 1, FULL_LOAD])] * 4)
STEPS: SearchStrategy[Steps] = st.lists(
    st.tuples(st.sampled_from("add add remove update select select peek".split()), st.integers(0, 12), VALUES),
    max_size=60,
)


class Naive:
    """Members in a list, sorted anew each time; equal ones stay in the order of the list."""

    def __init__(self, key: Callable[[Named, int], int], always: bool) -> None:
        self.key = key
        self.always = always
        self.members: list[Named] = []
        self.counters: dict[Named, int] = {}

    def add(self, member: Named) -> None:
        self.members.append(member)
        self.counters[member] = 0

    def remove(self, member: Named) -> None:
        self.members.remove(member)

    def update(self, member: Named) -> None:
        self.counters[member] = 0

    def peek(self, count: int) -> list[Named]:
        return sorted(self.members, key=self.keyed)[:count]

    def select(self, count: int) -> list[Named]:
        chosen = self.peek(count)
        keys = [self.keyed(member) for member in chosen]
        for number, member in enumerate(chosen):
            equals = sum(1 for other in self.members if self.keyed(other) == keys[number])
            if keys[number] not in keys[:number] and (equals > 1 or self.always):  # the head moves behind its equals
                self.members.remove(member)
                self.members.append(member)
        for member in chosen:
            self.counters[member] += 1
        return chosen

    def keyed(self, member: Named) -> int:
        return self.key(member, self.counters[member])


MODELS: dict[str, Callable[[Named, int], int]] = {
    "RR": lambda member, counter: 0,
    "PRIO": lambda member, counter: -member.values[0],
    "LU": lambda member, counter: member.values[0],
    "LUD": lambda member, counter: member.values[0] + counter * member.values[1],
    "PLU": lambda member, counter: member.values[0] + member.values[1],
    "PLUD": lambda member, counter: member.values[0] + (1 + counter) * member.values[1],
    "LU-DPF": lambda member, counter: member.values[0] + member.values[1] * member.values[2],
    "LUD-DPF": lambda member, counter: (
        member.values[0] + counter * member.values[1] + member.values[2] * member.values[3]
    ),
}
COUNTING = ("LUD", "PLUD", "LUD-DPF")


class ModelTests(SynchronousTestCase):
    @rfc("5356", "5.1.2", "SHOULD select, at most, the requested", "MUST NOT be reported more than")
    @rfc("5356", "5.2.2", "MUST be stored", "SHOULD have the lowest possible sum")
    @rfc("5356", "5.3.2", "SHOULD select, at most, the requested", "MUST NOT be reported more than")
    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(STEPS, st.sampled_from(list(MODELS)))
    def test_orders_like_the_model(self, steps: Steps, name: str) -> None:
        policy = by_name(name)
        selection = filled(name, [])
        model = Naive(MODELS[name], name in COUNTING)
        for verb, which, values in steps:
            if verb == "add":
                member = Named(str(which), *values[: len(policy.fields)])
                selection.add(member)
                model.add(member)
            elif verb == "select":
                self.assertEqual(selection.select(which), model.select(which))
            elif verb == "peek":
                self.assertEqual(selection.peek(which), model.peek(which))
            elif model.members:
                member = model.members[which % len(model.members)]
                if verb == "remove":
                    selection.remove(member)
                    model.remove(member)
                else:
                    member.values = values[: len(policy.fields)]
                    selection.update(member)
                    model.update(member)
            self.assertEqual(len(selection), len(model.members))
        self.assertEqual(selection.peek(100), model.peek(100))

    @rfc("5356", "4.3.2", "MUST NOT be reported more than")
    @rfc("5356", "4.4.2", "SHOULD select, at most, the requested", "MUST NOT be reported more than")
    @settings(deadline=None, derandomize=True, max_examples=300)
    @given(STEPS, st.sampled_from([policy.abbreviation for policy in POLICIES.values()]))
    def test_as_many_as_can_be_had(self, steps: Steps, name: str) -> None:
        """Any policy, whatever happens to its pool: as many as can be had, none twice, nobody who is incapable."""
        policy = by_name(name)
        selection = filled(name, [])
        members: list[Named] = []
        counters: dict[Named, int] = {}
        for verb, which, values in steps:
            if verb == "add":
                member = Named(str(which), *values[: len(policy.fields)])
                selection.add(member)
                members.append(member)
                counters[member] = 0
            elif verb in ("select", "peek"):
                chosen = selection.select(which) if verb == "select" else selection.peek(which)
                able = capable(policy, members, counters)
                for member in chosen:
                    counters[member] += verb == "select"
                self.assertEqual(len(chosen), min(which, len(able)))
                self.assertEqual(len(set(chosen)), len(chosen))
                self.assertLessEqual(set(chosen), set(able))
            elif members and verb == "remove":
                selection.remove(members.pop(which % len(members)))
            elif members:
                member = members[which % len(members)]
                member.values = values[: len(policy.fields)]
                selection.update(member)
                counters[member] = 0
            self.assertEqual(len(selection), len(members))
        self.assertEqual(set(selection.select(100)), set(capable(policy, members, counters)))

    @settings(deadline=None, derandomize=True, max_examples=100)
    @given(st.lists(st.integers(0, 9), max_size=8), STEPS)
    def test_weighted_round_robin_after_any_history(self, weights: list[int], steps: Steps) -> None:
        """Once nothing changes any more, a round has each member as often as its weight says."""
        members = [Named(str(number), weight) for number, weight in enumerate(weights)]
        selection = filled("WRR", members)
        for verb, which, values in steps:
            if verb == "add":
                members.append(Named("+", values[0] % 10))
                selection.add(members[-1])
            elif verb == "select":
                selection.select(which)
            elif members and verb == "remove":
                selection.remove(members.pop(which % len(members)))
            elif members and verb == "update":
                members[which % len(members)].values = (values[1] % 7,)
                selection.update(members[which % len(members)])
        counts = dict.fromkeys(members, 0)
        for _ in range(sum(member.values[0] for member in members)):
            counts[selection.select(1)[0]] += 1
        for member, count in counts.items():
            self.assertLessEqual(abs(count - member.values[0]), 1)


def capable(policy: Policy, members: list[Named], counters: dict[Named, int]) -> list[Named]:
    """Who can be selected: what has a weight of 0, or is full in a lottery by load while others are not, is not."""
    if policy.abbreviation in ("WRR", "WRAND", "WRAND-DPF"):
        return [member for member in members if member.values[0] > 0]
    if policy.abbreviation not in ("RLU", "RLUD", "RPLU", "RPLUD"):
        return members
    coming = {"RLU": 0, "RLUD": 0, "RPLU": 1, "RPLUD": 1}[policy.abbreviation]
    counts = policy.abbreviation in ("RLUD", "RPLUD")
    return [
        member
        for member in members
        if member.values[0] + sum(member.values[1:]) * (coming + counts * counters[member]) < FULL_LOAD
    ] or members
