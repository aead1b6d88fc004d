"""Web servers in a pool, and HTTP clients."""

from __future__ import annotations

from pathlib import Path

import treq

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


class HttpTests(FieldTests):
    """Each answers its name."""

    def folder(self, name: str) -> str:
        """A folder with one page, the name."""
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "index.html").write_text(name)
        return str(folder.absolute())

    @row("Twisted web", "`rserpool-pe -- web --path`", "treq with `PoolAgent`")
    async def test_web(self) -> None:
        await self.begin()
        agent = PoolAgent(self.user(self.reg))
        self.addCleanup(agent.close)

        async def ask() -> str:
            return await treq.text_content(await treq.get("http://field/", agent=agent))

        async def start(name: str) -> Process:
            return await self.wrapped("web", "--listen", "tcp:0:interface=127.0.0.1", "--path", self.folder(name))

        await self.fail_over(start, ask)

    @row("Klein", "`app.run(endpoint_description='rserpool:...')`", "requests through `rserpool proxy`")
    async def test_klein(self) -> None:
        await self.begin()
        await self.fail_over(lambda name: self.program("klein", name), await self.proxied(by_requests))

    @row("uvicorn", "`rserpool-pe --port P -- procmon`", "httpx through `rserpool proxy`")
    async def test_uvicorn(self) -> None:
        await self.begin()
        await self.fail_over(lambda name: self.supervised("uvicorn", name), await self.proxied(by_httpx))
