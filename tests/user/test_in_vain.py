"""A pool that nobody can use is told of once, whatever the way in: who connects again and again says nothing."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.protocol import Factory
from twisted.logger import Logger, LogLevel, formatEvent, globalLogPublisher

from rserpool.core.errors import NoRegistrar, UnknownPool
from rserpool.names import PoolNameError
from rserpool.names.hostnames import getaddrinfo
from rserpool.node.in_vain import MOST, PATIENCE, InVain
from rserpool.session import Session
from rserpool.user import PoolClientEndpoint
from rserpool.user.shared import SharedEndpoint, SharedPoolUser
from rserpool.web import PoolAgent
from tests.pool_scope import Taking
from tests.user.stage import EndpointCase


class InVainCase(EndpointCase):
    """What is critical."""

    def setUp(self) -> None:
        super().setUp()
        self.lines: list[str] = []
        self.infos: list[str] = []
        observer: Any = self._observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _observe(self, event: Any) -> None:
        if event["log_level"] is LogLevel.critical:
            self.lines.append(formatEvent(event))
        elif "can be used" in formatEvent(event):
            self.infos.append(formatEvent(event))

    def tries(self, endpoint: Any) -> ClientService:
        """Somebody connects again and again, and asks nobody why it fails."""
        service = ClientService(endpoint, Factory.forProtocol(Taking), clock=self.scope.clock)
        service.startService()
        self.addCleanup(lambda: self.scope.result(service.stopService()))
        return service


class ToldTests(InVainCase):
    """What is told, and how often."""

    def test_unknown(self) -> None:
        """A pool that is not there, for minutes; once more when it was there meanwhile."""
        endpoint = self.endpoint()
        self.tries(endpoint)
        self.scope.advance(300)
        self.assertEqual(len(self.lines), 1)
        self.assertRegex(self.lines[0], "^pool pool cannot be used: no pool is named 'pool', says the registrar at 10.")
        self.assertEqual(self.infos, [])
        self.scope.member(1)
        self.scope.advance(120)
        self.assertEqual((self.infos, len(self.lines)), (["pool pool can be used again"], 1))
        self.assertTrue(endpoint.connected)
        self.scope.kill(self.scope.members[1])
        self.scope.advance(300)
        self.assertEqual(len(self.lines), 2)

    def test_no_registrar(self) -> None:
        """Long before an attempt is over, and once; when there is a registrar, and no pool, that is told, too."""
        registrar = self.scope.registrars[0]
        self.scope.kill(registrar)
        self.tries(self.endpoint())
        self.scope.advance(PATIENCE - 0.1)
        self.assertEqual(self.lines, [])
        self.scope.advance(0.2)
        self.assertRegex(self.lines[0], "^pool pool cannot be used: no registrar answers .tried: 10[.]")
        self.scope.advance(300)
        self.assertEqual(len(self.lines), 1)

    def test_asked(self) -> None:
        """Who asks for a pool itself, and does not wait for it, hears of it, and nobody else."""
        self.assertRaises(UnknownPool, self.scope.result, self.user.resolve("nobody"))
        self.assertEqual(self.lines, [])

    def test_cancelled(self) -> None:
        """Who does not want it any more is told nothing, and leaves nothing behind."""
        connecting = self.connect(self.endpoint())
        self.scope.advance(1)
        connecting.addErrback(lambda failure: None)
        connecting.cancel()
        self.scope.advance(60)
        self.assertEqual(self.lines, [])

    def test_many(self) -> None:
        """What is remembered is bounded."""
        vain = InVain(Logger())
        for number in range(MOST + 10):
            vain.failed(b"%d" % number, NoRegistrar("none"))
        vain.failed(b"%d" % (MOST + 9), NoRegistrar("none"))
        self.assertEqual(len(self.lines), MOST + 10)
        vain.failed(b"0", NoRegistrar("none"))
        self.assertEqual(len(self.lines), MOST + 11)


class WaysTests(InVainCase):
    """Every way in, over a pool user on a reactor."""

    def told(self, *ways: Any) -> None:
        """Each tells of the pool, once."""
        for number, way in enumerate(ways, 1):
            for _ in range(3):
                way()
                self.scope.advance(60)
            self.assertEqual(len(self.lines), number, way)
            self.user.in_vain.found(b"pool")

    def test_endpoint(self) -> None:
        self.told(lambda: self.assertRaises(UnknownPool, self.connected, PoolClientEndpoint(self.user, "pool")))

    def test_string(self) -> None:
        """The pool user that strings share."""
        process = self.scope.client
        user = SharedPoolUser(self.scope.clock, registrars=self.user.registrars, stack=process.stack)
        self.tries(SharedEndpoint(user, "pool"))
        self.scope.advance(300)
        self.assertEqual(len(self.lines), 1)

    def test_agent(self) -> None:
        """HTTP."""
        agent = PoolAgent(self.user)
        self.told(lambda: self.assertRaises(UnknownPool, self.scope.result, agent.request(b"GET", b"http://pool/")))
        self.scope.result(agent.close())

    def test_name(self) -> None:
        """A host's name."""
        self.told(lambda: self.assertRaises(PoolNameError, self.scope.result, getaddrinfo(self.user, "pool")))

    def test_session(self) -> None:
        """A session that begins."""

        def begin() -> None:
            session = Session(self.user, "pool", patience=10.0)
            self.scope.advance(60)
            del session

        self.told(begin)
