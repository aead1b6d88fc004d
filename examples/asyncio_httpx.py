r"""httpx over a pool, with asyncio: twenty requests at a time, and a server is killed while it answers them.

    $ python examples/asyncio_httpx.py
    20 requests to http://documents/: 20 answered, 10 by one, 10 by two
    (kill -9 one)
    20 requests to http://documents/: 20 answered, 20 by two

It needs httpx (pip install httpx). What is mounted at http://documents sends each request to the server that the policy
of the pool wants, here in turn, and to another one if that is lost: docs/ways-in.md.
"""

from __future__ import annotations

import stage

import asyncio
import sys
from collections import Counter

import httpx

from rserpool.names.httpx import AsyncPoolTransport


def server(name: str) -> None:
    """One of the servers, a process of its own."""
    from twisted.internet import reactor
    from twisted.internet.endpoints import serverFromString
    from twisted.web.server import Site
    from twisted.web.static import Data

    endpoint = serverFromString(reactor, r"rserpool:documents:tcp\:0\:interface=127.0.0.1")
    page = Data(name.encode(), "text/plain")
    page.isLeaf = True
    stage.serve(endpoint.listen(Site(page)))


async def ask(client: httpx.AsyncClient) -> None:
    """Twenty requests at the same time, and who has answered them."""
    url = "http://documents/"
    answers = await asyncio.gather(*(client.get(url, timeout=10) for _ in range(20)))
    by = Counter(answer.text for answer in answers)
    who = ", ".join(f"{count} by {name}" for name, count in sorted(by.items()))
    print(f"20 requests to {url}: {len(answers)} answered, {who}", flush=True)


async def main(here: stage.Stage) -> None:
    """Ask; meanwhile one server is killed."""
    one = here.start("one")
    here.start("two")
    async with httpx.AsyncClient(mounts={"http://documents": AsyncPoolTransport()}) as client:
        await ask(client)
        one.kill()
        print("(kill -9 one)", flush=True)
        await ask(client)


if __name__ == "__main__":
    if sys.argv[1:]:
        server(sys.argv[1])
    else:
        with stage.Stage() as here:
            asyncio.run(main(here))
