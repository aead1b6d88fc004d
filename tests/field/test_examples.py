"""The examples that need other people's software."""

from __future__ import annotations

from tests.processes.examples import ExampleCase


class ExampleTests(ExampleCase):
    """As printed."""

    async def test_scrapy(self) -> None:
        await self.plays("scrapy_spider.py")

    async def test_aiohttp(self) -> None:
        await self.plays("asyncio_aiohttp.py")
