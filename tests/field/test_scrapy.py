"""Scrapy over pools: its spider in C{examples}, and what its spiders are told where nobody serves."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.field.harness import FieldTests
from tests.field.rows import row
from tests.names.loopback import free_port
from tests.processes.harness import Process

SPIDER = """
import sys
import scrapy
from scrapy.crawler import CrawlerProcess

class Spider(scrapy.Spider):
    name = "field"

    async def start(self):
        for url in sys.argv[2:]:
            yield scrapy.Request(url, errback=self.failed, dont_filter=True)

    def parse(self, response):
        print(response.text.strip(), response.url, flush=True)

    def failed(self, failure):
        print(type(failure.value).__name__, failure.value, flush=True)
        print(self.crawler.stats.get_value("retry/count"), "retried", flush=True)

process = CrawlerProcess({
    "DOWNLOAD_HANDLERS": {"http": "rserpool.web.scrapy.PoolDownloadHandler"},
    "RSERPOOL_POOLS": ["field", "nobody"], "RSERPOOL_REGISTRARS": [sys.argv[1]], "RSERPOOL_PROFILE": "fast",
    "LOG_LEVEL": "ERROR", "TELNETCONSOLE_ENABLED": False, "DOWNLOAD_DELAY": 0, "DOWNLOAD_TIMEOUT": 10,
})
process.crawl(Spider)
process.start()
"""


class ScrapyTests(FieldTests):
    """Real spiders."""

    def spider(self, *urls: str, registrar: str = "") -> Process:
        return self.spawn("-c", SPIDER, registrar or self.reg.text, *urls)

    @row("Twisted web", "`rserpool-pe -- web`", "Scrapy with `PoolDownloadHandler`")
    async def test_scrapy(self) -> None:
        await self.begin()

        async def ask() -> str:
            spider = self.spider("http://field/")
            self.assertEqual(0, await spider.ended)
            self.assertIn(" http://field/\n", spider.output)
            return spider.output.split()[0]

        async def start(name: str) -> Process:
            return await self.wrapped("web", "--listen", "tcp:0:interface=127.0.0.1", "--path", self.page_of(name))

        await self.fail_over(start, ask)

    async def test_nobody(self) -> None:
        """No such pool, no registrar: an error with a sentence, that was tried again."""
        await self.begin()
        nowhere = f"127.0.0.1:{free_port()}"
        for registrar, said in (("", "nobody"), (nowhere, nowhere)):
            spider = self.spider("http://nobody/", registrar=registrar)
            self.assertEqual(0, await spider.ended)
            self.assertIn("ConnectionError", spider.output)
            self.assertIn(said, spider.output)
            self.assertIn("2 retried", spider.output)

    async def test_later(self) -> None:
        """A pool that appears while it is asked for; and another host beside it."""
        await self.begin()
        spider = self.spider("http://field/")
        await deferLater(reactor, 3.0)
        late = await self.wrapped("web", "--listen", "tcp:0:interface=127.0.0.1", "--path", self.page_of("late"))
        self.assertEqual(0, await spider.ended)
        self.assertEqual("late http://field/\n", spider.output)
        port = (await late.says(r"port (\d+)"))[1]
        spider = self.spider(f"http://127.0.0.1:{port}/")
        self.assertEqual(0, await spider.ended)
        self.assertEqual(f"late http://127.0.0.1:{port}/\n", spider.output)
