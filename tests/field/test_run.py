"""redis, nginx and uvicorn by C{rserpool-pe -- run}: killed, frozen, and made unhealthy."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from shutil import which

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.field.harness import FieldTests
from tests.field.rows import row
from tests.names.loopback import free_port
from tests.processes.harness import Process
from tests.processes.watched import ended

CHECKED = ("--check-interval=0.2", "--check-timeout=0.5", "--check-fall=2")


def by_redis(port: int) -> str:
    """Ask a server of redis for its name, over a connection of its own."""
    import redis

    with redis.Redis(port=port, socket_timeout=5) as client:
        return client.get("name").decode()


def by_requests(port: int) -> str:
    """Ask for a page."""
    import requests

    return requests.get(f"http://127.0.0.1:{port}/", timeout=5).text.strip()


class RunTests(FieldTests):
    """Each ends with its element, also when that is killed: nothing is cleaned up here."""

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
        process = await self.run_program(port, *words, options=("--check=tcp", *CHECKED), path=str(self.folder(name)))

        def set_name() -> None:
            import redis

            with redis.Redis(port=port, socket_timeout=5) as client:
                client.set("name", name)

        await deferToThread(set_name)
        return process

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
        options = ("--check=http:/health", *CHECKED)
        return await self.run_program(port, "nginx", "-c", str(folder / "nginx.conf"), options=options)

    async def uvicorn(self, name: str) -> Process:
        port = free_port()
        words = (sys.executable, "-m", "tests.field.programs", "uvicorn", name, str(port))
        return await self.run_program(port, *words, options=("--check=http:/", *CHECKED))

    def needs(self, program: str) -> None:
        if which(program) is None:
            raise SkipTest(f"there is no {program}")

    @row("redis", "`rserpool-pe --port P -- run redis-server`", "redis-py through `rserpool proxy`")
    async def test_redis(self) -> None:
        self.needs("redis-server")
        await self.begin()
        await self.fail_over(self.redis, await self.proxied(by_redis))

    @row("nginx", "`rserpool-pe --port P --check http:/health -- run nginx`", "requests through `rserpool proxy`")
    async def test_nginx(self) -> None:
        self.needs("nginx")
        await self.begin()
        await self.fail_over(self.nginx, await self.proxied(by_requests))

    @row("uvicorn", "`rserpool-pe --port P --check http:/ -- run`", "requests through `rserpool proxy`")
    async def test_uvicorn(self) -> None:
        await self.begin()
        await self.fail_over(self.uvicorn, await self.proxied(by_requests))

    async def test_unhealthy(self) -> None:
        """nginx serves on, but its health page is gone: it is in no pool until that comes back."""
        self.needs("nginx")
        await self.begin()
        element = await self.nginx("one")
        (self.made / "health").rename(self.made / "ill")
        await element.says("is not well .HTTP status 404 at /health.: left the pool")
        lines = len(element.lines)
        (self.made / "ill").rename(self.made / "health")
        await element.says("field: registered as|element 0x[0-9a-f]+ registered", lines)

    async def test_frozen(self) -> None:
        """The port of a frozen program is open, and nobody answers: out until it thaws."""
        await self.begin()
        element = await self.uvicorn("one")
        pid = int((await element.says(r"pid (\d+)"))[1])
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(_thaw, pid)
        await element.says("is not well .no answer within 0.5 s.: left the pool")
        lines = len(element.lines)
        os.kill(pid, signal.SIGCONT)
        await element.says("registered as|registered", lines)

    async def test_workers_end(self) -> None:
        """The element of nginx is killed: its workers end, too."""
        self.needs("nginx")
        await self.begin()
        element = await self.nginx("one")
        master = int((self.made / "pid").read_text())
        workers = [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]
        self.assertEqual(len(workers), 2)
        ends = [ended(self, pid) for pid in (master, *workers)]
        element.signal("KILL")
        for each in ends:
            await each


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in map(int, children) for found in (child, *_descendants(child))]


def _thaw(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return
