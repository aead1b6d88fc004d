"""C{rserpool.names}: C{getaddrinfo} and C{create_connection} from threads and processes without a reactor."""

from __future__ import annotations

import socket
import time

from twisted.internet.defer import gatherResults

from rserpool.core import TcpTransport, UdpTransport
from rserpool.names import (
    NamesUnavailable,
    NameUnknown,
    NoSuchAddress,
    NothingAccepts,
    Resolver,
    asking,
    create_connection,
    getaddrinfo,
)
from rserpool.names.blocking import resolver
from tests.loglines import LogLines
from tests.names.loopback import HOST, LoopbackCase, free_port

PROGRAM = """
import os, sys, threading
from rserpool.names import getaddrinfo
where = [sys.argv[1]]
first = getaddrinfo("pool", registrars=where)
found = []
threads = [threading.Thread(target=lambda: found.append(getaddrinfo("pool", registrars=where))) for _ in range(20)]
for thread in threads: thread.start()
for thread in threads: thread.join()
if os.fork() == 0:
    print(len(getaddrinfo("pool", registrars=where)), flush=True)
    os._exit(0)
os.wait()
print(len(found), {len(each) for each in found}, "twisted.internet.reactor" in sys.modules)
"""


class AddressTests(LoopbackCase):
    """C{getaddrinfo}."""

    async def test_tuples(self) -> None:
        """What it returns is what C{socket.getaddrinfo} returns; the order turns by the pool's policy."""
        ports = [free_port(), free_port()]
        for port in ports:
            await self.register(TcpTransport(port, HOST))
        first = await self.in_thread(getaddrinfo, "pool", 80, registrars=[self.where])
        second = await self.in_thread(getaddrinfo, b"pool", "http", registrars=[self.where])
        tuples = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (HOST, port)) for port in ports]
        self.assertEqual(sorted(tuples), sorted(first))
        self.assertEqual(first[::-1], second)
        # The dot hinders us from knowing by ourselves what localhost is.
        by_name = await self.in_thread(
            getaddrinfo, "pool", registrars=[f"nowhere.invalid:{free_port()}", self.where.replace(HOST, "localhost.")]
        )
        self.assertEqual(sorted(tuples), sorted(by_name))
        named = await self.in_thread(
            getaddrinfo, "pool", flags=socket.AI_CANONNAME, type=socket.SOCK_STREAM, registrars=[self.where]
        )
        self.assertEqual(["pool", ""], [info[3] for info in named])

    async def test_kinds(self) -> None:
        """Family, type and protocol choose among the elements."""
        await self.register(UdpTransport(5353, HOST), "udp")
        (info,) = await self.in_thread(getaddrinfo, "udp", registrars=[self.where])
        self.assertEqual((socket.SOCK_DGRAM, socket.IPPROTO_UDP, (HOST, 5353)), (info[1], info[2], info[4]))
        for wrong in ({"family": socket.AF_INET6}, {"type": socket.SOCK_STREAM}, {"proto": socket.IPPROTO_TCP}):
            with self.assertRaises(NoSuchAddress) as raised:
                await self.in_thread(getaddrinfo, "udp", registrars=[self.where], **wrong)
            self.assertEqual(
                "pool 'udp' has 1 element, and none with an address of the kind that was asked for",
                str(raised.exception),
            )
            self.assertIsInstance(raised.exception, socket.gaierror)

    async def test_errors(self) -> None:
        """No such pool, no registrar, impossible names: each a C{gaierror} with a sentence."""
        with self.assertRaises(NameUnknown) as unknown:
            await self.in_thread(getaddrinfo, "nothing", registrars=[self.where])
        self.assertEqual(socket.EAI_NONAME, unknown.exception.errno)
        self.assertRegex(str(unknown.exception), r"no pool is named 'nothing', says the registrar at 127\.0\.0\.1:\d+")
        nowhere = f"{HOST}:{free_port()}"
        began = time.monotonic()
        with self.assertRaises(NamesUnavailable) as raised:
            await self.in_thread(getaddrinfo, "pool", registrars=[nowhere], timeout=0.2)
        self.assertLess(time.monotonic() - began, 5.0)
        self.assertEqual(socket.EAI_AGAIN, raised.exception.errno)
        self.assertIn(nowhere, str(raised.exception))
        with self.assertRaises(socket.gaierror):
            await self.in_thread(getaddrinfo, "x" * 70000, registrars=[self.where])

    async def test_threads(self) -> None:
        """Many threads at once."""
        await self.dead()
        asked = [self.in_thread(getaddrinfo, "pool", registrars=[self.where]) for _ in range(50)]
        self.assertEqual({1}, {len(infos) for infos in await gatherResults(asked)})

    async def test_last_known(self) -> None:
        """A registrar that is lost: what was known last is good enough; another takes over when it comes."""
        await self.dead()
        mine = Resolver([self.where])
        await self.in_thread(mine.getaddrinfo, "pool")
        await self.registrar.stopService()
        self.assertEqual(1, len(await self.in_thread(mine.getaddrinfo, "pool")))

    async def test_idle(self) -> None:
        """Nobody asks: the thread ends, with its connection; the next question begins another."""
        self.patch(asking, "IDLE", 0.01)
        await self.dead()
        mine = Resolver([self.where])
        for _ in range(3):
            self.assertEqual(1, len(await self.in_thread(mine.getaddrinfo, "pool")))
            thread = mine.asker._thread
            if thread is not None:
                await self.in_thread(thread.join)
            self.assertIsNone(mine.asker._thread)

    async def test_program(self) -> None:
        """A program without a reactor, with threads, and with a fork."""
        await self.dead()
        self.assertEqual(["1", "20 {1} False"], await self.run_program(PROGRAM, "-W", "ignore"))

    def test_shared(self) -> None:
        """One resolver for the same registrars."""
        self.assertIs(resolver([self.where]), resolver([self.where]))
        self.assertIsNot(resolver([self.where]), resolver())


