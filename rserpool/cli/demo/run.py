"""The demonstration itself: start, kill, drain, start anew, while a user fetches pages all the while."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, TextIO

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater

from rserpool.addresses import parse_transport_address
from rserpool.asap.resolution import PoolChanged
from rserpool.cli.demo.processes import Twistd, spawn
from rserpool.cli.demo.screen import Row, Screen
from rserpool.cli.demo.traffic import DEADLINE, Traffic
from rserpool.errors import RSerPoolError
from rserpool.profiles import PROFILES, Profile
from rserpool.service.user import PoolUserService

SUMMARY = "show a pool that survives: a registrar, three web servers, one user, and their faults"
POOL = "www"
PATIENCE = 30.0
"""Seconds that a process may take to start."""


class Demo:
    """One registrar, three web servers, one user; then a kill, a drain, and a new server."""

    def __init__(self, reactor: Any, screen: Screen, *, profile: Profile, phase: float, workers: int) -> None:
        self._reactor = reactor
        self._screen = screen
        self._profile = profile
        self._phase = phase
        self._workers = workers
        self._processes: dict[str, Twistd] = {}
        self._rows: list[Row] = []
        self._marks: dict[str, float] = {}
        self._removed: dict[int, float] = {}
        self._registrar = ""
        self._traffic: Traffic | None = None
        self._directory, self._pages = pages()

    async def run(self) -> int:
        """Run it; the exit status: 0 if no request was lost."""
        registrar = self._spawn("registrar", ["rserpool-ns", "--profile", self._profile.name, "--asap-tcp", "none"])
        match = await self._within(registrar.says(r"serves ASAP at (\S+)"), "the registrar")
        self._registrar = match[1]
        self._screen.event(f"registrar at {self._registrar}, process {registrar.pid}")
        for number in (1, 2, 3):
            self._start_server(number)
        for number in (1, 2, 3):
            await self._serving(number)

        user = PoolUserService(
            self._reactor, [parse_transport_address(self._registrar)], profile=self._profile
        )
        user.startService()
        subscription = user.subscribe(POOL.encode(), self._pool_changed)
        traffic = self._traffic = Traffic(self._reactor, user, POOL.encode(), self._pages)
        drawing = LoopingCall(self._draw)
        drawing.clock = self._reactor
        try:
            traffic.start(self._workers, 0.01)
            drawing.start(0.25)
            figures = await self._story(traffic)
            await traffic.stop()
        finally:
            if drawing.running:
                drawing.stop()
            subscription.stop()
            await user.stopService()
        self._draw()
        tally = traffic.tally
        self._screen.summary(
            self._rows,
            tally,
            [
                ("requests answered", str(tally.answered)),
                ("requests repeated at another server", str(tally.repeated)),
                (f"requests lost (no answer within {DEADLINE:g} s)", str(tally.lost)),
                *figures,
                ("longest gap of all", f"{tally.gap * 1000:.0f} ms"),
            ],
        )
        if tally.lost:
            print("requests were lost; the last errors:", *tally.errors, sep="\n  ", file=sys.stderr)
        if not tally.answered:
            print("nothing was answered", file=sys.stderr)
        return 1 if tally.lost or not tally.answered else 0

    async def stop(self) -> None:
        """End every process that was started, the servers first, so that they can say goodbye."""
        for processes in (
            [process for name, process in self._processes.items() if name.startswith("web")],
            [process for name, process in self._processes.items() if not name.startswith("web")],
        ):
            alive = [process for process in processes if process.alive]
            for process in alive:
                process.signal("TERM")
            for process in alive:
                late = self._reactor.callLater(5.0, process.signal, "KILL")
                await process.ended
                if late.active():
                    late.cancel()

    async def _story(self, traffic: Traffic) -> list[tuple[str, str]]:
        figures = []
        tally = traffic.tally
        await self._wait(self._phase)
        figures.append(("longest gap while all is well", _ms(tally.take_gap())))

        self._signal(1, "KILL", "killed")
        await self._wait(self._phase)
        figures.append(("longest gap when a server is killed (SIGKILL)", _ms(tally.take_gap())))
        figures.append(("the pool is rid of it after", self._since(1)))

        self._signal(2, "TERM", "draining")
        await self._wait(self._phase)
        figures.append(("longest gap when a server is stopped (SIGTERM)", _ms(tally.take_gap())))
        figures.append(("the pool is rid of it after", self._since(2)))

        self._start_server(4)
        await self._serving(4)
        await self._wait(self._phase)
        figures.append(("longest gap when a server is added", _ms(tally.take_gap())))
        return figures

    def _spawn(self, name: str, arguments: list[str]) -> Twistd:
        def ended(sentence: str) -> None:
            self._screen.event(sentence)
            for row in self._rows:
                if row.name == name and row.state == "draining":
                    row.state = "stopped"

        process = self._processes[name] = spawn(self._reactor, name, arguments, dict(os.environ), ended)
        return process

    def _start_server(self, number: int) -> None:
        row = Row(f"web-{number}", 0x0A000000 + number)
        self._rows.append(row)
        process = self._spawn(
            row.name,
            ["rserpool-pe", "--pool", POOL, "--identifier", hex(row.identifier), "--registrar", self._registrar]
            + ["--profile", self._profile.name, "--", "web", "--listen", "tcp:0", "--path", str(self._directory)],
        )
        row.pid = process.pid

    async def _serving(self, number: int) -> None:
        row = self._rows[number - 1]
        process = self._processes[row.name]
        match = await self._within(process.says(r"serves at (\S+ port \d+)"), row.name)
        await self._within(process.says(r"registered as"), row.name)
        row.state = "serves"
        self._screen.event(f"{row.name} serves at {match[1]}, process {row.pid}")

    def _signal(self, number: int, name: str, state: str) -> None:
        row = self._rows[number - 1]
        self._screen.event(f"SIG{name} to {row.name} ({getattr(signal, 'SIG' + name).value})")
        row.state = state
        self._marks[row.name] = time.monotonic()
        self._processes[row.name].signal(name)

    def _since(self, number: int) -> str:
        row = self._rows[number - 1]
        removed = self._removed.get(row.identifier)
        return "never" if removed is None else _ms(removed - self._marks[row.name])

    def _pool_changed(self, change: PoolChanged) -> None:
        listed = {element.identifier for element in change.elements or ()}
        for row in self._rows:
            if row.listed and row.identifier not in listed:
                self._removed[row.identifier] = time.monotonic()
                self._screen.event(f"{row.name} is not in the pool any more")
            elif not row.listed and row.identifier in listed:
                self._screen.event(f"{row.name} is in the pool")
            row.listed = row.identifier in listed

    def _draw(self) -> None:
        if self._traffic is not None:
            self._screen.draw(self._rows, self._traffic.tally)

    def _wait(self, seconds: float) -> Deferred[None]:
        return deferLater(self._reactor, seconds)

    async def _within(self, said: Deferred[Any], what: str) -> Any:
        said.addTimeout(PATIENCE, self._reactor)
        try:
            return await said
        except Exception as error:
            raise RSerPoolError(f"{what} did not start: {error}") from None


def pages() -> tuple[Path, list[str]]:
    """A directory to serve, and the pages in it: the documentation if we stand beside it, else one page."""
    documentation = Path("docs")
    found = sorted(
        str(path.relative_to(documentation)) for path in documentation.glob("*.md") if path.stat().st_size < 100_000
    )
    if found:
        return documentation.resolve(), found
    directory = Path(tempfile.mkdtemp(prefix="rserpool-demo-"))
    (directory / "index.html").write_text("<!doctype html><title>rserpool</title><p>A pool that survives.</p>\n")
    return directory, ["index.html"]


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of C{rserpool demo}."""
    parser.add_argument("--profile", default="default", choices=list(PROFILES), help="timers (default)")
    parser.add_argument("--phase", type=float, default=3.0, metavar="SECONDS", help="time between two faults (3)")
    parser.add_argument("--workers", type=int, default=4, metavar="N", help="requests at the same time (4)")


async def run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    """Run the demonstration; 1 if a request was lost."""
    demo = Demo(
        reactor, Screen(out), profile=PROFILES[options.profile], phase=options.phase, workers=options.workers
    )
    try:
        return await demo.run()
    finally:
        await demo.stop()


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
