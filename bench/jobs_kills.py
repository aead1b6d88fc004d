"""Workers that are killed while they do jobs, for C{bench.jobs}: what is lost, what is done again, and how soon.

A worker is killed in the middle of a job. The gap is the time from the kill until that job is begun again, by another
worker, which has room.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from statistics import median
from typing import Any

from bench.jobs_systems import Bench

WORKERS, IN_FLIGHT, NAP = 5, 3, 0.25
FIRST = 3.0
"""Seconds before the first kill."""


def killing(names: list[str], seconds: float, kills: int, progress: Callable[[str], object]) -> dict[str, Any]:
    """Jobs for so many seconds, in which so many workers are killed: of all systems at one time, and killed in turn.

    @return: of each system, how many jobs there were, were lost and were begun again, and the gaps.
    """
    with ExitStack() as stack:
        killed = {name: Killed(stack.enter_context(Bench(name, WORKERS)), seconds) for name in names}
        began = time.monotonic()
        for each in killed.values():
            each.go()
        every = (seconds - 2 * FIRST) / kills
        due = [
            (FIRST + (turn + part / len(names)) * every, name)
            for turn in range(kills)
            for part, name in enumerate(names)
        ]
        for at, name in due:
            time.sleep(max(0.0, began + at - time.monotonic()))
            killed[name].kill_one()
        found = {name: each.found() for name, each in killed.items()}
    for name, each in found.items():
        progress(f"{name}: {each['kills']} killed within {seconds:g} s: {sentence(each)}")
    return found


def sentence(found: dict[str, Any]) -> str:
    """What came of it, for people."""
    return "{jobs} jobs, {lost} lost, {percent:.1f} % begun again; the gap {gap:.0f} ms, {longest:.0f} at most".format(
        **found,
        percent=100 * found["again"] / found["jobs"],
        gap=median(found["gaps_ms"]),
        longest=max(found["gaps_ms"]),
    )


class Killed:
    """One system whose workers are killed."""

    def __init__(self, bench: Bench, seconds: float) -> None:
        self._bench = bench
        self._seconds = seconds
        self._file = bench.file("marks")
        self._client = bench.client("kills", int(seconds), NAP, IN_FLIGHT, self._file)
        self._kills: list[tuple[float, int]] = []
        self._starting = False

    def go(self) -> None:
        """Begin."""
        self._until = time.monotonic() + self._seconds
        self._bench.go()

    def kill_one(self) -> None:
        """Kill a worker in the middle of a job, and start another one; the one before is there by then."""
        if self._starting:
            self._bench.await_last()
            self._starting = False
        while (found := self._in_the_middle()) is None:
            if time.monotonic() >= self._until:
                return  # the machine is so busy that new workers came late
            time.sleep(0.01)
        number, worker = found
        self._kills.append((time.monotonic(), number))
        self._bench.kill(worker)
        self._bench.start()
        self._starting = True

    def _in_the_middle(self) -> tuple[int, int] | None:
        """A job that was begun a while ago and does not end soon, and its worker."""
        now, running = time.monotonic(), {}
        for word, number, pid, at in marks(self._file):
            if word == "begun":
                running[pid] = number, at
            else:
                running.pop(pid, None)
        for pid, (number, at) in running.items():
            if 0.2 * NAP < now - at < 0.6 * NAP and (worker := self._bench.worker_of(pid)) is not None:
                return number, worker
        return None

    def found(self) -> dict[str, Any]:
        """What came of it."""
        jobs, lost = map(int, self._client.says(r"^result (\d+) (\d+)", 3 * self._seconds).groups())
        begun = [(number, at) for word, number, _, at in marks(self._file) if word == "begun"]
        gaps = []
        for killed, number in self._kills:
            with suppress(ValueError):  # it had ended in that very moment
                gaps.append(1000 * (min(at for job, at in begun if job == number and at > killed) - killed))
        return {"jobs": jobs, "lost": lost, "again": len(begun) - jobs, "kills": len(self._kills), "gaps_ms": gaps}


def marks(file: Path) -> list[tuple[str, int, int, float]]:
    """What jobs have told."""
    if not file.exists():
        return []
    lines = [line.split() for line in file.read_text().splitlines() if line.count(" ") == 3]
    return [(word, int(number), int(pid), float(at)) for word, number, pid, at in lines]
