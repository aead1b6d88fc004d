r"""Scrapy over a pool: a spider crawls a site of thirty pages; a server is killed on the way, and no page is missing.

    $ python examples/scrapy_spider.py
    crawling http://documents/1
    (kill -9 one)
    30 pages of http://documents/, ... from one, ... from two
    it is finished

It needs Scrapy (pip install scrapy). In the settings of a project it is two lines: a download handler, and which hosts
are pools. What may be repeated goes to another server; what fails all the same Scrapy tries again: docs/ways-in.md.
"""

from __future__ import annotations

import stage

import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

PAGES = 30


def server(name: str) -> None:
    """One of the servers, a process of its own: each page has the name of its server, and the next page."""
    from twisted.internet import reactor
    from twisted.internet.endpoints import serverFromString
    from twisted.web.resource import Resource
    from twisted.web.server import Request, Site

    class Page(Resource):
        isLeaf = True

        def render_GET(self, request: Request) -> bytes:
            number = int(request.path[1:]) if request.path[1:].isdigit() else 0
            following = f'<a href="/{number + 1}">next</a>' if 0 < number < PAGES else ""
            return f"<html><p>{name}</p>{following}</html>".encode()

    endpoint = serverFromString(reactor, r"rserpool:documents:tcp\:0\:interface=127.0.0.1")
    stage.serve(endpoint.listen(Site(Page())))


def crawl(here: stage.Stage) -> None:
    """Crawl; meanwhile one server is killed."""
    import scrapy
    from scrapy.crawler import CrawlerProcess

    one = here.start("one")
    here.start("two")
    served: Counter[str] = Counter()

    class Spider(scrapy.Spider):  # type: ignore[misc,unused-ignore]
        name = "documents"

        async def start(self) -> AsyncIterator[Any]:
            print("crawling http://documents/1", flush=True)
            yield scrapy.Request("http://documents/1")

        def parse(self, response: Any) -> Iterator[Any]:
            served[response.css("p::text").get()] += 1
            if served.total() == PAGES // 3:
                one.kill()
                print("(kill -9 one)", flush=True)
            yield from response.follow_all(css="a")

        def closed(self, reason: str) -> None:
            who = ", ".join(f"{count} from {name}" for name, count in sorted(served.items()))
            print(f"{served.total()} pages of http://documents/, {who}", f"it is {reason}", sep="\n", flush=True)

    settings = {
        "DOWNLOAD_HANDLERS": {"http": "rserpool.web.scrapy.PoolDownloadHandler"},
        "RSERPOOL_POOLS": ["documents"],
        "DOWNLOAD_DELAY": 0,
        "LOG_LEVEL": "ERROR",
        "TELNETCONSOLE_ENABLED": False,
    }
    process = CrawlerProcess(settings)
    process.crawl(Spider)
    process.start()


if __name__ == "__main__":
    if sys.argv[1:]:
        server(sys.argv[1])
    else:
        with stage.Stage() as here:
            crawl(here)
