"""Checks: what they say, and what follows."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.process import ProcessReader
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from rserpool.core import ConfigurationError
from rserpool.element.health import Checks, Health, Unwell, _within
from rserpool.element.health_checks import parse_check

HOST = "127.0.0.1"


class HealthTests(SynchronousTestCase):
    """When it is well, and when it is not."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.answers: list[Any] = []
        self.asked = 0

    def check(self, *_: Any) -> Any:
        async def ask() -> None:
            self.asked += 1
            answer = self.answers.pop(0) if self.answers else None
            if isinstance(answer, Deferred):
                await answer
            elif answer is not None:
                raise Unwell(answer)

        return ask

    def health(self, *answers: Any, fall: int = 2, rise: int = 1) -> Health:
        self.answers = list(answers)
        health = Health(self.clock, Checks((self.check,), 1.0, 0.5, fall, rise), HOST, 80, "it")
        self.addCleanup(health.stop)
        health.start()
        return health

    def row(self, health: Health, number: int) -> list[bool | None]:
        """What it says, one question after the other."""
        found = []
        for _ in range(number):
            found.append(health.well)
            self.clock.advance(1.0)
        return found

    def test_fall_and_rise(self) -> None:
        """One failure is none; two in a row are, and a success brings it back."""
        health = self.health(None, "a", None, "b", "c", "d", None)
        self.assertEqual(self.row(health, 7), [True, True, True, True, False, False, True])

    def test_slow_rise(self) -> None:
        health = self.health("a", None, None, "b", None, "c", None, None, fall=1, rise=2)
        self.assertEqual(self.row(health, 8), [None, None, True, False, False, False, False, True])

    def test_never_well(self) -> None:
        """As long as it was never well nothing is known but why not."""
        health = self.health("a", "b", "c", "d")
        self.assertEqual((self.row(health, 3), health.why), ([None] * 3, "d"))

    def test_late(self) -> None:
        """A question that is not answered in time has failed, and the next one is asked."""
        never: Deferred[None] = Deferred()
        health = self.health(None, never, "b")
        self.clock.advance(1.0)
        self.clock.advance(0.5)
        self.clock.advance(1.0)
        self.assertEqual((health.well, health.why, self.asked), (False, "b", 3))
        self.assertTrue(never.called)

    def test_stop(self) -> None:
        health = self.health(Deferred())
        health.stop()
        self.clock.advance(10.0)
        self.assertEqual((self.asked, self.clock.getDelayedCalls()), (1, []))

    def test_wrong(self) -> None:
        """A sentence for who wrote it."""
        for text, says in (
            ("ping", "there is no check 'ping'; there are tcp, http, exec"),
            ("tcp:80", "nothing behind it"),
            ("http:health", "http:/health"),
            ("http:/a b\n", "has a path behind it"),
            ("exec:", "has a command"),
            ("exec:'", "exec"),
            ("exec:no-such-command x", "there is no command no-such-command"),
        ):
            self.assertIn(says, str(self.assertRaises(ConfigurationError, parse_check, text)))


class Answers(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> Any:
        if request.path == b"/never":
            return NOT_DONE_YET
        request.setResponseCode({b"/gone": 503, b"/moved": 302}.get(request.path, 200))
        return b"x" * 100_000


class AskTests(TestCase):
    """The checks, at real ports and with real commands."""

    timeout = 20

    def listen(self, factory: Any) -> int:
        network: Any = reactor
        port = network.listenTCP(0, factory, interface=HOST)
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    async def ask(self, text: str, port: int) -> str:
        """What a check says: empty if it passes."""
        try:
            await parse_check(text)(reactor, HOST, port)()
        except Unwell as error:
            return str(error)
        return ""

    async def test_tcp(self) -> None:
        closed: list[Deferred[None]] = [Deferred()]

        class Told(Protocol):
            def connectionLost(self, reason: Any = None) -> None:
                closed[0].callback(None)

        port = self.listen(Factory.forProtocol(Told))
        self.assertEqual(await self.ask("tcp", port), "")
        await closed[0]
        self.assertIn("refused", await self.ask("tcp", 1))

    async def test_http(self) -> None:
        site = Site(Answers())
        port = self.listen(site)
        for path, says in (("/", ""), ("/moved", ""), ("/gone", "HTTP status 503 at /gone")):
            self.assertEqual(await self.ask(f"http:{path}", port), says)
        self.assertIn("refused", await self.ask("http:/", 1))
        with self.assertRaisesRegex(Unwell, "no answer within 0.2 s"):
            await _within(reactor, parse_check("http:/never")(reactor, HOST, port), 0.2)

    async def test_exec(self) -> None:
        """A status, what it said, its environment, and its end when nobody waits any more."""
        for script, says in (
            ("exit 0", ""),
            ("echo no room >&2; exit 1", "status 1: no room"),
            ("kill -9 $$", "signal 9"),
            ("echo $RSERPOOL_HOST $RSERPOOL_PORT $HOME; exit 2", "status 2: 127.0.0.1 7"),
            ("test $(id -u) != 0", ""),
        ):
            self.assertEqual(await self.ask(f'exec:sh -c "{script}"', 7), says)
        running: Any = ensureDeferred(self.ask("exec:sleep 60", 7))
        running.addErrback(lambda failure: None)
        running.cancel()
        await running
        network: Any = reactor
        while any(isinstance(each, ProcessReader) for each in network.getReaders()):
            await deferLater(network, 0.01)
