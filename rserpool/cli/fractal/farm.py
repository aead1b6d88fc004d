"""The farm: a registrar and workers, each a process of its own; some of them are killed, and others started."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

from rserpool.cli.demo.processes import HOST, Twistd, free_ports
from rserpool.core.addresses import ASAP_PORT, TransportAddress
from rserpool.core.errors import RSerPoolError

POOL = "fractal"
BACKEND = "--backend=usrsctp"
"""It uses a UDP port of its own, which is not the kernel's."""
PATIENCE = 30.0
"""Seconds that a process may take to start."""


class Farm:
    """Starts, kills and ends the processes.

    @ivar workers: those that live, by number.
    @ivar killed: how many were killed.
    """

    def __init__(self, reactor: Any, folder: Path) -> None:
        self._reactor = reactor
        self._number = 0
        self._ending = False
        self.workers: dict[int, Twistd] = {}
        self.killed = 0
        (self._udp,) = free_ports(1, socket.SOCK_DGRAM)
        self._keys = folder / "keys"
        self._keys.touch(0o600)
        self._keys.write_text(f"fractal {os.urandom(32).hex()}\n")
        self._all: list[Twistd] = []

    @property
    def registrar(self) -> TransportAddress:
        """Where the registrar serves."""
        return TransportAddress((HOST,), ASAP_PORT, self._udp)

    async def begin(self, workers: int) -> None:
        """Start the registrar and so many workers, and wait until they work.

        @raise RSerPoolError: if one does not start.
        """
        where = f"--udp-encapsulation={self._udp}"
        registrar = self._start("the registrar", "rserpool-ns", BACKEND, where, "--asap-tcp=none")
        await self._ready(registrar, "serves ASAP at")
        for number in [self.start() for _ in range(workers)]:
            await self.ready(number)

    def start(self) -> int:
        """Start another worker.

        @return: its number, which is its PE identifier, too.
        """
        self._number += 1
        self.workers[self._number] = self._start(
            f"worker {self._number}",
            "rserpool-worker",
            BACKEND,
            f"--pool={POOL}",
            f"--registrar={self.registrar}",
            f"--identifier={self._number}",
            "--slots=1",
            "--functions=rserpool.cli.fractal.tiles",
            f"--cookie-keys={self._keys}",
        )
        return self._number

    async def ready(self, number: int) -> None:
        """Wait until a worker works.

        @raise RSerPoolError: if it does not start.
        """
        await self._ready(self.workers[number], "registered as")

    def kill(self, number: int) -> None:
        """Kill a worker (SIGKILL)."""
        self.killed += 1
        self.workers.pop(number).signal("KILL")

    def kill_all(self) -> None:
        """End them all at once."""
        self._ending = True
        for process in self._all:
            process.signal("KILL")

    async def end(self) -> None:
        """End them all, and wait until they have ended."""
        self._ending = True
        for process in self._all:
            process.signal("TERM")
        for process in self._all:
            if process.alive:
                await process.ended

    def _start(self, name: str, *words: str) -> Twistd:
        process = Twistd(name, list(words))
        self._all.append(process)
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        for inherited in ("RSERPOOL_REGISTRARS", "RSERPOOL_SECURITY"):
            environment.pop(inherited, None)
        process.start(self._reactor, environment)
        return process

    async def _ready(self, process: Twistd, says: str) -> None:
        said = process.says(says)
        said.addTimeout(PATIENCE, self._reactor)
        try:
            await said
        except RuntimeError as error:
            raise RSerPoolError(f"{process.name} did not start: {error}") from None
