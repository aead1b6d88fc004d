"""The program of "Run a role on your own loop" resolves a pool at a registrar."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from rserpool.core import TcpTransport, UnknownPool
from tests.names.loopback import HOST, LoopbackCase, free_port

PAGE = Path(__file__).resolve().parent.parent / "docs" / "own-loop.md"


class OwnLoopTests(LoopbackCase):
    """Over TCP, in a thread."""

    def setUp(self) -> None:
        super().setUp()
        (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        self.program: dict[str, Any] = {}
        exec(compile(program, PAGE.name, "exec"), self.program)

    async def resolve(self, pool: bytes, where: str, seconds: float = 5.0) -> Any:
        return await self.in_thread(self.program["resolve"], pool, where, seconds)

    async def test_resolves(self) -> None:
        """The elements of a pool."""
        for number in (1, 2):
            await self.register(TcpTransport(8000 + number, HOST), identifier=number)
        found = await self.resolve(b"pool", self.where)
        self.assertEqual({1, 2}, {element.identifier for element in found.elements})

    async def test_no_such_pool(self) -> None:
        """What failed is told."""
        self.assertIsInstance((await self.resolve(b"other", self.where)).error, UnknownPool)

    async def test_no_registrar(self) -> None:
        """Where nobody listens, its deadline ends it."""
        found = await self.resolve(b"pool", f"{HOST}:{free_port()}", 0.2)
        self.assertIn("no registrar answered in time", str(found.error))
