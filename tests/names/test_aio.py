"""C{rserpool.names.aio}: with any event loop of asyncio, and beside Twisted's asyncio reactor."""

from __future__ import annotations

import re

from tests.names.loopback import LoopbackCase

ALONE = """
import asyncio, sys
from rserpool.names.aio import Pools, getaddrinfo, open_connection

async def main(where):
    print(len(await getaddrinfo("pool", 80, registrars=[where])))
    for _ in range(3):
        reader, writer = await open_connection("pool", registrars=[where])
        print((await reader.read()).decode())
        writer.close()
    for what in (getaddrinfo("nothing", registrars=[where]), open_connection("dead", timeout=0.2, registrars=[where])):
        try:
            await what
        except OSError as error:
            print(type(error).__name__, str(error)[:40])

asyncio.run(main(sys.argv[1]))
print("twisted.internet.reactor" in sys.modules)
"""

BESIDE = """
import asyncio, sys
from twisted.internet import asyncioreactor
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
asyncioreactor.install(loop)
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import react
from rserpool.names.aio import Pools
from rserpool.node.candidates import registrars_from
from rserpool.user.service import PoolUserService

async def ask(user):
    pools = Pools(user)
    reader, writer = await pools.open_connection("pool")
    print((await reader.read()).decode())
    writer.close()
    try:
        await pools.getaddrinfo("nothing")
    except OSError as error:
        print(type(error).__name__)

async def main(reactor):
    user = PoolUserService(reactor, registrars_from([sys.argv[1]], "tcp"), transport="tcp")
    user.startService()
    await Deferred.fromFuture(asyncio.ensure_future(ask(user)))
    await user.stopService()

react(lambda reactor: ensureDeferred(main(reactor)))
"""


class AsyncioTests(LoopbackCase):
    """Programs of asyncio."""

    async def test_alone(self) -> None:
        """Without any reactor: streams with failover, addresses, errors."""
        await self.dead()
        await self.server(b"living")
        said = [re.sub(", says the .*", "", line) for line in await self.run_program(ALONE)]
        self.assertEqual(
            ["2", "living", "living", "living", "NameUnknown no pool is named 'nothing'",
             "NameUnknown no pool is named 'dead'", "False"],
            said,
        )  # fmt: skip

    async def test_beside_twisted(self) -> None:
        """In the event loop of Twisted's asyncio reactor, with its pool user."""
        await self.dead()
        await self.server(b"living")
        self.assertEqual(["living", "NameUnknown"], await self.run_program(BESIDE))
