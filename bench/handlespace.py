"""The handlespace alone: time of each operation, memory of an element, pauses of the garbage collector.

C{python -m bench.handlespace [--json [FILE]] [--sizes 1000,100000,1000000] [--policies RR,WRR,...]}. Each policy and
size runs in a process of its own, with the collector tamed as a registrar does it. Times are processor time; each is
the median of many short batches at that size. The ratio column is to a look-up in a dictionary of the same size;
C{growth} is the largest size to the one before it. Policy values are random in all of their 32 bits.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from time import process_time
from typing import Any

from bench.report import Figures, columns, progress, run
from rserpool.core import PoolElementParameter, SctpTransport, TcpTransport
from rserpool.core.handlespace.changes import Why
from rserpool.core.handlespace.deadlines import ElementDeadlines
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.handlespace.limits import Limits
from rserpool.core.identity import Identity
from rserpool.core.policies import POLICIES, Policy
from rserpool.core.wire import parameters
from rserpool.registrar.collector import Garbage

HANDLE = b"EchoPool"
OPERATIONS = ("select 1", "select 5", "register", "register again", "expire")
BATCHES, BATCH = 40, 250
HOSTS = 10_000
"""On how many hosts the elements run."""


class Churn:
    """One pool of elements under one policy, with their deadlines, as a registrar keeps them."""

    def __init__(self, policy: Policy) -> None:
        self.random = Random(1)
        self.policy = policy
        # No registrar's limit is what is measured.
        most = 1 << 40
        self.handlespace = Handlespace(
            self.random, Limits(elements=most, elements_per_pool=most, bytes=most, elements_per_identity=most)
        )
        self.deadlines = ElementDeadlines()
        self.now = 0.0
        self.owners = [Identity("psk", f"host{number}") for number in range(HOSTS)]

    def parameter(self, identifier: int) -> PoolElementParameter:
        """A registration as it comes off the wire, with random values."""
        data = self.policy.encode([self.random.randrange(1, 1 << 32) for _ in self.policy.fields])
        host = identifier % HOSTS
        address = f"10.0.{host >> 8}.{host & 255}"
        transport = TcpTransport(8080, address)
        asap = SctpTransport(50_000, 0, (address,))
        policy = parameters.PolicyParameter(self.policy.number, data)
        owner = self.owners[host]
        return PoolElementParameter(identifier, 0x11111111, 60_000, transport, policy, asap, 9899, owner=owner)

    def register(self, parameter: PoolElementParameter) -> None:
        """What a registrar does for a registration, new or again."""
        element = self.handlespace.register(HANDLE, parameter).element
        self.now += 0.001
        self.deadlines.set(element, self.now + 60)

    def deregister(self, identifier: int) -> None:
        """What it does for a deregistration."""
        element = self.handlespace.pools[HANDLE].elements[identifier]
        self.deadlines.discard(self.handlespace.deregister(element, Why.DEREGISTERED).element)

    def expire(self, now: float) -> int:
        """What it does when the time of some has come."""
        due = self.deadlines.due(now)
        for element in due:
            self.handlespace.deregister(element, Why.EXPIRED)
        return len(due)


def resident() -> int:
    """Bytes of memory that this process uses."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def traced() -> int:
    """The same where there is so little that pages would blur it: bytes that Python has allocated."""
    return tracemalloc.get_traced_memory()[0]


def microseconds(batches: int, prepare: Callable[[], Any], operate: Callable[[Any], int]) -> float:
    """The median over batches of the processor time of one operation; preparing is not counted."""
    times = []
    for _ in range(batches):
        prepared = prepare()
        start = process_time()
        number = operate(prepared)
        times.append((process_time() - start) / number * 1e6)
    return median(times)


