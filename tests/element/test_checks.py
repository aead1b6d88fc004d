"""Whether somebody serves at what is registered."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.protocols.wire import Echo
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from rserpool.element.checks import AnotherProcess, Checking, accepts
from rserpool.element.system_ports import listens
from rserpool.testing import Scope
from tests.names.loopback import free_port


class CheckingTests(SynchronousTestCase):
    """A check that is asked again and again."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[float] = []
        self.changes: list[bool] = []
        self.answer = True
        self.takes = 0.0

    async def check(self) -> bool:
        self.asked.append(self.clock.seconds())
        if self.takes:
            waiting: Deferred[None] = Deferred()
            self.clock.callLater(self.takes, waiting.callback, None)
            await waiting
        return self.answer

    def checking(self) -> Checking:
        checking = Checking(self.clock, self.check, self.changes.append, every=1.0)
        checking.start()
        checking.start()
        return checking

    def pass_time(self, seconds: float) -> None:
        self.clock.pump([0.125] * round(seconds * 8))

    def test_changes(self) -> None:
        """Each change of the answer is told, once; it is asked every second."""
        checking = self.checking()
        self.assertEqual(([True], True), (self.changes, checking.answer))
        self.pass_time(3.0)
        self.assertEqual(4, len(self.asked))
        self.answer = False
        self.pass_time(2.0)
        self.answer = True
        self.pass_time(2.0)
        self.assertEqual([True, False, True], self.changes)

    def test_bounded(self) -> None:
        """A check that takes its time is asked less often, while the answer is good."""
        self.takes = 0.5
        self.checking()
        self.pass_time(60.0)
        self.assertEqual(2, len(self.asked))
        self.pass_time(60.0)
        self.assertEqual(3, len(self.asked))

    def test_stopped(self) -> None:
        """It is asked no more, and an answer that comes later is not told."""
        self.takes = 0.5
        checking = self.checking()
        checking.stop()
        self.pass_time(5.0)
        self.assertEqual(([0.0], []), (self.asked, self.changes))
        self.assertIsNone(checking.answer)

    def test_broken(self) -> None:
        """A check that fails is told in the log, and asked no more."""

        async def broken() -> bool:
            raise ValueError

        Checking(self.clock, broken).start()
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))
        self.assertEqual([], self.clock.getDelayedCalls())


class AnotherProcessTests(TestCase):
    """A port that is none of this reactor."""

    async def test_another_process(self) -> None:
        """What the system lists is not connected to."""
        if listens("tcp", 1, ("127.0.0.1",)) is None:
            raise SkipTest("this system does not say what listens")
        server = socket.socket()
        self.addCleanup(server.close)
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        check = AnotherProcess(reactor, "tcp", port, ("127.0.0.1",))
        self.assertFalse(await check())
        server.listen()
        server.setblocking(False)
        self.assertTrue(await check())
        with self.assertRaises(BlockingIOError):
            server.accept()
        self.assertTrue(await accepts(reactor, "127.0.0.1", port))
        self.assertFalse(await accepts(reactor, "127.0.0.1", free_port()))
        self.assertTrue(await AnotherProcess(reactor, "sctp", 1, ("127.0.0.1",))())


class DialledTests(SynchronousTestCase):
    """Where the system does not say."""

    def test_dialled(self) -> None:
        """Somebody is connected to."""
        scope = Scope()
        self.addCleanup(scope.stop)
        server, process = scope.element(), scope.element()
        check = AnotherProcess(process.reactor, "tcp", 80, (server.host,))

        def asked() -> Any:
            answer = Deferred.fromCoroutine(check())
            scope.advance(3.0)
            return self.successResultOf(answer)

        self.assertFalse(asked())
        server.reactor.listenTCP(80, Factory.forProtocol(Echo))
        self.assertTrue(asked())
