"""Endpoints over SCTP, and the strings that name them."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.error import CannotListenError, ConnectionDone, ConnectionRefusedError, NoProtocol
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data, File
from zope.interface import implementer
from zope.interface.verify import verifyObject

from rserpool.core import ConfigurationError, SctpUnavailable, TransportAddress
from rserpool.sctp import SctpClientEndpoint, SctpServerEndpoint, open_stack
from rserpool.sctp.one_to_one import protocols
from tests.sctp.one_to_one import Bytes, Messages, OneToOneCase, Serving


@implementer(IAgentEndpointFactory)
class _Fixed:
    """Lets an Agent use one endpoint, whatever the URI."""

    def __init__(self, endpoint: Any) -> None:
        self.endpoint = endpoint

    def endpointForURI(self, uri: Any) -> Any:
        return self.endpoint


class EndpointTests(OneToOneCase):
    """Over the stack in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.server = SctpServerEndpoint(self.clock, 3863, stack=self.here)
        self.client = SctpClientEndpoint(self.clock, self.peer, stack=self.there)

    def test_interfaces(self) -> None:
        """They are what Twisted asks of endpoints."""
        verifyObject(IStreamServerEndpoint, self.server)
        verifyObject(IStreamClientEndpoint, self.client)

    def test_messages(self) -> None:
        """Protocols that provide ISctpProtocol get messages; the Deferred gives the connected protocol."""
        serving, calling = Serving(), Serving()
        port = self.successResultOf(self.server.listen(serving))
        connecting = self.client.connect(calling)
        self.assertNoResult(connecting)
        self.run_for()
        protocol: Any = self.successResultOf(connecting)
        self.assertEqual((calling.built, 1), ([protocol], protocol.made))
        protocol.transport.send(b"whole", 7, 2)
        self.run_for()
        self.assertEqual([(b"whole", 7, 2, False)], serving.built[0].received)
        stopped = port.stopListening()
        self.run_for()
        self.successResultOf(stopped)
        self.assertEqual([ConnectionDone], protocol.lost)
        self.assertEqual((["started", "stopped"], ["started", "stopped"]), (serving.states, calling.states))

    def test_bytes(self) -> None:
        """Ordinary protocols get bytes."""
        serving, calling = Serving(Bytes), Serving(Bytes)
        self.successResultOf(self.server.listen(serving))
        connecting = self.client.connect(calling)
        self.run_for()
        protocol: Any = self.successResultOf(connecting)
        protocol.transport.write(b"hello")
        self.run_for()
        self.assertEqual([b"hello"], serving.built[0].received)

    def test_failures(self) -> None:
        """A connect fails with the reason, a listen with CannotListenError."""
        connecting = self.client.connect(Serving())
        self.run_for()
        self.failureResultOf(connecting, ConnectionRefusedError)
        self.successResultOf(self.server.listen(Serving()))
        self.failureResultOf(self.server.listen(Serving()), CannotListenError)
        elsewhere = SctpServerEndpoint(self.clock, 3864, "10.0.0.9", stack=self.here)
        self.failureResultOf(elsewhere.listen(Serving()), CannotListenError)
        closed = self.network.stack("10.0.0.3")
        self.network.crash(closed)
        nowhere = SctpClientEndpoint(self.clock, self.peer, stack=closed)
        self.failureResultOf(nowhere.connect(Serving()), CannotListenError)

    def test_no_protocol(self) -> None:
        """A factory that builds no protocol: NoProtocol."""
        self.successResultOf(self.server.listen(Serving()))
        calling = Serving()
        self.patch(calling, "buildProtocol", lambda address: None)
        connecting = self.client.connect(calling)
        self.run_for()
        self.failureResultOf(connecting, NoProtocol)

    def test_cancel(self) -> None:
        """A connect can be cancelled; nothing is left of it."""
        self.successResultOf(self.server.listen(Serving()))
        connecting = self.client.connect(Serving())
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.run_for()
        self.assertEqual({}, self.there.endpoints)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_no_sctp(self) -> None:
        """Without any SCTP on this machine, Deferreds say so."""

        def none(*_: object, **__: object) -> None:
            raise SctpUnavailable("install it")

        self.patch(protocols, "open_stack", none)
        self.failureResultOf(SctpServerEndpoint(self.clock, 1).listen(Serving()), SctpUnavailable)
        self.failureResultOf(SctpClientEndpoint(self.clock, self.peer).connect(Serving()), SctpUnavailable)


