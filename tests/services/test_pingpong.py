"""Pingpong over sessions in memory: the counter goes on from element to element, whatever dies under it."""

from __future__ import annotations

import functools
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import SessionEnded, TransportAddress
from rserpool.core.wire.asap import Cookie, CookieEcho, decode, encode
from rserpool.sctp.base import PPID_ASAP
from rserpool.services import Classic, Echoing, Pinging, PingPongFactory, Tally
from rserpool.services.clients import Asking, FailedOver, Lost, News, Returned
from rserpool.services.messages import Ping, Pong, encode_cookie
from rserpool.testing import ElementProcess, Scope
from tests.services.test_classic import Messages


class Case(SynchronousTestCase):
    """A scope with several elements of one service, and a client that counts."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.user = self.scope.user()
        self.news: list[News] = []
        self.transports: list[Any] = []

    def serve(self, service: str, count: int = 3, protocol: str = "sctp", **options: Any) -> None:
        """Elements."""

        def setup(element: ElementProcess) -> None:
            factory = PingPongFactory(**options) if service == "pingpong" else Classic(service, element.reactor)
            self.transports.append(element.serve("pool", factory, protocol=protocol))

        for _ in range(count):
            self.scope.element(setup=setup)
        self.scope.settle()

    def ask(self, kind: type[Asking], **options: Any) -> tuple[Asking, Deferred[Tally]]:
        """Start a client."""
        asking = kind(self.user.service, "pool", tell=self.news.append, **options)
        return asking, ensureDeferred(asking.run())

    def serving(self, asking: Asking) -> ElementProcess:
        """Who serves."""
        element = asking.session.element
        assert element is not None
        return next(
            each for each in self.scope.elements if each.alive and each.identifier("pool") == element.identifier
        )

    def kill_again_and_again(self, asking: Asking, times: int, between: int = 3) -> None:
        """Kill whoever serves, when it has answered a few times; another process takes its place."""
        for _ in range(times):
            answered = asking.tally.answered
            self.scope.until(lambda answered=answered: asking.tally.answered >= answered + between)  # type: ignore[misc]
            victim = self.serving(asking)
            self.scope.kill(victim)
            self.scope.advance(0.5)
            victim.start()


class PingPongTests(Case):
    """Pings and pongs."""

    def count(self, protocol: str) -> None:
        """Twenty kills: nothing is lost, nothing doubled, and the counter counts on."""
        self.serve("pingpong", protocol=protocol)
        pinging, done = self.ask(Pinging, interval=0.02, count=1500, size=20)
        self.scope.until(lambda: pinging.tally.answered > 2)
        self.kill_again_and_again(pinging, 20)
        tally = self.scope.result(done)
        self.assertEqual((1500, 1500, 20), (tally.sent, tally.answered, tally.failovers))
        self.assertEqual((0, 0, 0, 0), (tally.lost, tally.doubled, tally.skipped, tally.repeated))
        self.assertEqual(1500, max(news.reply or 0 for news in self.news if isinstance(news, Returned)))
        self.assertEqual(20, len([news for news in self.news if isinstance(news, FailedOver)]))
        self.assertEqual(20, len(tally.gaps))
        self.assertTrue(tally.clean)

    def test_sctp(self) -> None:
        """Over SCTP, where the control channel is PPID 11."""
        self.count("sctp")

    def test_tcp(self) -> None:
        """Over TCP, where it is framed."""
        self.count("tcp")

    def test_fail_after(self) -> None:
        """Elements that close each session after five answers: the counter counts on."""
        self.serve("pingpong", fail_after=5)
        _, done = self.ask(Pinging, interval=0.1, count=30)
        tally = self.scope.result(done)
        self.assertEqual((30, True), (tally.answered, tally.clean))
        self.assertGreaterEqual(tally.failovers, 5)

    def test_nobody_left(self) -> None:
        """All are dead: pings are given up, then the session."""
        self.serve("pingpong", count=1)
        pinging, done = self.ask(Pinging, interval=0.5, patience=5.0)
        self.scope.until(lambda: pinging.tally.answered > 2)
        self.scope.kill(*self.scope.elements)
        with self.assertRaises(SessionEnded):
            self.scope.result(done)
        self.assertTrue(pinging.tally.lost or pinging.tally.waiting)

    def test_interrupted(self) -> None:
        """A ping that waits at the end is neither answered nor lost."""
        self.serve("pingpong", count=1)
        pinging, done = self.ask(Pinging, interval=0.5)
        self.scope.until(lambda: pinging.tally.answered > 2)
        self.scope.silence(self.scope.elements[0])
        self.scope.until(lambda: pinging.tally.waiting)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.scope.advance(60.0)
        self.assertEqual((0, 1), (pinging.tally.lost, len(pinging.tally.waiting)))

    def test_garbage(self) -> None:
        """What is no ping ends the connection, and so does a cookie that is none of pingpong's."""
        self.serve("pingpong", count=1)
        for frames in (((b"no ping", 33),), ((encode(CookieEcho(b"forged")), PPID_ASAP), (Ping(1).encode(), 33))):
            client: Any = self.scope.result(self.client())
            for data, ppid in frames:
                client.transport.send(data, ppid)
            self.scope.until(functools.partial(getattr, client, "lost"))
            self.assertEqual([], [ppid for _, ppid, _ in client.received if ppid == 33])

    def test_any_counter(self) -> None:
        """A cookie as rsplib's elements send it sets the counter."""
        self.serve("pingpong", count=1)
        client: Any = self.scope.result(self.client())
        client.transport.send(encode(CookieEcho(encode_cookie(1000))), PPID_ASAP)
        client.transport.send(Ping(7, b"data").encode(), 33)
        self.scope.until(lambda: any(ppid == 33 for _, ppid, _ in client.received))
        self.assertEqual(Pong(7, 1000, b"data"), Pong.decode(client.received[-1][0]))
        cookies = [decode(data).message for data, ppid, _ in client.received if ppid == PPID_ASAP]
        self.assertIn(encode_cookie(1001), [each.cookie for each in cookies if isinstance(each, Cookie)])

    def client(self) -> Deferred[Any]:
        """A bare association with the element."""
        (element,) = self.scope.elements
        address = TransportAddress((element.host,), self.transports[0].port, element.stack.encapsulation_port)
        return self.user.service.sctp_endpoint(address).connect(Factory.forProtocol(Messages))  # type: ignore[type-var]


class EchoTests(Case):
    """Echo, which knows no cookies."""

    def count(self, protocol: str) -> None:
        """Ten kills; every line comes back."""
        self.serve("echo", protocol=protocol)
        echoing, done = self.ask(Echoing, interval=0.05, count=400, size=100)
        self.scope.until(lambda: echoing.tally.answered > 2)
        self.kill_again_and_again(echoing, 10)
        tally = self.scope.result(done)
        self.assertEqual((400, 400, 0, 10), (tally.sent, tally.answered, tally.lost, tally.failovers))

    def test_sctp(self) -> None:
        """Over SCTP."""
        self.count("sctp")

    def test_tcp(self) -> None:
        """Over TCP."""
        self.count("tcp")

    def test_discard(self) -> None:
        """A service that answers nothing: every line is lost."""
        self.serve("discard")
        _, done = self.ask(Echoing, interval=0.1, count=3, patience=2.0)
        tally = self.scope.result(done)
        self.assertEqual((3, 0, 3), (tally.sent, tally.answered, tally.lost))
        self.assertEqual(3, len([news for news in self.news if isinstance(news, Lost)]))
