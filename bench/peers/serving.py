"""A server that is an element of the pool: it answers each line with its number.

A process of its own, started by the benchmarks: C{python -m bench.peers.serving --help}. It prints C{serves PORT}.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from bench.peers import common


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
    """Answer until nobody asks."""
    while await reader.readline():
        writer.write(b"%d\n" % number)


async def with_libraries(options: Any) -> None:
    """Registered by aetcd or kazoo."""
    server = await asyncio.start_server(lambda *two: answer(*two, options.number), options.host, 0)
    port: int = server.sockets[0].getsockname()[1]
    element = (options.number, (options.host, port))
    if options.client == "kazoo":
        from bench.peers.zookeeper_client import Kazoo

        client = Kazoo(common.places(options.at), options.ttl)
        client.open()
        client.keep(element)
    else:
        from bench.peers.etcd_clients import Aetcd

        etcd = Aetcd(common.places(options.at), options.ttl, options.tuned)
        await etcd.open()
        keeping = asyncio.ensure_future(etcd.keep(element))
        while options.number not in await etcd.resolve():
            await asyncio.sleep(0.02)
    print("serves", port, flush=True)
    await server.serve_forever()
    keeping.cancel()


async def with_ours(reactor: Any, options: Any) -> None:
    """A C{PoolServerEndpoint}."""
    from twisted.internet.defer import Deferred
    from twisted.internet.endpoints import TCP4ServerEndpoint
    from twisted.internet.protocol import Factory
    from twisted.protocols.basic import LineOnlyReceiver

    from rserpool.core import parse_transport_address, profile
    from rserpool.element import PoolServerEndpoint

    class Answers(LineOnlyReceiver):
        delimiter = b"\n"

        def lineReceived(self, line: bytes) -> None:
            self.sendLine(b"%d" % options.number)

    endpoint = PoolServerEndpoint(
        reactor,
        TCP4ServerEndpoint(reactor, 0, interface=options.host),
        common.POOL,
        policy="random",
        identifier=options.number,
        hosts=(options.host,),
        registrars=[parse_transport_address(each) for each in options.at],
        profile=profile(options.profile),
    )
    port: Any = await endpoint.listen(Factory.forProtocol(Answers))
    await port.registered
    print("serves", port.getHost().port, flush=True)
    await Deferred()


def main() -> None:
    """Serve until ended."""
    parser = common.parser("A server in the pool.")
    parser.add_argument("--number", type=int, default=1)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if options.client == "rserpool":
        from twisted.internet.defer import Deferred
        from twisted.internet.task import react

        react(lambda reactor: Deferred.fromCoroutine(with_ours(reactor, options)))
    else:
        asyncio.run(with_libraries(options))


if __name__ == "__main__":
    main()
