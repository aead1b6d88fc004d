"""Users over TCP that send no more, vanish, or are too many (RFC 5352 section 2.1)."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import ClientCreator, Protocol, connectionDone
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from rserpool.core import TransportAddress
from rserpool.node import tcp
from rserpool.node.listening import listen_tcp
from rserpool.node.tcp import connect_tcp
from tests.node.test_tcp import message
from tests.sctp.harness import Recorder, SctpHarness


class Caller(Protocol):
    """A user that speaks TCP as it likes."""

    transport: Any

    def __init__(self, noticed: Callable[[], None]) -> None:
        self.received = 0
        self.over = False
        self._noticed = noticed

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.over = True
        self._noticed()


class BoundsTests(SctpHarness, TestCase):
    """Over the loopback interface."""

    def listen(self, most_of_one: int = 100) -> tuple[int, Recorder]:
        recorder = self.recorder()
        port: Any = listen_tcp(reactor, "127.0.0.1", 0, recorder, most_of_one)
        self.addCleanup(port.stopListening)
        return port.getHost().port, recorder

    async def dial(self, port: int) -> Caller:
        caller: Caller = await ClientCreator(reactor, Caller, self._noticed).connectTCP("127.0.0.1", port)

        async def gone() -> None:
            if not caller.over:
                caller.transport.abortConnection()
                await self.until(lambda: caller.over)

        self.addCleanup(gone)
        return caller

    @staticmethod
    def answer(association: Any, data: bytes) -> None:
        for _ in range(200):
            association.send(message(60_000))

    async def test_half_closed(self) -> None:
        """Who asks and sends no more gets the whole answer, and then the end."""
        port, recorder = self.listen()
        recorder.on_message = self.answer
        caller = await self.dial(port)
        caller.transport.write(message(8))
        caller.transport.loseWriteConnection()
        await self.until(lambda: caller.over and bool(recorder.lost))
        self.assertEqual(caller.received, 200 * 60_000)
        self.assertEqual(recorder.reasons, [ConnectionDone])

    async def test_half_closed_and_deaf(self) -> None:
        """Who does not read its answers is let go."""
        self.patch(tcp, "HALF_CLOSED", 0.1)
        port, recorder = self.listen()
        recorder.on_message = self.answer
        caller = await self.dial(port)
        caller.transport.write(message(8))
        caller.transport.loseWriteConnection()
        caller.transport.pauseProducing()
        await self.until(lambda: bool(recorder.lost))

    async def test_vanished(self) -> None:
        """The system lets hosts that vanished go within a minute, whether anything waits for them or not."""
        port, recorder = self.listen()
        association = connect_tcp(reactor, TransportAddress(("127.0.0.1",), port, protocol="tcp"), self.recorder())
        await self.until(lambda: bool(recorder.up) and association.established)
        accepted: Any = recorder.up[0]
        for handle in (association.transport.getHandle(), accepted.transport.getHandle()):
            idle, interval, count, unread = (
                handle.getsockopt(socket.IPPROTO_TCP, option)
                for option in (
                    socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT,
                )
            )  # fmt: skip
            self.assertTrue(handle.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
            self.assertLessEqual(idle + interval * count, 60)
            self.assertTrue(0 < unread <= 60_000)
        association.abort()
        await self.until(lambda: bool(recorder.lost))

    async def test_so_many_of_one_machine(self) -> None:
        """Who has too many connections gets no more, which is said once; when one has ended there is room again."""
        observer = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        port, recorder = self.listen(most_of_one=3)
        kept = [await self.dial(port) for _ in range(3)]
        await self.until(lambda: len(recorder.up) == 3)
        for _ in range(5):
            refused = await self.dial(port)
            await self.until(lambda refused=refused: refused.over)  # type: ignore[misc]
        said = [event for event in observer if "no more are accepted" in event["log_format"]]
        self.assertEqual((len(said), len(recorder.up)), (1, 3))
        kept[0].transport.loseConnection()
        await self.until(lambda: bool(recorder.lost))
        await self.dial(port)
        await self.until(lambda: len(recorder.up) == 4)
