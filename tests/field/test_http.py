"""Web servers in a pool, and HTTP clients."""

from __future__ import annotations

import asyncio
from shutil import which
from socket import SOCK_STREAM

import treq
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from rserpool.names.aio import Pools
from rserpool.web import PoolAgent
from tests.field.harness import FieldTests
from tests.field.rows import row
from tests.processes.harness import Process


def by_requests(port: int) -> str:
    """Ask by requests."""
    import requests

    return requests.get(f"http://127.0.0.1:{port}/", timeout=10).text.strip()


def by_httpx(port: int) -> str:
    """Ask by httpx."""
    import httpx

    return httpx.get(f"http://127.0.0.1:{port}/", timeout=10, trust_env=False).text.strip()


def by_http2(port: int) -> str:
    """Ask by httpx over HTTP/2, from the first byte."""
    import httpx

    with httpx.Client(http1=False, http2=True, timeout=10, trust_env=False) as client:
        return client.get(f"http://127.0.0.1:{port}/").text


def by_aiohttp(registrar: str) -> str:
    """Ask by aiohttp: its connector tries the addresses of the pool in their order."""
    import aiohttp
    from aiohttp.abc import AbstractResolver

    class Resolver(AbstractResolver):
        def __init__(self) -> None:
            self.pools = Pools(registrars=[registrar], profile="fast")

        async def resolve(self, host, port=0, family=0):
            found = await self.pools.getaddrinfo(host, type=SOCK_STREAM)
            return [
                {"hostname": host, "host": where[0], "port": where[1], "family": each, "proto": 0, "flags": 0}
                for each, _, _, _, where in found
            ]

        async def close(self) -> None:
            pass

    async def main() -> str:
        connector = aiohttp.TCPConnector(resolver=Resolver())
        timeout = aiohttp.ClientTimeout(10)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            async with session.get("http://field/") as response:
                return await response.text()

    return asyncio.run(main())


class HttpTests(FieldTests):
    """Each answers its name."""

    @row("Twisted web", "`rserpool-pe -- web --path`", "treq with `PoolAgent`")
    async def test_web(self) -> None:
        await self.begin()
        agent = PoolAgent(self.user(self.reg))
        self.addCleanup(agent.close)

        async def ask() -> str:
            return await treq.text_content(await treq.get("http://field/", agent=agent))

        async def start(name: str) -> Process:
            return await self.wrapped("web", "--listen", "tcp:0:interface=127.0.0.1", "--path", self.page_of(name))

        await self.fail_over(start, ask)

    @row("Klein", "`app.run(endpoint_description='rserpool:...')`", "requests through `rserpool proxy`")
    async def test_klein(self) -> None:
        await self.begin()
        await self.fail_over(lambda name: self.program("klein", name), await self.proxied(by_requests))

    @row("uvicorn", "`rserpool-pe --port P -- procmon`", "httpx through `rserpool proxy`")
    async def test_uvicorn(self) -> None:
        await self.begin()
        await self.fail_over(lambda name: self.supervised("uvicorn", name), await self.proxied(by_httpx))

    @row("Hypercorn, HTTP/2", "`rserpool-pe --port P -- procmon`", "httpx (h2) through `rserpool proxy`")
    async def test_hypercorn(self) -> None:
        await self.begin()
        await self.fail_over(lambda name: self.supervised("hypercorn", name), await self.proxied(by_http2))

    @row(
        "aiohttp's server",
        "`rserpool-pe --port P -- procmon`",
        "aiohttp's client, its resolver by `rserpool.names.aio`",
    )
    async def test_aiohttp(self) -> None:
        await self.begin()
        registrar = f"{self.reg.tcp.hosts[0]}:{self.reg.tcp.port}"
        await self.fail_over(
            lambda name: self.supervised("aiohttp", name), lambda: deferToThread(by_aiohttp, registrar)
        )

    @row("Twisted web", "`twistd web --listen rserpool:...`", "curl by `rserpool exec`")
    async def test_exec(self) -> None:
        if not which("curl"):
            raise SkipTest("there is no curl")
        await self.begin()
        command = ("exec", "--registrar", self.reg.text, "--profile", "fast", "field", "--", "sh", "-c")

        async def ask() -> str:
            asked = self.rserpool(*command, "curl -sf http://$RSERPOOL_ADDRESS/")
            self.assertEqual(0, await asked.ended, asked.text)
            return asked.output

        await self.fail_over(
            lambda name: self.by_string("web", "--listen", "STRING", "--path", self.page_of(name)), ask
        )
