"""An operational scope of the cluster benchmarks: registrars that are each other's peers, on this host."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

from bench.processes import Ended, Process, Processes, free_port
from bench.report import Figures


class Scope:
    """So many registrars, numbered from 1, which is also their server identifier.

    @ivar registrars: their processes, by number.
    """

    def __init__(self, processes: Processes, number: int, *options: str) -> None:
        self._processes = processes
        self._options = options
        self._udp = {one: free_port(socket.SOCK_DGRAM) for one in range(1, number + 1)}
        self.registrars: dict[int, Process] = {}

    def asap(self, number: int) -> str:
        """Where a registrar serves ASAP."""
        return f"127.0.0.1:3863/{self._udp[number]}"

    def enrp(self, number: int) -> str:
        """Where a registrar speaks ENRP."""
        return f"127.0.0.1:9901/{self._udp[number]}"

    def start(self, number: int, *, peers: bool = True) -> Process:
        """Start one that knows all others, or nobody; it listens when this returns, and is perhaps not ready."""
        options = ["--identifier", str(number), "--asap-tcp", "none", *self._options]
        for other in self._udp if peers else ():
            if other != number:
                options += ["--peer", self.enrp(other)]
        process = self._processes.registrar(self._udp[number], *options)
        self.registrars[number] = process
        return process

    def start_all(self) -> None:
        """Start every one; all are ready when this returns."""
        for number in self._udp:
            self.start(number)
        for process in self.registrars.values():
            process.says("ready: ")

    def tables(self, *numbers: int) -> list[Figures]:
        """The handlespace as each of these registrars has it; all of them if none is named."""
        where = [self.enrp(number) for number in numbers or self._udp]
        reading = self._processes.python("tables", "-m", "bench.tables", *where)
        found = [json.loads(reading.says("^{").string) for _ in where]
        reading.end()
        return sorted(found, key=lambda one: where.index(one["at"]))

    def equal(self, seconds: float = 10.0) -> tuple[bool, list[Figures]]:
        """Whether all become equal within so many seconds: elements, attributes, homes, and so checksums."""
        until = time.monotonic() + seconds
        while True:
            tables = self.tables()
            if len({one["digest"] for one in tables}) == 1:
                return True, tables
            if time.monotonic() >= until:
                return False, tables


class Listener:
    """Reads what a process prints in a thread of its own, and notes when each line came."""

    def __init__(self, process: Process, pattern: str) -> None:
        self._process = process
        self._pattern = pattern
        self._found: list[tuple[float, Any]] = []
        self._over = False
        threading.Thread(target=self._listen, daemon=True).start()

    @property
    def found(self) -> list[tuple[float, Any]]:
        """The matches so far, each with the time when it was read (monotonic seconds)."""
        return list(self._found)

    def wait(self, enough: int, seconds: float) -> bool:
        """Wait until so many were found; whether they were."""
        until = time.monotonic() + seconds
        while len(self._found) < enough and time.monotonic() < until and not self._over:
            time.sleep(0.005)
        return len(self._found) >= enough

    def _listen(self) -> None:
        try:
            while True:
                match = self._process.says(self._pattern, 600.0)
                self._found.append((time.monotonic(), match))
        except Ended:
            self._over = True
