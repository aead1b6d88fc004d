"""What a registrar and its driver take for a message, without transport, in one process: microseconds, best of many.

C{python -m bench.alone [OTHER] [--rounds 7] [--json [FILE]] [--quick]}; OTHER is the directory of another checkout,
which is measured in turn with this one, by the same requests.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import monotonic, perf_counter
from typing import Any

from bench.load import POOL, registration
from bench.processes import ROOT
from bench.report import Figures, columns, progress, run
from rserpool.core import TransportAddress
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar import Registrar
from rserpool.core.wire import asap
from rserpool.node.driver import Channel, Driver

TOGETHER = 100
"""So many messages are timed at a time."""


class Nowhere:
    """A loop whose timers never come, and an association over which nothing goes anywhere."""

    peer = TransportAddress(("127.0.0.1",), 5000, 40000)
    outbound, credentials, log = False, None, None
    smoothed_round_trip, unconfirmed_addresses = None, ()

    def now(self) -> float:
        return monotonic()

    def call_later(self, seconds: float, function: Callable[..., object], *arguments: object) -> Any:
        return self

    def active(self) -> bool:
        return True

    def reset(self, seconds: float) -> None:
        pass

    def send(self, data: bytes, ppid: int = 0) -> None:
        pass


class Alone:
    """A registrar with ten elements, its driver, and sixteen associations."""

    def __init__(self) -> None:
        registrar = Registrar(0x5E12, profile=DEFAULT, random=Random(1))
        driver = Driver(Nowhere(), registrar, lambda event: None)  # type: ignore[arg-type]
        driver.channels["asap"] = self.channel = Channel(driver, registrar, asap, 11)
        self.carriers: list[Any] = [Nowhere() for _ in range(17)]
        for carrier in self.carriers:
            self.channel.up(carrier)
        for identifier in range(1, 11):
            self.channel.received(self.carriers[0], registration(identifier))

    def cases(self) -> dict[str, list[tuple[Any, bytes]]]:
        """What comes in, over which association; new elements come and go one after the other, as in L{bench.load}."""
        lanes = self.carriers[1:]
        question = asap.encode(asap.HandleResolution(POOL))
        coming = [(lanes[number % 16], (number % 16 + 1) << 16 | number) for number in range(16 * 1000)]
        return {
            "resolution": [(lanes[number % 16], question) for number in range(TOGETHER)],
            "registration that says nothing new": [(lanes[1], registration(1000)) for _ in range(TOGETHER)],
            "new registration, and its deregistration": [
                (carrier, data)
                for carrier, identifier in coming
                for data in (registration(identifier), asap.encode(asap.Deregistration(POOL, identifier)))
            ],
        }


def best(seconds: float) -> Figures:
    """Microseconds of each case, for so long each; the third is of two messages."""
    alone, found = Alone(), {}
    received = alone.channel.received
    gc.collect()
    gc.freeze()
    for name, messages in alone.cases().items():
        least, end, place = float("inf"), perf_counter() + seconds, 0
        for message in messages[:2]:
            received(*message)
        while perf_counter() < end:
            some = messages[place : place + TOGETHER]
            place = (place + TOGETHER) % len(messages)
            began = perf_counter()
            for carrier, data in some:
                received(carrier, data)
            least = min(least, perf_counter() - began)
        found[name] = 1e6 * least / TOGETHER * (2 if "and its" in name else 1)
    return found


def measure(options: argparse.Namespace) -> Figures:
    """Each checkout in a process of its own, in turn."""
    sides = {"this": ROOT, **({"other": Path(options.other).resolve()} if options.other else {})}
    found: dict[str, dict[str, list[float]]] = {side: {} for side in sides}
    for turn in range(1 if options.quick else options.rounds):
        for side, checkout in sides.items():
            command = [sys.executable, "-P", __file__, "--one", str(options.seconds)]
            told = subprocess.run(
                command, check=True, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(checkout)}
            )
            for name, cost in json.loads(told.stdout).items():
                found[side].setdefault(name, []).append(cost)
        progress(
            f"round {turn + 1}: " + "; ".join(f"{each} {min(found['this'][each]):.2f} us" for each in found["this"])
        )
    return {side: {name: min(costs) for name, costs in cases.items()} for side, cases in found.items()}


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = [[name, *(f"{figures[side][name]:.2f}" for side in figures)] for name in figures["this"]]
    return "Microseconds, without transport\n" + columns(["", *figures], rows)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("other", nargs="?", help="directory of another checkout")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each case")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(best(float(sys.argv[2]))))
    else:
        run("alone", "What a message takes a registrar without transport.", measure, table, add_arguments)
