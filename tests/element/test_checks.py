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

from rserpool.element.checks import AnotherProcess, Checking, accepts, listens
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


class SystemTests(TestCase):
    """Sockets of this system, as any process may have them."""

    def setUp(self) -> None:
        if listens("tcp", 1, ("127.0.0.1",)) is None:
            raise SkipTest("this system does not say what listens")

    def bound(self, host: str, kind: int, family: int = socket.AF_INET) -> tuple[socket.socket, int]:
        bound = socket.socket(family, kind)
        self.addCleanup(bound.close)
        bound.bind((host, 0))
        return bound, bound.getsockname()[1]

    def test_tcp(self) -> None:
        """One that listens, at this address or at all; not one that is bound alone."""
        for host, elsewhere in (("127.0.0.1", False), ("0.0.0.0", True)):  # noqa: S104
            server, port = self.bound(host, socket.SOCK_STREAM)
            self.assertIs(False, listens("tcp", port, ("127.0.0.1",)))
            server.listen()
            self.assertIs(True, listens("tcp", port, ("127.0.0.1",)))
            self.assertIs(elsewhere, listens("tcp", port, ("10.1.2.3",)))
            self.assertIs(False, listens("udp", port, ("127.0.0.1",)))

    def test_tcp6(self) -> None:
        """Over IPv6; at all its addresses it is at all IPv4 addresses, too."""
        try:
            server, port = self.bound("::", socket.SOCK_STREAM, socket.AF_INET6)
            server.listen()
            mine, own = self.bound("::1", socket.SOCK_STREAM, socket.AF_INET6)
            mine.listen()
        except OSError:
            raise SkipTest("this host has no IPv6") from None
        for host in ("::1", "127.0.0.1", "2001:db8::1"):
            self.assertIs(True, listens("tcp", port, (host,)))
        self.assertIs(True, listens("tcp", own, ("::1",)))
        self.assertIs(False, listens("tcp", own, ("127.0.0.1", "2001:db8::1")))

    def test_udp(self) -> None:
        """One that is bound; not one that has a peer."""
        server, port = self.bound("127.0.0.1", socket.SOCK_DGRAM)
        self.assertIs(True, listens("udp", port, ("127.0.0.1",)))
        server.connect(("127.0.0.1", 9))
        self.assertIs(False, listens("udp", port, ("127.0.0.1",)))

    def test_unknown(self) -> None:
        """What no system knows."""
        self.assertIsNone(listens("sctp", 1, ("127.0.0.1",)))
        self.assertIsNone(listens("dccp", 1, ("127.0.0.1",)))

    async def test_another_process(self) -> None:
        """What the system lists is not connected to."""
        server, port = self.bound("127.0.0.1", socket.SOCK_STREAM)
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
