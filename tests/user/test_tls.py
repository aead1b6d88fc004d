"""TLS to elements: whose certificates are good, over TCP and SCTP, and after a failover."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import SSL4ServerEndpoint, clientFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.tls import TLSMemoryBIOFactory

from rserpool.core import ConfigurationError, NoElement
from rserpool.core.profiles import FAST
from rserpool.element import PoolServerEndpoint
from rserpool.sctp import SctpServerEndpoint
from rserpool.security.following import Secured
from rserpool.security.settings import Security
from rserpool.user import PoolClientEndpoint
from rserpool.user.shared import stop_shared_users
from tests.names.loopback import HOST, LoopbackCase
from tests.web.certificates import Authority

NAME = "shop.example"


class Tells(Protocol):
    """Sends its name, and waits."""

    def connectionMade(self) -> None:
        factory: Any = self.factory
        factory.open.append(self.transport)
        self.transport.write(factory.name)


class Telling(Factory):
    """Servers that tell their name."""

    noisy = False
    protocol = Tells

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.open: list[Any] = []


class Hears(Protocol):
    """Fires C{heard} with the first that comes, and C{lost} at the end."""

    def __init__(self) -> None:
        self.heard: Deferred[bytes] = Deferred()
        self.lost: Deferred[Any] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        if not self.heard.called:
            self.heard.callback(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.callback(None)


class TlsCase(LoopbackCase):
    """A pool whose elements show certificates."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority()
        self.user = self.new_user()
        self.user.startService()
        self.addCleanup(self.user.stopService)

    async def serves(self, inner: Any, factory: Any, stack: Any = None) -> Any:
        self._elements += 1
        endpoint = PoolServerEndpoint(
            reactor, inner, "pool", stack=stack or self.network.stack(HOST), registrars=[self.asap], profile=FAST,
            identifier=self._elements, grace=0,
        )  # fmt: skip
        port: Any = await endpoint.listen(factory)
        self.addCleanup(port.stopListening)
        await port.registered
        return port

    async def over_tcp(self, name: bytes, certificate: str = NAME, authority: Authority | None = None) -> Telling:
        telling = Telling(name)
        options = (authority or self.authority).server(certificate).options()
        await self.serves(SSL4ServerEndpoint(reactor, 0, options, interface=HOST), telling)
        return telling

    def endpoint(self, **given: Any) -> PoolClientEndpoint:
        options: dict[str, Any] = {"tls": NAME, "tls_ca": self.authority.pem, "attempt": 10} | given
        return PoolClientEndpoint(self.user, "pool", **options)

    async def asked(self, endpoint: Any) -> bytes:
        """What the element says to which this endpoint connects."""
        hears = await self.connected(endpoint)
        said = await hears.heard
        hears.transport.loseConnection()
        await hears.lost
        return said

    async def connected(self, endpoint: Any) -> Any:
        return await endpoint.connect(Factory.forProtocol(Hears))


