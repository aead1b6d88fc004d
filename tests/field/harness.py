"""Pools of servers that nobody here wrote: asked, killed, and drained while they are asked."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.endpoints import clientFromString
from twisted.internet.threads import deferToThread

from tests.names.loopback import free_port
from tests.processes.harness import Process, ProcessTests, Registrar

ASKED = 4
"""So many requests are answered after a server was killed."""
Ask = Callable[[], Awaitable[str]]
Start = Callable[[str], Awaitable[Process]]


class FieldTests(ProcessTests):
    """Starts servers as elements of one pool, and asks who serves."""

    timeout = 90
    reg: Registrar

    async def begin(self) -> None:
        """A registrar."""
        self.reg = await self.registrar("--profile", "fast")
        self.servers: list[Process] = []
        self._programs: dict[Process, int] = {}
        self.addCleanup(self._end_programs)

    def _end_programs(self) -> None:
        for pid in self._programs.values():
            with suppress(ProcessLookupError):
                os.kill(pid, SIGKILL)

    def kill(self, process: Process) -> None:
        """C{kill -9}: a server, and the program that it supervises."""
        process.signal("KILL")
        if process in self._programs:
            os.kill(self._programs.pop(process), SIGKILL)

    async def wrapped(self, *plugin: str, options: tuple[str, ...] = (), path: str | None = None) -> Process:
        """A plugin of C{twistd}, by C{rserpool-pe}."""
        where = ("--pool", "field", "--registrar", self.reg.text, "--profile", "fast")
        return await self._in_pool(self.twistd("rserpool-pe", *where, *options, "--", *plugin, path=path))

    async def supervised(self, kind: str, name: str) -> Process:
        """A program without Twisted that listens on a port: by C{rserpool-pe} and C{procmon}.

        What is killed is C{twistd}; the program, which survives it, is killed with it.
        """
        port = str(free_port())
        program = (sys.executable, "-m", "tests.field.programs", kind, name, port)
        process = await self.wrapped("procmon", *program, options=("--port", port))
        self._programs[process] = int((await process.says(r"pid (\d+)"))[1])
        return process

    async def by_string(self, *arguments: str, path: str | None = None) -> Process:
        r"""A plugin of C{twistd} that takes server strings: C{STRING} in its arguments."""
        return await self._in_pool(self.twistd(*(each.replace("STRING", self.string) for each in arguments), path=path))

    async def program(self, kind: str, name: str) -> Process:
        """A program with Twisted that takes server strings."""
        return await self._in_pool(self.spawn("-m", "tests.field.programs", kind, name, self.string))

    @property
    def string(self) -> str:
        """The server string of an element."""
        where = self.reg.text.replace(":", r"\:")
        return rf"rserpool:field:tcp\:0\:interface=127.0.0.1:registrar={where}:profile=fast"

    async def _in_pool(self, process: Process) -> Process:
        await process.says("field: registered as 0x|field: element 0x[0-9a-f]+ registered")
        self.servers.append(process)
        return process

    async def proxied(self, ask: Callable[[int], str]) -> Ask:
        """A blocking client in a thread, through C{rserpool proxy}."""
        port = free_port()
        proxy = self.rserpool(
            *("proxy", "field", "--registrar", self.reg.text, "--profile", "fast", "--listen", str(port))
        )
        await proxy.says("relays tcp")
        return lambda: deferToThread(ask, port)

    def endpoint(self) -> Any:
        """The pool as a client endpoint of Twisted."""
        endpoint: Any = clientFromString(reactor, f"rserpool:field:registrar={self.reg.text}:profile=fast")
        self.addCleanup(endpoint.user.stopService)
        return endpoint

    async def fail_over(self, start: Start, ask: Ask) -> None:
        """One is killed while it is asked; of the other two one leaves while it is asked.

        One request at most is lost with each: see docs/field.md, which says when.
        """
        one = await start("one")
        self.assertEqual("one", await ask())
        two = await start("two")
        under_way: Deferred[Any] = ensureDeferred(self._answered(ask))
        self.kill(one)
        await one.ended
        self.assertIn(await under_way, ("one", "two", None))
        self.assertEqual(["two"] * ASKED, [await ask() for _ in range(ASKED)])
        await start("three")
        two.signal("TERM")
        answers: list[str | None] = []
        # A program that procmon ends may outlive it for a while.
        while two.status is None or answers[-ASKED:] != ["three"] * ASKED:
            answers.append(await self._answered(ask))
        self.assertLessEqual(set(answers), {"two", "three", None})
        self.assertLessEqual(answers.count(None), 1, answers)
        self.assertIn(two.status, (0, -SIGTERM))  # twistd ends as it was asked to
        self.no_traceback(self.reg.process, *self.servers)

    def page_of(self, name: str) -> str:
        """A folder with one page, the name."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "index.html").write_text(name)
        return str(folder.absolute())

    @staticmethod
    async def _answered(ask: Ask) -> str | None:
        """Who answered; nobody, if the server that was asked is gone."""
        try:
            return await ask()
        except Exception:
            return None
