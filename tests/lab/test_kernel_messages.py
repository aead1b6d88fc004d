"""What is read of the kernel's SCTP, compiled and in Python, is the same; and what was read is handed over in order."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from rserpool.core.profiles import DEFAULT
from rserpool.sctp import open_stack
from rserpool.sctp.compiled import MESSAGES, PURE
from rserpool.sctp.kernel import options
from rserpool.sctp.kernel.messages import AT_ONCE, ROOM, Came, Receive
from rserpool.sctp.kernel.notifications import NUMBERS
from rserpool.sctp.notifications import AssociationChange, Change, PeerShutdown
from rserpool.sctp.sockets import SNDINFO
from tests.lab import LabTests
from tests.sctp.harness import SctpHarness
from tests.sctp.test_kernel_messages import both

PPID = 5001
ROOT = Path(__file__).parent.parent.parent


class Client:
    """A one-to-one socket with nothing of ours around it; what it has sent is at the other end when that returns."""

    def __init__(self, test: SynchronousTestCase, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, options.IPPROTO_SCTP)
        test.addCleanup(self.socket.close)
        options.configure(self.socket, DEFAULT)
        self.socket.connect(("127.0.0.1", port))

    def send(self, data: bytes, stream: int = 0, flags: int = 0) -> None:
        beside = SNDINFO.pack(stream, flags, socket.htonl(PPID), 0, 0)
        self.socket.sendmsg([data], [(options.IPPROTO_SCTP, options.CMSG_SNDINFO, beside)])


def nameless(came: Iterable[Came]) -> list[Came]:
    """With 1 for the kernel's number, whatever it is."""
    return [(int(number != 0), *rest) for number, *rest in came]  # type: ignore[misc]


class ReadTests(LabTests, SynchronousTestCase):
    """A one-to-many socket, as an endpoint has it."""

    def setUp(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_SEQPACKET, options.IPPROTO_SCTP)
        self.addCleanup(self.socket.close)
        self.socket.setblocking(False)
        options.configure(self.socket, DEFAULT)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(10)
        self.port = self.socket.getsockname()[1]

    def read(self, receive: Receive) -> list[Came]:
        """All that is there."""
        found: list[Came] = []
        more = True
        while more:
            came, more = receive(self.socket)
            self.assertLessEqual(len(came), AT_ONCE)
            self.assertTrue(len(came) == AT_ONCE or not more)
            found += came
        return found

    def test_messages(self) -> None:
        """Each with its PPID, stream and order, behind the notification that its association is up."""
        for name, receive in both().items():
            with self.subTest(name):
                client = Client(self, self.port)
                [(number, up, *_, whole, notification)] = self.read(receive)
                self.assertEqual((0, True, True), (number, whole, notification))
                told = NUMBERS.parse(up)
                assert isinstance(told, AssociationChange)
                self.assertIs(Change.COMM_UP, told.change)
                for number in range(2 * AT_ONCE):
                    client.send(b"%d" % number, number % 3, options.SCTP_UNORDERED if number == 7 else 0)
                found = self.read(receive)
                self.assertEqual(
                    [(1, b"%d" % n, PPID, n % 3, n == 7, True, False) for n in range(2 * AT_ONCE)], nameless(found)
                )
                self.assertEqual({told.association}, {each[0] for each in found})
                self.assertEqual(([], False), receive(self.socket))

    def test_in_pieces(self) -> None:
        """What is longer than there is room comes in pieces, the last of which ends it, and others after it."""
        data = bytes(range(251)) * (2 * ROOM // 251 + 1)
        for name, receive in both().items():
            with self.subTest(name):
                client = Client(self, self.port)
                self.read(receive)
                client.send(data, 2)
                client.send(b"after it", 2)
                *pieces, after = nameless(self.read(receive))
                self.assertEqual((1, b"after it", PPID, 2, False, True, False), after)
                self.assertEqual(data, b"".join(each[1] for each in pieces))
                self.assertTrue(len(pieces) > 2 and all(0 < len(each[1]) <= ROOM for each in pieces))
                about = [(1, PPID, 2, False, False, False)] * (len(pieces) - 1) + [(1, PPID, 2, False, True, False)]
                self.assertEqual(about, [(number, *rest) for number, _, *rest in pieces])

    def test_end(self) -> None:
        """Notifications of its end come behind the last message."""
        for name, receive in both().items():
            with self.subTest(name):
                client = Client(self, self.port)
                client.send(b"last")
                client.socket.shutdown(socket.SHUT_WR)
                _, last, *told = self.read(receive)
                self.assertEqual(b"last", last[1])
                self.assertTrue(all(each[6] for each in told))
                ends = [NUMBERS.parse(each[1]) for each in told]
                self.assertTrue(any(isinstance(each, PeerShutdown | AssociationChange) for each in ends), ends)


class InOrderTests(LabTests, SctpHarness, TestCase):
    """What a handler does while more was read than it was told of."""

    async def makeStack(self, *hosts: str) -> Any:
        return open_stack(reactor, backend="kernel", hosts=hosts)

    async def serve(self) -> tuple[Any, Any, list[Client]]:
        """An endpoint that has heard nothing yet of three clients, and of two messages of each."""
        stack, recorder = await self.makeStack(self.host), self.recorder()
        endpoint = stack.open(0, recorder)
        clients = [Client(self, endpoint.port) for _ in range(3)]
        for data in (b"first", b"second"):
            for client in clients:
                client.send(data)
        self.addCleanup(endpoint.abort)
        return endpoint, recorder, clients

    async def test_accept_no_more(self) -> None:
        """Who is up already is told of during that call, and what they have sent comes after it, in order."""
        endpoint, server, _ = await self.serve()
        known: list[int] = []

        def once(association: object) -> None:
            if len(server.up) == 1:
                endpoint.acceptNoMore()
                known.append(len(server.up))

        server.on_up = once
        await self.until(lambda: len(server.received) == 6)
        self.assertEqual([3], known)
        for sender in server.up:
            mine = [message[0] for message, by in zip(server.received, server.senders, strict=True) if by is sender]
            self.assertEqual([b"first", b"second"], mine)

    async def test_aborts(self) -> None:
        """Of an association that was aborted comes nothing more; of the others all."""
        _, server, _ = await self.serve()
        server.on_message = lambda association, data: server.up[0].abort() if len(server.received) == 1 else None
        await self.until(lambda: len(server.received) == 5 and bool(server.lost))
        self.assertEqual(1, server.senders.count(server.up[0]))

    async def test_closed_while_reading(self) -> None:
        """An endpoint that is aborted by its first message hears no other."""
        endpoint, server, _ = await self.serve()
        server.on_message = lambda association, data: endpoint.abort()
        await self.until(lambda: len(server.lost) == 3)
        self.assertEqual([b"first"], server.data)


class PureTests(LabTests, TestCase):
    """The backend's tests over the other way of reading."""

    timeout = 120

    async def test_in_python(self) -> None:
        """They pass with nothing compiled, too."""
        if MESSAGES.load() is None:
            raise SkipTest("nothing is compiled here, or it is not wanted: this is the one")
        modules = (f"tests.lab.test_kernel{name}" for name in ("", "_adopt", "_adopt_ports", "_hostile", "_messages"))
        environment = {**os.environ, "PYTHONPATH": str(ROOT), PURE: "1"}
        with tempfile.TemporaryDirectory() as place:
            trial = ["-m", "twisted.trial", f"--temp-directory={place}/trial", *modules]
            out, err, status = await getProcessOutputAndValue(sys.executable, trial, environment, place)
        self.assertEqual(0, status, (out + err).decode(errors="replace")[-3000:])
