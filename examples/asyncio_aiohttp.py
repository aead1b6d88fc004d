r"""aiohttp over a pool, by a resolver of ten lines: a server is killed, and requests go on with the other.

    $ python examples/asyncio_aiohttp.py
    20 requests to http://documents/: 20 answered, 10 by one, 10 by two
    (kill -9 one)
    20 requests to http://documents/: 20 answered, 20 by two
    a request to http://nobody/: ClientConnectorDNSError, ...nobody...

It needs aiohttp (pip install aiohttp). aiohttp connects to the first server that accepts, in the order of the policy.
What that was given when it died is lost: aiohttp repeats nothing. The transport of asyncio_httpx.py does, and reports.
"""

from __future__ import annotations

import stage

import asyncio
import socket
import sys
from collections import Counter

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from rserpool.names.aio import Pools


class PoolResolver(AbstractResolver):  # type: ignore[misc,unused-ignore]
    """The servers of a pool as the addresses of a host."""

    def __init__(self, pools: Pools) -> None:
        self._pools = pools

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        found = await self._pools.getaddrinfo(host, type=socket.SOCK_STREAM, family=family)
        return [
            ResolveResult(hostname=host, host=where[0], port=where[1], family=each, proto=proto, flags=0)
            for each, _, proto, _, where in found
        ]

    async def close(self) -> None:
        """Nothing to do."""


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


async def get(session: aiohttp.ClientSession) -> str:
    """One request."""
    async with session.get("http://documents/") as response:
        answer: str = await response.text()
        return answer


async def ask(session: aiohttp.ClientSession) -> None:
    """Twenty requests at the same time, and who has answered them."""
    answers = await asyncio.gather(*(get(session) for _ in range(20)))
    by = ", ".join(f"{count} by {name}" for name, count in sorted(Counter(answers).items()))
    print(f"20 requests to http://documents/: {len(answers)} answered, {by}", flush=True)


async def main(here: stage.Stage) -> None:
    """Ask; meanwhile one server is killed."""
    one = here.start("one")
    here.start("two")
    # Each request has a connection of its own, so that the policy chooses for each.
    connector = aiohttp.TCPConnector(resolver=PoolResolver(Pools()), use_dns_cache=False, force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        await ask(session)
        one.kill()
        one.wait()
        print("(kill -9 one)", flush=True)
        await ask(session)
        try:
            await session.get("http://nobody/")
        except aiohttp.ClientConnectorError as error:
            print(f"a request to http://nobody/: {type(error).__name__}, {error}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        server(sys.argv[1])
    else:
        with stage.Stage() as here:
            asyncio.run(main(here))
