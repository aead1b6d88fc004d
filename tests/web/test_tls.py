"""https to pools: which certificates are good, and whose fault a handshake is."""

from __future__ import annotations

from functools import partial

from twisted.internet import reactor
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import deferLater

from rserpool.core import ConfigurationError, NoElement
from rserpool.security.following import Secured
from rserpool.security.settings import Security
from rserpool.web import PoolAgent, PoolConnections, PoolHosts
from tests.web.certificates import Authority
from tests.web.world import AgentCase


class TlsTests(AgentCase):
    """https."""

    def setUp(self) -> None:
        super().setUp()
        self.authority = Authority()
        self.tls = partial(optionsForClientTLS, trustRoot=self.authority.trusted)

    def agent_for(self, name: str | None) -> PoolAgent:
        return self.new_agent(PoolHosts(certificates={} if name is None else {"pool": name}), tls=self.tls)

    async def test_right_name(self) -> None:
        """The certificate bears the name that the configuration gives, which is not that of the pool."""
        await self.element(certificate=self.authority.server("shop.example"))
        self.assertEqual(1, await self.get("https://pool/", agent=self.agent_for("shop.example")))

    async def test_wrong_name(self) -> None:
        """Another name, that of the pool included, is refused; the element is not reported for that."""
        element = await self.element(certificate=self.authority.server("shop.example"))
        for name in ("pool", "other.example"):
            error = await self.fails(self.get("https://pool/", agent=self.agent_for(name)), NoElement)
            self.assertIn(f"its certificate is not one for {name}", str(error))
        self.assertEqual([], element.requests)
        self.assertEqual(1, await self.get("https://pool/", agent=self.agent_for("shop.example")))

    async def test_one_wrong(self) -> None:
        """An element with a wrong certificate is passed over, whatever the method."""
        await self.element(certificate=self.authority.server("wrong.example"))
        await self.element(certificate=self.authority.server("shop.example"))
        agent = self.agent_for("shop.example")
        for method in ("GET", "POST", "GET", "POST"):
            self.assertEqual(2, await self.get("https://pool/", agent=agent, method=method))
        self.assertEqual([0, 4], self.requests())

    async def test_stranger(self) -> None:
        """So is one that an unknown authority signed."""
        await self.element(certificate=Authority("a stranger").server("shop.example"))
        error = await self.fails(self.get("https://pool/", agent=self.agent_for("shop.example")), NoElement)
        self.assertIn("TLS for shop.example failed: certificate verify failed", str(error))

    async def test_no_name(self) -> None:
        """Without a name in the configuration there is no https."""
        await self.element(certificate=self.authority.server("pool"))
        error = await self.fails(self.get("https://pool/", agent=self.agent_for(None)), ConfigurationError)
        self.assertIn("PoolHosts", str(error))

    async def test_persistent(self) -> None:
        """Connections with TLS are used again, by requests that check the same name."""
        element = await self.element(certificate=self.authority.server("shop.example"))
        hosts = PoolHosts({"pool": "pool", "same": "pool"}, certificate="shop.example")
        agent = self.new_agent(hosts, tls=self.tls, connections=PoolConnections(reactor))
        for url in ("https://pool/", "https://same/", "https://pool/"):
            self.assertEqual(1, await self.get(url, agent=agent))
        self.assertEqual(1, len(element.connections))

    async def test_other_certificate(self) -> None:
        """A connection is lost just as a request comes, and the next one shows another certificate."""
        element = await self.element(certificate=self.authority.server("shop.example"))
        names = ["shop.example", "other.example", "other.example"]
        agent = self.new_agent(
            PoolHosts(certificate="a name"),
            tls=lambda name: self.tls(names.pop(0)),
            connections=PoolConnections(reactor),
        )
        self.assertEqual(1, await self.get("https://pool/", agent=agent))
        element.fault = "never"
        await self.fails(self.get("https://pool/", agent=agent), NoElement)

    async def test_bad_name(self) -> None:
        """A name that is none is a mistake in the configuration."""
        await self.element()
        error = await self.fails(self.get("https://pool/", agent=self.agent_for("a..b")), ConfigurationError)
        self.assertIn("a..b", str(error))

    async def test_closed(self) -> None:
        """An element that closes in the midst of the handshake failed."""
        element = await self.element()

        class Closing(Protocol):
            def dataReceived(self, data: bytes) -> None:
                self.transport.loseConnection()

        element.port._factory.buildProtocol = lambda address: Closing()
        error = await self.fails(
            self.get("https://pool/", agent=self.new_agent(PoolHosts(certificate="a.example"), timeout=0.2)), NoElement
        )
        self.assertIn("in the midst of the TLS handshake", str(error))

    async def test_removed(self) -> None:
        """Connections with TLS are dropped when their element leaves."""
        element = await self.element(certificate=self.authority.server("shop.example"))
        hosts = PoolHosts(certificate="shop.example")
        agent = self.new_agent(hosts, tls=self.tls, connections=PoolConnections(reactor))
        await self.get("https://pool/", agent=agent)
        element.port.element.leave("pool")
        while element.open:
            await deferLater(reactor, 0.01)

    async def test_silent(self) -> None:
        """A handshake that goes on for too long is one that failed."""
        element = await self.element()
        element.port._factory.buildProtocol = lambda address: Protocol()
        agent = self.new_agent(PoolHosts(certificate="shop.example"), tls=self.tls, attempt=0.05, timeout=0.3)
        error = await self.fails(self.get("https://pool/", agent=agent), NoElement)
        self.assertIn("no answer within 0.0", str(error))

    async def test_scope(self) -> None:
        """Where nothing is said, who issues the certificates of the scope's registrars is believed."""
        await self.element(certificate=self.authority.server("shop.example"))
        agent = self.new_agent(PoolHosts(certificates={"pool": "shop.example"}))
        error = await self.fails(self.get("https://pool/", agent=agent), NoElement)
        self.assertIn("certificate verify failed", str(error))
        self.user.secured = Secured(Security(server_ca=self.authority.pem))
        self.assertEqual(1, await self.get("https://pool/", agent=agent))
