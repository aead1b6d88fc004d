"""Who is on the stage of the demonstration: registrars and web servers, each a process of its own."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from rserpool.cli.demo.processes import HOST, Twistd, free_ports
from rserpool.cli.demo.screen import Row, Screen
from rserpool.core.addresses import ASAP_PORT, ENRP_PORT, TransportAddress
from rserpool.core.errors import RSerPoolError
from rserpool.core.user.events import PoolChanged

POOL = "www"
BACKEND = ("--backend", "usrsctp")
"""Registrars that share an address have a UDP port each, which the kernel's SCTP cannot have."""
PAGES = [""]
"""What there is to fetch: C{twistd web} without a directory has one page of its own."""
PATIENCE = 30.0
"""Seconds that a process may take to start."""


class Stage:
    """Starts, signals and ends the processes, and keeps the times of what happened to them.

    @ivar rows: what the screen shows.
    @ivar removed: when an element left the pool, by identifier (monotonic seconds).
    @ivar consoles: where each registrar has its console; none if they have none.
    @ivar homes: when an element found its present home registrar, by the element's name.
    """

    def __init__(self, reactor: Any, screen: Screen, profile: str, registrars: int, web: bool = False) -> None:
        self._reactor = reactor
        self._screen = screen
        self._profile = profile
        self._processes: dict[str, Twistd] = {}
        self._udp = free_ports(registrars, socket.SOCK_DGRAM)
        self.consoles = [f"{HOST}:{port}" for port in free_ports(registrars, socket.SOCK_STREAM)] if web else []
        self.rows: list[Row] = []
        self.removed: dict[int, float] = {}
        self.homes: dict[str, float] = {}
        self._ending = False
        self._awaited: list[tuple[Callable[[], bool], Deferred[None]]] = []

    @property
    def registrars(self) -> list[TransportAddress]:
        """Where the registrars serve ASAP."""
        return [TransportAddress((HOST,), ASAP_PORT, udp) for udp in self._udp]

    def row(self, name: str) -> Row:
        """The row of a process, C{"ns-1"} or C{"web-1"}."""
        return next(row for row in self.rows if row.name == name)

    def start_registrar(self, number: int) -> None:
        """Start registrar C{number} (from 1), or start it again."""
        row = self._present(f"ns-{number}", number)
        options = ["--identifier", str(number), "--udp-encapsulation", str(self._udp[number - 1])]
        for other, udp in enumerate(self._udp, 1):
            if other != number:
                options += ["--peer", f"{HOST}:{ENRP_PORT}/{udp}"]
        if self.consoles:
            options += ["--admin", self.consoles[number - 1]]
        self._spawn(row, ["rserpool-ns", *BACKEND, "--profile", self._profile, "--asap-tcp", "none", *options])

    def start_server(self, number: int) -> None:
        """Start web server C{number} (from 1), or start it again; each prefers another registrar."""
        row = self._present(f"web-{number}", 0x0A000000 + number)
        options = ["--pool", POOL, "--identifier", hex(row.identifier), "--profile", self._profile]
        first = number % len(self.registrars)
        for registrar in self.registrars[first:] + self.registrars[:first]:
            options += ["--registrar", str(registrar)]
        self._spawn(row, ["rserpool-pe", *BACKEND, *options, "--", "web", "--listen", f"tcp:0:interface={HOST}"])

    async def ready(self, name: str) -> None:
        """Wait until a process says that it serves, L{PATIENCE} seconds at most."""
        row = self.row(name)
        process = self._processes[name]
        what = r"registered as" if row.serves else r"ready: "
        said = process.says(what)
        said.addTimeout(PATIENCE, self._reactor)
        try:
            await said
        except CancelledError:
            raise
        except Exception as error:
            raise RSerPoolError(f"{name} did not start: {error}") from None
        row.state = "serves"
        self._screen.event(f"{name} serves, process {row.pid}")

    def signal(self, name: str, what: str, state: str) -> float:
        """Send a signal; returns when (monotonic seconds)."""
        row = self.row(name)
        self._screen.event(f"SIG{what} to {name} ({getattr(signal, 'SIG' + what).value})")
        row.state = state
        now = time.monotonic()
        self._processes[name].signal(what)
        return now

    def when(self, happened: Callable[[], bool]) -> Deferred[None]:
        """Fires as soon as C{happened()} is true after something was heard of the pool or its homes."""
        awaited: Deferred[None] = Deferred()
        self._awaited.append((happened, awaited))
        self._look()
        return awaited

    def _look(self) -> None:
        for entry in list(self._awaited):
            if entry[0]():
                self._awaited.remove(entry)
                entry[1].callback(None)

    def gone(self, name: str) -> Deferred[None]:
        """Fires when the process is gone."""
        done: Deferred[None] = Deferred()
        process = self._processes[name]

        def tell(sentence: str) -> str:
            done.callback(None)
            return sentence

        if process.alive:
            process.ended.addCallback(tell)
        else:
            done.callback(None)
        return done

    def busiest_registrar(self) -> str:
        """The registrar that is home to most of the servers."""
        homes = [row.home for row in self.rows if row.serves and row.state == "serves"]
        return max((row.name for row in self.rows if not row.serves), key=homes.count)

    def pool_changed(self, change: PoolChanged) -> None:
        """A user was told how the pool is now."""
        listed = {element.identifier for element in change.elements or ()}
        for row in filter(lambda row: row.serves, self.rows):
            if row.listed and row.identifier not in listed:
                self.removed[row.identifier] = time.monotonic()
                self._screen.event(f"{row.name} is not in the pool any more")
            elif not row.listed and row.identifier in listed:
                self._screen.event(f"{row.name} is in the pool")
            row.listed = row.identifier in listed
        self._look()

    def kill(self) -> None:
        """End every process at once."""
        self._ending = True
        for process in self._processes.values():
            process.signal("KILL")

    async def end(self) -> None:
        """End every process that was started, the servers first, so that they can say goodbye."""
        self._ending = True
        for servers in (True, False):
            alive = [self._processes[row.name] for row in self.rows if row.serves is servers]
            alive = [process for process in alive if process.alive]
            for process in alive:
                process.signal("CONT")
                process.signal("TERM")
            late = [self._reactor.callLater(5.0, process.signal, "KILL") for process in alive]
            for process in alive:
                await self.gone(process.name)
            for one in late:
                if one.active():
                    one.cancel()

    def _present(self, name: str, identifier: int) -> Row:
        for row in self.rows:
            if row.name == name:
                row.state, row.home = "starting", ""
                return row
        row = Row(name, identifier)
        self.rows.append(row)
        return row

    def _spawn(self, row: Row, arguments: list[str]) -> None:
        def ended(sentence: str) -> None:
            if not self._ending:
                self._screen.event(sentence)
            if row.state == "draining":
                row.state = "stopped"

        process = self._processes[row.name] = Twistd(row.name, arguments)
        process.ended.addCallback(ended)
        process.start(self._reactor, dict(os.environ))
        process.heard = lambda line: self._heard(row, line)
        row.pid = process.pid or 0

    def _heard(self, row: Row, line: str) -> None:
        match = re.search(r"home registrar is \S+?:\d+(?:/(\d+))?$", line)
        if match:
            row.home = f"ns-{self._udp.index(int(match[1] or 9899)) + 1}"
            self.homes[row.name] = time.monotonic()
            self._screen.event(f"{row.name} has its home at {row.home}")
            self._look()