class StringTests(SynchronousTestCase):
    """What may be written, and what is said about the rest."""

    def server(self, text: str) -> dict[str, Any]:
        return vars(serverFromString(reactor, text))

    def client(self, text: str) -> tuple[TransportAddress, float]:
        endpoint: Any = clientFromString(reactor, text)
        return endpoint.peer, endpoint.timeout

    def test_server(self) -> None:
        """Port, interfaces and UDP port."""
        for text, port, hosts, udp in (
            ("sctp:3863", 3863, (), None),
            ("sctp:0:interface=127.0.0.1", 0, ("127.0.0.1",), None),
            (r"sctp:port=3863:interface=10.0.0.1,\:\:1:udp=9900", 3863, ("10.0.0.1", "::1"), 9900),
        ):
            with self.subTest(text=text):
                endpoint = self.server(text)
                self.assertEqual(
                    (port, ",".join(hosts), udp), (endpoint["port"], endpoint["interface"], endpoint["udp"])
                )

    def test_client(self) -> None:
        """Host, port, the peer's UDP port and a timeout."""
        for text, hosts, port, udp, timeout in (
            ("sctp:127.0.0.1:3863", ("127.0.0.1",), 3863, 0, 30.0),
            ("sctp:host=localhost:port=3863:udp=9900:timeout=2.5", ("127.0.0.1",), 3863, 9900, 2.5),
            (r"sctp:\:\:1:3863", ("::1",), 3863, 0, 30.0),
            (r"sctp:host=[\:\:1],10.0.0.1:port=1", ("::1", "10.0.0.1"), 1, 0, 30.0),
        ):
            with self.subTest(text=text):
                self.assertEqual((TransportAddress(hosts, port, udp), timeout), self.client(text))

    def test_wrong(self) -> None:
        """Each mistake has a sentence that names it."""
        for parse, text, said in (
            (self.server, "sctp:http", "port='http'"),
            (self.server, "sctp:70000", "port='70000'"),
            (self.server, "sctp:interface=127.0.0.1", "port=''"),
            (self.server, "sctp:1:backlog=5", "backlog"),
            (self.server, "sctp:1:interface=eth 0", "eth 0"),
            (self.server, "sctp:1:udp=x", "udp='x'"),
            (self.client, "sctp:host..example:1", "host..example"),
            (self.client, "sctp:127.0.0.1", "port=''"),
            (self.client, "sctp:127.0.0.1:1:timeout=soon", "timeout='soon'"),
            (self.client, "sctp:127.0.0.1:1:timeout=-1", "timeout='-1'"),
            (self.client, "sctp:127.0.0.1:1:bind=x", "bind"),
        ):
            with self.subTest(text=text):
                self.assertIn(said, str(self.assertRaises(ConfigurationError, parse, text)))


class HttpTests(TestCase):
    """Twisted's web server and client over SCTP over UDP on the loopback interface."""

    timeout = 20

    def setUp(self) -> None:
        try:
            # Whoever opens a stack later shares this UDP port, which nobody else had.
            self.stack = open_stack(reactor, encapsulation=0)
        except SctpUnavailable as error:
            raise SkipTest(str(error)) from None
        self.addCleanup(self.stack.close)

    async def get(self, host: str, resource: Any) -> tuple[int, bytes]:
        """Serve, and fetch it twice over one connection."""
        escaped = host.replace(":", r"\:")
        server = serverFromString(reactor, f"sctp:0:interface={escaped}:udp={self.stack.encapsulation_port}")
        root = Resource()
        root.putChild(b"", resource)
        port: Any = await server.listen(Site(root))
        address = port.getHost()
        self.assertEqual((host, self.stack.encapsulation_port), (address.host, address.encapsulation))
        client = clientFromString(reactor, f"sctp:host={escaped}:port={address.port}:udp={address.encapsulation}")
        pool = HTTPConnectionPool(reactor)
        agent = Agent.usingEndpointFactory(reactor, _Fixed(client), pool)
        for _ in range(2):
            response: Any = await agent.request(b"GET", b"http://sctp.example/")
            body = await readBody(response)
        await pool.closeCachedConnections()
        await port.stopListening()
        return response.code, body

    async def test_ipv4(self) -> None:
        """clientFromString and serverFromString over IPv4: a small page."""
        self.assertEqual((200, b"over SCTP"), await self.get("127.0.0.1", Data(b"over SCTP", "text/plain")))

    async def test_ipv6(self) -> None:
        """The same over IPv6."""
        self.assertEqual((200, b"over SCTP"), await self.get("::1", Data(b"over SCTP", "text/plain")))

    async def test_file(self) -> None:
        """A file of several megabytes, by a pull producer."""
        content = os.urandom(3_000_000)
        handle, path = tempfile.mkstemp()
        self.addCleanup(os.unlink, path)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        code, body = await self.get("127.0.0.1", File(path))
        # A difference of megabytes is not for printing.
        self.assertEqual((200, len(content), True), (code, len(body), content == body))

    async def test_messages(self) -> None:
        """A factory of message protocols over the same endpoints."""
        serving = Serving()
        server = serverFromString(reactor, f"sctp:0:interface=127.0.0.1:udp={self.stack.encapsulation_port}")
        port: Any = await server.listen(serving)
        address = port.getHost()
        client = SctpClientEndpoint(reactor, TransportAddress(("127.0.0.1",), address.port, address.encapsulation))
        protocol: Any = await client.connect(Factory.forProtocol(Messages))  # type: ignore[type-var]
        protocol.transport.send(b"whole", 7, 2)
        await port.stopListening()
        self.assertEqual([(b"whole", 7, 2, False)], serving.built[0].received)
        self.assertEqual([ConnectionDone], serving.built[0].lost)
