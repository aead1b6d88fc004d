"""TLS to elements for programs without Twisted: C{ssl} and C{server_hostname}, for threads and asyncio."""

from __future__ import annotations

import ssl
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.protocol import Factory

from rserpool.core import TcpTransport
from rserpool.names import NothingAccepts, create_connection
from tests.names.loopback import HOST, LoopbackCase, Says
from tests.web.certificates import Authority

NAME = "shop.example"

ASYNCIO = """
import asyncio, ssl, sys
from rserpool.names.aio import open_connection

async def main(where, authority):
    context = ssl.create_default_context(cafile=authority)
    for name in ("shop.example", "shop.example", "other.example", None):
        try:
            reader, writer = await open_connection(
                "pool", registrars=[where], timeout=1.0, ssl=context, server_hostname=name
            )
            print((await reader.read()).decode())
            writer.close()
        except (OSError, ValueError) as error:
            print(type(error).__name__, "certificate is not good" in str(error))

asyncio.run(main(sys.argv[1], {authority!r}))
"""


class TlsTests(LoopbackCase):
    """Elements that show certificates: the first is for another name."""

    async def elements(self) -> None:
        self.authority = Authority()
        await self.tls_server(b"wrong", "wrong.example")
        await self.tls_server(b"right", NAME)

    async def tls_server(self, name: bytes, certificate: str) -> None:
        factory: Any = Factory.forProtocol(Says)
        factory.name, factory.asked = name, 0
        endpoint = SSL4ServerEndpoint(reactor, 0, self.authority.server(certificate).options(), interface=HOST)
        port = await endpoint.listen(factory)
        self.addCleanup(port.stopListening)
        await self.register(TcpTransport(port.getHost().port, HOST))

    def asked(self, name: str) -> bytes:
        context = ssl.create_default_context(cadata=self.authority.pem.decode())
        with create_connection("pool", 1.0, registrars=[self.where], ssl=context, server_hostname=name) as connection:
            return connection.recv(100)

    async def test_threads(self) -> None:
        """Whoever shows the wrong certificate is passed over, and named if nobody is right."""
        await self.elements()
        for _ in range(3):
            self.assertEqual(b"right", await self.in_thread(self.asked, NAME))
        with self.assertRaises(NothingAccepts) as caught:
            await self.in_thread(self.asked, "other.example")
        self.assertIn("its certificate is not good: Hostname mismatch", str(caught.exception))
        # Nobody was reported for that.
        self.assertEqual([0, 0], [len(each.reporters or ()) for each in self.watches()])
        with self.assertRaises(ValueError):
            create_connection("pool", ssl=ssl.create_default_context())

    async def test_asyncio(self) -> None:
        """The same with C{open_connection}."""
        await self.elements()
        path = self.mktemp()
        with open(path, "wb") as file:  # noqa: ASYNC230
            file.write(self.authority.pem)
        self.assertEqual(
            ["right", "right", "NothingAccepts True", "ValueError False"],
            await self.run_program(ASYNCIO.replace("{authority!r}", repr(path))),
        )

    def watches(self) -> list[Any]:
        """What supervision knows of the elements."""
        handlespace = self.registrar.registrar.handlespace
        return [handlespace.find(b"pool", number).watch for number in (1, 2)]
