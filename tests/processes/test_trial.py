"""Other people's trial tests that use pools by strings, and stop nothing: the reactor is theirs again at once."""

from __future__ import annotations

from pathlib import Path

from tests.processes.harness import Process, ProcessTests, Registrar, all_of

SERVER = """
import sys
from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.protocols.wire import Echo
serverFromString(reactor, sys.argv[1]).listen(Factory.forProtocol(Echo))
reactor.run()
"""
TRIAL = "from twisted.scripts.trial import run; run()"
THEIRS = '''
"""Tests as somebody writes them who knows the docs on strings alone."""

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import TestCase


class Asking(Protocol):
    def __init__(self):
        self.heard, self.lost = Deferred(), Deferred()

    def connectionMade(self):
        self.transport.write(b"hello")

    def dataReceived(self, data):
        self.heard.callback(data)

    def connectionLost(self, reason):
        self.lost.callback(None)


class EchoTests(TestCase):
    timeout = 20

    async def ask(self, string):
        asking = await connectProtocol(clientFromString(reactor, string), Asking())
        self.assertEqual(b"hello", await asking.heard)
        asking.transport.loseConnection()
        await asking.lost

    async def test_connects(self):
        await connectProtocol(clientFromString(reactor, STRING), Asking()).addCallback(self.hang_up)

    def hang_up(self, asking):
        asking.transport.loseConnection()
        return asking.lost

    async def test_once(self):
        await self.ask(STRING)

    async def test_twice(self):
        await self.ask(STRING)
        await self.ask(STRING)

    async def test_unknown(self):
        await self.assertFailure(clientFromString(reactor, UNKNOWN).connect(None), Exception)


class LaterTests(EchoTests):
    """All of it again, in another class."""
'''


class TrialTests(ProcessTests):
    """Trial says what is left in the reactor: timers after each test, sockets after each class."""

    def trial(self, registrar: Registrar, string: str) -> Process:
        """Run their tests with this string."""
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        unknown = string.replace("echo", "nobody") + ":timeout=0.2"
        (folder / "test_theirs.py").write_text(f"STRING, UNKNOWN = {string!r}, {unknown!r}\n{THEIRS}")
        return self.spawn("-c", TRIAL, "test_theirs", path=str(folder), RSERPOOL_REGISTRARS=registrar.text)

    async def test_clean(self) -> None:
        """Nothing is left, over whatever transports, and the second test does not hang."""
        registrar = await self.registrar()
        where = {"RSERPOOL_REGISTRARS": registrar.text}
        watched = [self.watch(self.user(registrar), pool) for pool in (b"echo-tcp", b"echo-sctp")]
        for kind in ("tcp", "sctp"):
            self.spawn("-c", SERVER, rf"rserpool:echo-{kind}:{kind}\:0\:interface=127.0.0.1", **where)
        await all_of(*(pool.until(lambda elements: len(elements) == 1) for pool in watched))
        strings = [
            f"rserpool:echo-{kind}{more}"
            for kind, more in (
                ("tcp", ":transport=tcp"),
                ("tcp", ""),
                ("sctp", ""),
                ("sctp", ":transport=tcp:drop=yes"),
                ("tcp", ":drop=yes"),
            )
        ]
        trials = [self.trial(registrar, string) for string in strings]
        for trial in trials:
            self.assertEqual(0, await trial.ended, trial.text)
            self.assertIn("PASSED (successes=8)", trial.text)