class ConnectionTests(LoopbackCase):
    """C{create_connection}."""

    def said(self, connection: socket.socket) -> bytes:
        with connection:
            return connection.recv(100)

    async def test_failover(self) -> None:
        """Elements that refuse are passed over and reported, so that they come last afterwards."""
        dead = await self.dead()
        await self.server(b"living")
        mine = Resolver([self.where])
        for _ in range(3):
            connection = await self.in_thread(mine.create_connection, "pool")
            self.assertEqual(b"living", await self.in_thread(self.said, connection))
        # It has not been removed, for its ASAP answers.
        infos = await self.in_thread(mine.getaddrinfo, "pool")
        self.assertEqual(dead, infos[-1][4][1])

    async def test_told_once(self) -> None:
        """A pool that cannot be used is a line in the log, however often it is tried."""
        said = LogLines(self)
        mine = Resolver([f"{HOST}:1"])
        for _ in range(3):
            with self.assertRaises(NamesUnavailable):
                await self.in_thread(mine.create_connection, "pool", 0.1)
        self.assertEqual(1, len([line for line in said.lines if line.startswith("pool pool cannot be used: no ")]))

    async def test_nobody_accepts(self) -> None:
        """It gives up at its deadline, and says what was tried; there must be something to try."""
        dead = await self.dead()
        with self.assertRaises(NothingAccepts) as raised:
            await self.in_thread(create_connection, "pool", 0.3, registrars=[self.where])
        self.assertIsInstance(raised.exception, ConnectionError)
        self.assertIn(f"0x00000001 at {HOST}:{dead}: ", str(raised.exception))
        with self.assertRaises(NameUnknown):
            await self.in_thread(create_connection, "nothing", registrars=[self.where])
        await self.register(UdpTransport(5353, HOST), "udp")
        with self.assertRaises(NoSuchAddress):
            await self.in_thread(create_connection, "udp", registrars=[self.where])

    async def test_report(self) -> None:
        """A program that connects by itself may say what failed."""
        dead = await self.dead()
        living = await self.server(b"living")
        mine = Resolver([self.where])
        await self.in_thread(mine.report, "pool", (HOST, dead))
        await self.in_thread(mine.report, "nothing", (HOST, dead))
        for _ in range(3):
            infos = await self.in_thread(mine.getaddrinfo, "pool")
            self.assertEqual([living.number, dead], [info[4][1] for info in infos])
