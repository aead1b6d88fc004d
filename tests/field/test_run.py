"""redis, nginx and uvicorn by C{rserpool-pe -- run}: killed, frozen, and made unhealthy."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import which
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.field.harness import ASKED, Ask, FieldTests, Start
from tests.field.rows import row
from tests.names.loopback import free_port
from tests.processes.harness import Process
from tests.processes.watched import ended

Todo = Callable[[Process], object]
CHECKED = ("--check-interval=0.2", "--check-timeout=1", "--check-fall=2")


def by_redis(port: int) -> str:
    """Ask a server of redis for its name, over a connection of its own."""
    import redis

    with redis.Redis(port=port, socket_timeout=5) as client:
        return client.get("name").decode()


def by_requests(port: int, path: str = "") -> str:
    """Ask for a page."""
    import requests

    return requests.get(f"http://127.0.0.1:{port}/{path}", timeout=5).text.strip()


class RunTests(FieldTests):
    """Each ends with its element, also when that is killed: nothing is cleaned up here.

    @ivar ill: makes the program that was started last unwell, in a way of its own; C{well}: undoes that.
    """

    ill: Callable[[], object]
    well: Callable[[], object]

    def kill(self, process: Process) -> None:
        """C{kill -9}, of all at once: alone, the program would end in its own way."""
        rest = _descendants(process.pid)
        process.signal("KILL")
        for pid in rest:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def run_program(
        self, port: int, *words: str, options: tuple[str, ...] = (), path: str | None = None
    ) -> Process:
        """A program that serves at a port."""
        return await self.wrapped("run", "--grace=1", *words, options=(f"--port={port}", *options), path=path)

    def folder(self, name: str) -> Path:
        folder = Path(self.mktemp()).absolute() / name
        folder.mkdir(parents=True)
        return folder

    async def redis(self, name: str) -> Process:
        port = free_port()
        words = ("redis-server", "--port", str(port), "--save", "", "--bind", "127.0.0.1")
        # A port that is open says nothing of who is frozen.
        check = f"--check=exec:redis-cli -p {port} -e ping"
        process = await self.run_program(port, *words, options=(check, *CHECKED), path=str(self.folder(name)))
        await self.to_redis(port, lambda client: client.set("name", name))
        self.ill = lambda: self.to_redis(port, lambda client: client.config_set("requirepass", "secret"))
        self.well = lambda: self.to_redis(port, lambda client: client.config_set("requirepass", ""), "secret")
        return process

    @staticmethod
    def to_redis(port: int, tell: Callable[[Any], object], password: str | None = None) -> Deferred[None]:
        def speak() -> None:
            import redis

            with redis.Redis(port=port, socket_timeout=5, password=password) as client:
                tell(client)

        return deferToThread(speak)

    async def nginx(self, name: str) -> Process:
        port, folder = free_port(), self.folder(name)
        folder.chmod(0o755)
        for above in list(folder.parents)[:1]:
            above.chmod(0o755)
        (folder / "index.html").write_text(name)
        (folder / "health").write_text("well")
        (folder / "nginx.conf").write_text(
            f"daemon off; worker_processes 2; user root; error_log stderr; pid {folder}/pid; events {{}}\n"
            f"http {{ access_log off; client_body_temp_path {folder}/t; proxy_temp_path {folder}/t;"
            f" fastcgi_temp_path {folder}/t; uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;"
            f" server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
        )
        self.made = folder
        self.ill = lambda: (folder / "health").rename(folder / "not")
        self.well = lambda: (folder / "not").rename(folder / "health")
        options = ("--check=http:/health", *CHECKED)
        return await self.run_program(port, "nginx", "-c", str(folder / "nginx.conf"), options=options)

    async def uvicorn(self, name: str) -> Process:
        port = free_port()
        words = (sys.executable, "-m", "tests.field.programs", "uvicorn", name, str(port))
        self.ill, self.well = (lambda path=path: deferToThread(by_requests, port, path) for path in ("ill", "well"))
        return await self.run_program(port, *words, options=("--check=http:/health", *CHECKED))

    def needs(self, program: str) -> None:
        if which(program) is None:
            raise SkipTest(f"there is no {program}")

    @row("redis", "`rserpool-pe --port P --check exec:... -- run redis-server`", "redis-py through `rserpool proxy`")
    async def test_redis(self) -> None:
        self.needs("redis-server")
        await self.begin()
        await self.fail_over(self.redis, await self.proxied(by_redis))

    @row("nginx", "`rserpool-pe --port P --check http:/health -- run nginx`", "requests through `rserpool proxy`")
    async def test_nginx(self) -> None:
        self.needs("nginx")
        await self.begin()
        await self.fail_over(self.nginx, await self.proxied(by_requests))

    @row("uvicorn", "`rserpool-pe --port P --check http:/health -- run`", "requests through `rserpool proxy`")
    async def test_uvicorn(self) -> None:
        await self.begin()
        await self.fail_over(self.uvicorn, await self.proxied(by_requests))

    async def falls_ill(self, start: Start, ask: Ask, ill: Todo, well: Todo) -> None:
        """One of two serves on, and is not well: who asks is answered by the other one, until it is well again.

        C{ill} and C{well} are told the one.
        """
        one = await start("one")
        told = self.ill, self.well
        await start("two")
        self.ill, self.well = told
        lines = len(one.lines)
        await maybeDeferred(ill, one)
        await one.says("is not well .*: left the pool", lines)
        # Who asks may be told of it a little later.
        while await self._answered(ask) != "two":
            pass
        self.assertEqual(["two"] * ASKED, [await ask() for _ in range(ASKED)])
        lines = len(one.lines)
        await maybeDeferred(well, one)
        await one.says("field: registered as|element 0x[0-9a-f]+ registered", lines)
        while await ask() != "one":
            pass  # it is told of that a little later, too

    async def falls_ill_itself(self, start: Start, ask: Ask) -> None:
        """Its own check says so."""
        await self.falls_ill(start, ask, lambda one: self.ill(), lambda one: self.well())

    async def freezes(self, start: Start, ask: Ask) -> None:
        """Its port is open, and nobody answers."""

        def tell(number: signal.Signals, one: Process) -> None:
            for guard in _children(one.pid):
                for pid in _descendants(guard):
                    os.kill(pid, number)

        await self.falls_ill(start, ask, partial(tell, signal.SIGSTOP), partial(tell, signal.SIGCONT))

    async def test_redis_ill(self) -> None:
        """It wants a password that its users do not know."""
        self.needs("redis-server")
        await self.begin()
        await self.falls_ill_itself(self.redis, await self.proxied(by_redis))

    async def test_nginx_ill(self) -> None:
        """Its health page is gone."""
        self.needs("nginx")
        await self.begin()
        await self.falls_ill_itself(self.nginx, await self.proxied(by_requests))

    async def test_uvicorn_ill(self) -> None:
        """Its health page says 503."""
        await self.begin()
        await self.falls_ill_itself(self.uvicorn, await self.proxied(by_requests))

    async def test_redis_frozen(self) -> None:
        self.needs("redis-server")
        await self.begin()
        await self.freezes(self.redis, await self.proxied(by_redis))

    async def test_nginx_frozen(self) -> None:
        self.needs("nginx")
        await self.begin()
        await self.freezes(self.nginx, await self.proxied(by_requests))

    async def test_uvicorn_frozen(self) -> None:
        await self.begin()
        await self.freezes(self.uvicorn, await self.proxied(by_requests))

    async def test_workers_end(self) -> None:
        """The element of nginx is killed: its workers end, too."""
        self.needs("nginx")
        await self.begin()
        element = await self.nginx("one")
        master = int((self.made / "pid").read_text())
        workers = _children(master)
        self.assertEqual(len(workers), 2)
        ends = [ended(self, pid) for pid in (master, *workers)]
        element.signal("KILL")
        for each in ends:
            await each


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _descendants(pid: int) -> list[int]:
    return [found for child in _children(pid) for found in (child, *_descendants(child))]