class CheckTests(TlsCase):
    """Which elements are spoken with."""

    async def test_right_name(self) -> None:
        """The certificate is for the name that the configuration gives, whatever the address is."""
        await self.over_tcp(b"one")
        self.assertEqual(b"one", await self.asked(self.endpoint()))

    async def test_wrong_name(self) -> None:
        """The name of the pool, for example, is another; the element stays, and is not reported."""
        await self.over_tcp(b"one")
        with self.assertRaises(NoElement) as caught:
            await self.endpoint(tls="pool").connect(Factory.forProtocol(Hears))
        self.assertIn("its certificate is not one for pool", str(caught.exception))
        self.assertEqual(b"one", await self.asked(self.endpoint()))

    async def test_one_wrong(self) -> None:
        """An element whose certificate is another's, or a stranger's, or that speaks no TLS, is passed over."""
        await self.over_tcp(b"wrong", "wrong.example")
        await self.over_tcp(b"strange", NAME, Authority("a stranger"))
        await self.server(b"plain")
        await self.over_tcp(b"right")
        endpoint = self.endpoint(attempt=2)
        for _ in range(4):
            self.assertEqual(b"right", await self.asked(endpoint))

    async def test_checked_anew(self) -> None:
        """After a failover the next element is checked, too: a wrong one does not serve."""
        good = await self.over_tcp(b"good")
        endpoint = self.endpoint()
        hears = await self.connected(endpoint)
        self.assertEqual(b"good", await hears.heard)
        await self.over_tcp(b"wrong", "wrong.example")
        good.open[0].abortConnection()
        await hears.lost
        for _ in range(3):
            self.assertEqual(b"good", await self.asked(endpoint))

    async def test_over_sctp(self) -> None:
        """Elements that serve over SCTP are checked as others are."""
        for name, certificate in ((b"right", NAME), (b"wrong", "wrong.example")):
            stack = self.network.stack(HOST)
            inner = SctpServerEndpoint(reactor, 0, interface=HOST, stack=stack)
            options = self.authority.server(certificate).options()
            await self.serves(inner, TLSMemoryBIOFactory(options, False, Telling(name)), stack)
        endpoint = self.endpoint()
        for _ in range(3):
            self.assertEqual(b"right", await self.asked(endpoint))

    async def test_report(self) -> None:
        """The element of a connection is known, though TLS wraps it; and so is whether that is open."""
        await self.over_tcp(b"one")
        endpoint = self.endpoint()
        hears = await self.connected(endpoint)
        self.assertTrue(endpoint.connected)
        self.assertEqual(1, endpoint.element_of(hears).identifier)  # type: ignore[union-attr]
        hears.transport.loseConnection()
        await hears.lost
        self.assertFalse(endpoint.connected)


class AnchorTests(TlsCase):
    """Who is believed."""

    async def test_scope(self) -> None:
        """Where nothing is said, the anchors of what secures the user count, as they are now."""
        await self.over_tcp(b"one")
        self.user.secured = Secured(Security(server_ca=Authority("another").pem))
        endpoint = self.endpoint(tls_ca=None)
        with self.assertRaises(NoElement) as caught:
            await endpoint.connect(Factory.forProtocol(Hears))
        self.assertIn("certificate verify failed", str(caught.exception))
        self.user.secured.replace(Security(server_ca=self.authority.pem))
        self.assertEqual(b"one", await self.asked(endpoint))

    def test_mistakes(self) -> None:
        """What cannot be is said before anything is connected."""
        for options, said in (
            ({"tls": ""}, "is no name of a certificate"),
            ({"tls": "a..b"}, "is no name of a certificate"),
            ({"tls_ca": b"nothing"}, "there is no certificate (PEM) in the trust anchors"),
            ({"tls_ca": b"-----BEGIN CERTIFICATE-----\nx"}, "the trust anchors cannot be read"),
        ):
            with self.assertRaises(ConfigurationError) as caught:
                self.endpoint(**options)
            self.assertIn(said, str(caught.exception))


class StringTests(TlsCase):
    """C{rserpool:POOL:tls=NAME:tls-ca=FILE}."""

    async def test_connects(self) -> None:
        """It is all that a client needs."""
        await self.over_tcp(b"one")
        path = self.mktemp()
        with open(path, "wb") as file:  # noqa: ASYNC230
            file.write(self.authority.pem)
        self.addCleanup(stop_shared_users, reactor)
        where = f"registrar={self.where}:transport=tcp:profile=fast"
        self.assertEqual(
            b"one", await self.asked(clientFromString(reactor, f"rserpool:pool:tls={NAME}:tls-ca={path}:{where}"))
        )
        for wrong, said in (
            ("tls=", "which name do the certificates of elements bear?"),
            ("tls-ca=/nowhere:tls=a.example", "/nowhere: it cannot be read"),
            (f"tls-ca={path}", "tls-ca= goes with tls=NAME"),
        ):
            with self.assertRaises(ConfigurationError) as caught:
                clientFromString(reactor, f"rserpool:pool:{wrong}:{where}")
            self.assertIn(said, str(caught.exception))