def measure_one(policy: Policy, size: int) -> Figures:
    """Fill one pool, and measure at that size."""
    churn = Churn(policy)
    for identifier in range(min(size, HOSTS)):  # caches of addresses are full, and what is made once is there
        churn.register(churn.parameter(identifier))
    for identifier in range(min(size, HOSTS)):
        churn.deregister(identifier)
    garbage = Garbage(lambda: len(churn.handlespace))
    garbage.start()
    memory = resident if size > HOSTS else traced
    if size <= HOSTS:
        tracemalloc.start()
    before = memory()
    for identifier in range(size):
        churn.register(churn.parameter(identifier))
    figures: Figures = {"bytes": (memory() - before) / size}
    tracemalloc.stop()
    pool = churn.handlespace.pools[HANDLE]
    next_identifier = size
    batch = min(BATCH, size // 4)

    def batch_of(operation: Callable[[Any], object], arguments: list[Any]) -> int:
        for argument in arguments:
            operation(argument)
        return len(arguments)

    def new() -> list[PoolElementParameter]:
        nonlocal next_identifier
        next_identifier += batch
        return [churn.parameter(identifier) for identifier in range(next_identifier - batch, next_identifier)]

    def counts_of(count: int) -> Callable[[], list[int]]:
        return lambda: [count] * BATCH

    for count in (1, 5):
        figures[f"select {count}"] = microseconds(
            2 * BATCHES, counts_of(count), lambda counts: batch_of(pool.select, counts)
        )
    figures["register"] = microseconds(BATCHES, new, lambda batch: batch_of(churn.register, batch))
    figures["register again"] = microseconds(
        BATCHES,
        lambda: [churn.parameter(churn.random.randrange(size)) for _ in range(batch)],
        lambda batch: batch_of(churn.register, batch),
    )

    def some_are_due() -> float:
        for parameter in new():
            element = churn.handlespace.register(HANDLE, parameter).element
            churn.deadlines.set(element, churn.random.random() - 10)
        return -5.0

    figures["expire"] = microseconds(BATCHES, some_are_due, churn.expire)
    elements = pool.elements
    figures["unit"] = microseconds(
        BATCHES,
        lambda: [churn.random.randrange(size) for _ in range(batch)],
        lambda identifiers: batch_of(elements.get, identifiers),
    )
    garbage.stop()
    return figures


def measure_pauses(policy: Policy, size: int, tamed: bool) -> float:
    """The longest pause of the collector, in milliseconds of processor time, while a pool grows and then churns."""
    longest = started = 0.0

    def watch(phase: str, info: dict[str, int]) -> None:
        nonlocal longest, started
        if phase == "start":
            started = process_time()
        else:
            longest = max(longest, process_time() - started)

    churn = Churn(policy)
    garbage = Garbage(lambda: len(churn.handlespace))
    if tamed:
        garbage.start()
    gc.callbacks.append(watch)
    for identifier in range(2 * size):
        churn.register(churn.parameter(identifier))
        if identifier >= size:
            churn.deregister(identifier - size)
            churn.handlespace.pools[HANDLE].select(5)
        if tamed and not identifier % 2000:  # a second's worth
            garbage.tick()
    gc.callbacks.remove(watch)
    return longest * 1e3


def in_a_process(*arguments: str) -> Any:
    """Call this module again, for figures that others have not touched."""
    found = subprocess.run(
        [sys.executable, "-m", "bench.handlespace", "--one", *arguments], check=True, capture_output=True, text=True
    )
    return json.loads(found.stdout)


def measure(options: argparse.Namespace) -> Figures:
    """Every policy at every size, and the pauses."""
    sizes = [1000, 10_000] if options.quick else [int(size) for size in options.sizes.split(",")]
    policies = [policy for policy in POLICIES.values() if policy.abbreviation in options.policies.split(",")]
    figures: Figures = {"sizes": sizes, "policies": {}, "pauses": {}}
    for policy in policies:
        figures["policies"][policy.abbreviation] = {}
        for size in sizes:
            found = in_a_process(policy.abbreviation, str(size))
            figures["policies"][policy.abbreviation][str(size)] = found
            progress(f"{policy.name}, {size:,}: " + ", ".join(f"{name} {found[name]:.1f}" for name in found))
    size = 10_000 if options.quick else 100_000
    for policy in policies:
        if policy.abbreviation not in options.pauses.split(","):
            continue
        progress(f"{policy.name}, pauses with {size:,} elements")
        figures["pauses"][policy.abbreviation] = {
            "elements": size,
            "tamed_ms": in_a_process(policy.abbreviation, str(size), "tamed"),
            "untamed_ms": in_a_process(policy.abbreviation, str(size), "untamed"),
        }
    return figures


def table(figures: Figures) -> str:
    """The figures for people."""
    sizes = figures["sizes"]
    head = ["microseconds", *(f"{size:,}" for size in sizes), "growth", "ratio"]
    rows = []
    for policy, by_size in figures["policies"].items():
        of = [by_size[str(size)] for size in sizes]
        for operation in OPERATIONS:
            growth = of[-1][operation] / of[-2][operation] if len(of) > 1 else 1.0
            rows.append(
                [
                    f"{policy:<6}{operation}",
                    *(f"{each[operation]:.1f}" for each in of),
                    f"{growth:.2f}",
                    f"{of[-1][operation] / of[-1]['unit']:.0f}",
                ]
            )
        rows.append([f"{policy:<6}bytes an element", *(f"{each['bytes']:.0f}" for each in of), "", ""])
    pauses = [
        [policy, f"{each['elements']:,}", f"{each['tamed_ms']:.1f}", f"{each['untamed_ms']:.1f}"]
        for policy, each in figures["pauses"].items()
    ]
    longest = columns(["longest pause of the collector", "elements", "ms, tamed", "ms, untamed"], pauses)
    return columns(head, rows) + "\n\n" + longest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    known = ",".join(policy.abbreviation for policy in POLICIES.values())
    parser.add_argument("--sizes", default="1000,100000,1000000", help="numbers of elements (default: %(default)s)")
    parser.add_argument("--policies", default=known, help="abbreviations (default: %(default)s)")
    parser.add_argument("--pauses", default="RR,LUD", help="for which of them to measure pauses (default: %(default)s)")


def one(arguments: list[str]) -> None:
    """One measurement, as JSON on stdout: POLICY SIZE [tamed|untamed]."""
    policy = {policy.abbreviation: policy for policy in POLICIES.values()}[arguments[0]]
    size = int(arguments[1])
    found = measure_pauses(policy, size, arguments[2] == "tamed") if arguments[2:] else measure_one(policy, size)
    print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2:])
    else:
        run("handlespace", "Speed and size of the handlespace alone.", measure, table, add_arguments)
