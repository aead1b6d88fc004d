"""Dask's scheduler in a pool: addresses; real schedulers, workers and clients, and one is killed while they work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from importlib.util import find_spec

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from rserpool.core import ConfigurationError, PolicyParameter, PoolElementParameter, TcpTransport
from tests.field.harness import FieldTests
from tests.field.rows import row
from tests.names.loopback import free_port
from tests.processes.harness import Process

CLIENT = """
import sys, time
from distributed import Client
from distributed.security import Security

def square(n):
    time.sleep(0.1)
    return n * n

if __name__ == "__main__":
    words, security = sys.argv[2:], None
    if words:
        security = Security(
            tls_ca_file=words[0], tls_client_cert=words[0], tls_client_key=words[1], require_encryption=True
        )
    client, done = Client(sys.argv[1], security=security), 0
    while True:
        try:
            assert client.submit(square, done, pure=False).result() == done * done
        except Exception as error:
            print("lost", type(error).__name__, client.status, flush=True)
            time.sleep(0.1)
        else:
            done += 1
            print("done", done, "by", client.scheduler_info()["address"], flush=True)
"""
AT_ONCE = """
import asyncio, sys
from distributed import Client

def knows(client, dask_scheduler):
    return client in dask_scheduler.clients

async def main():
    async with Client(sys.argv[1], asynchronous=True) as client:
        print("connected to", client.scheduler_info()["address"], flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        many = int(sys.argv[2])
        found = await asyncio.gather(*(client.run_on_scheduler(knows, client.id) for _ in range(many)))
        print("known by", sum(found), "of", many, flush=True)

if __name__ == "__main__":
    asyncio.run(main())
"""
GREETING = """
import sys
from distributed import Client
try:
    Client(sys.argv[1], timeout=float(sys.argv[2]))
except OSError as error:
    print(type(error).__name__, error, flush=True)
    raise
"""


class AddressTests(SynchronousTestCase):
    """What people write behind C{rserpool://}."""

    def setUp(self) -> None:
        if find_spec("distributed") is None:
            raise SkipTest("Dask is not installed")

    def test_names(self) -> None:
        from rserpool.dask import PoolAddress, parse_pool

        self.assertEqual(PoolAddress(b"dask-scheduler"), parse_pool("dask-scheduler"))
        self.assertEqual(PoolAddress(b"My Pool?"), parse_pool("My%20Pool%3f/"))
        self.assertEqual(PoolAddress(b"\xff"), parse_pool("%ff"))

    def test_more(self) -> None:
        from rserpool.dask import PoolAddress, parse_pool

        text = "pool?registrar=192.0.2.1:3863&registrar=[2001:db8::1]:3863&profile=fast&security=/etc/scope"
        registrars = ("192.0.2.1:3863", "[2001:db8::1]:3863")
        self.assertEqual(PoolAddress(b"pool", registrars, "fast", "/etc/scope"), parse_pool(text))

    def test_wrong(self) -> None:
        from rserpool.dask import parse_pool

        for text, sentence in (
            ("", "which pool?"),
            ("?profile=fast", "which pool?"),
            ("pool?colour=red", "there is no colour; choose from registrar, profile, security"),
            ("pool?profile=fast&profile=rfc", "profile= may stand once"),
        ):
            self.assertIn(sentence, str(self.assertRaises(ConfigurationError, parse_pool, text)))

    def test_found_by_dask(self) -> None:
        """Dask knows the scheme by itself."""
        from distributed.comm.registry import get_backend

        self.assertEqual("PoolBackend", type(get_backend("rserpool")).__name__)

    def test_no_lookup(self) -> None:
        """Where the scheduler is may change: Dask keeps the address."""
        from distributed.comm import resolve_address

        self.assertEqual("rserpool://nobody", resolve_address("rserpool://nobody"))

    def test_gives_up_all(self) -> None:
        """A scheduler that does not accept any more has nothing open: whoever works with it has to know at once."""
        from distributed.comm import connect, listen

        from rserpool.dask import Place, parse_pool

        async def quiet(comm) -> None:
            with contextlib.suppress(OSError):
                await comm.read()

        async def play() -> None:
            place = Place(parse_pool("pool?registrar=127.0.0.1:1"))
            async with listen("tcp://127.0.0.1:0", quiet) as listener:
                port = int(listener.contact_address.rpartition(":")[2])
                ours, other = element(1, port), element(2, port + 1)
                comm = await connect(listener.contact_address)
                self.assertTrue(place.joined(ours, comm))
                self.assertFalse(place.joined(other, comm))
                place.lost(other)
                await asyncio.sleep(0)
                self.assertEqual((ours, False), (place.element, comm.closed()))
                place.lost(ours)
                await asyncio.sleep(0)
                self.assertEqual((None, True), (place.element, comm.closed()))
                again = await connect(listener.contact_address)
                self.assertTrue(place.joined(other, again))
                self.assertEqual(other, place.element)
                again.abort()

        asyncio.run(play())


def element(identifier: int, port: int) -> PoolElementParameter:
    return PoolElementParameter(identifier, 0, 0, TcpTransport(port, "127.0.0.1"), PolicyParameter(1))


class DaskTests(FieldTests):
    """Real processes of Dask."""

    timeout = 180

    def setUp(self) -> None:
        super().setUp()
        if find_spec("distributed") is None:
            raise SkipTest("Dask is not installed")

    def address(self, pool: str = "field") -> str:
        where = self.reg.tcp
        return f"rserpool://{pool}?registrar={where.hosts[0]}:{where.port}&profile=fast"

    async def scheduler(self, *options: str, environment: tuple[str, ...] = ()) -> tuple[Process, int]:
        port = free_port()
        where = ("--host", "127.0.0.1", "--port", str(port))
        words = ("run", *environment, sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard")
        return await self.wrapped(*words, *where, *options, options=("--port", str(port))), port

    def worker(self, *options: str, address: str | None = None) -> Process:
        """By C{rserpool-pe -- run}, in a pool of workers."""
        port, scratch = str(free_port()), self.mktemp()
        os.mkdir(scratch)
        where = ("--pool", "workers", "--registrar", self.reg.text, "--profile", "fast", "--port", port)
        words = ("-m", "distributed.cli.dask_worker", address or self.address(), "--worker-port", port)
        more = ("--nthreads", "1", "--no-dashboard", "--local-directory", scratch, *options)
        return self.twistd("rserpool-pe", *where, "--", "run", sys.executable, *words, *more)

    def asking(self, *security: str) -> Process:
        return self.spawn("-c", CLIENT, self.address(), *security)

    @staticmethod
    def kill_program(process: Process) -> None:
        """C{kill -9} of what an element runs, and not of the element."""
        for guard in _children(process.pid):
            for program in _children(guard):
                os.kill(program, 9)

    @row(
        "Dask, scheduler and workers",
        "`rserpool-pe --port P -- run dask scheduler`",
        "`Client('rserpool://POOL')`",
        "fails over; what was under way is lost with the scheduler",
        "as `kill -9`",
    )
    async def test_replaced(self) -> None:
        """The scheduler is killed while a client works; another one begins, and all find it."""
        await self.replaced("KILL")

    async def test_stopped(self) -> None:
        """It is asked to end."""
        await self.replaced("TERM")

    async def replaced(self, signal: str) -> None:
        await self.begin()
        one, first = await self.scheduler()
        worker = self.worker()
        client = self.asking()
        await client.says(rf"done 5 by tcp://127.0.0.1:{first}")
        one.signal(signal)
        await client.says("lost .*Cancelled")
        _, second = await self.scheduler()
        await worker.says(f"Starting established connection to tcp://127.0.0.1:{second}")
        await client.says(f"done .* by tcp://127.0.0.1:{second}")
        self.assertIn("has ended (status 0); it is started again", worker.text)

    async def test_restarted(self) -> None:
        """The scheduler alone is killed: its element begins it again, at the same port."""
        await self.begin()
        one, port = await self.scheduler()
        self.worker("--no-nanny")
        client = self.asking()
        await client.says("done 5 ")
        self.kill_program(one)
        await one.says("was killed .signal 9.; it is started again")
        await client.says("lost .*Cancelled")
        lines = len(client.lines)
        await client.says(f"done .* by tcp://127.0.0.1:{port}", lines)

    async def test_worker_killed(self) -> None:
        """What a worker had in hand is done by another one; nobody notices, and the worker is back."""
        await self.begin()
        await self.scheduler()
        one, two = self.worker("--no-nanny"), self.worker("--no-nanny")
        for each in (one, two):
            await each.says("workers: registered as")
        client = self.asking()
        await client.says("done 5 ")
        self.kill_program(one)
        await one.says("was killed .signal 9.; it is started again")
        lines = len(client.lines)
        await client.says("done ", lines + 20)
        await one.says("Starting established connection", len(one.lines))
        self.assertNotIn("lost", client.text)

    async def test_one_of_two(self) -> None:
        """Two schedulers know nothing of each other: all connections of a client go to one."""
        await self.begin()
        for _ in range(2):
            await self.scheduler()
        for client in [self.spawn("-c", AT_ONCE, self.address(), "20") for _ in range(2)]:
            client.transport.write(b"go on\n")
            await client.says("known by 20 of 20")

    async def test_late(self) -> None:
        """A scheduler that does not accept for a while is not gone: who is connected to it stays there."""
        await self.begin()
        short = ("--env", "DASK_DISTRIBUTED__COMM__SOCKET_BACKLOG=1")
        schedulers = {port: element for element, port in [await self.scheduler(environment=short) for _ in range(2)]}
        client = self.spawn("-c", AT_ONCE, self.address(), "2")
        port = int((await client.says(r"connected to tcp://127.0.0.1:(\d+)"))[1])
        (guard,) = _children(schedulers[port].pid)
        (program,) = _children(guard)
        os.kill(program, signal.SIGSTOP)
        # As many as it does not accept, and then the kernel answers nobody.
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
            self.addCleanup(each.close)
        client.transport.write(b"go on\n")
        await client.says("does not accept: no answer within 3 s")
        os.kill(program, signal.SIGCONT)
        await client.says("known by 2 of 2")

    async def test_tls(self) -> None:
        """Where Dask has certificates, all of it is TLS: a scheduler that speaks nothing else is found."""
        from distributed.security import Security

        made = Security.temporary()
        certificate, key = (os.path.abspath(self.mktemp()) for _ in range(2))
        for path, text in ((certificate, made.tls_client_cert), (key, made.tls_client_key)):
            with open(path, "w") as file:
                file.write(text)
        await self.begin()
        files = ("--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key)
        _, port = await self.scheduler("--protocol", "tls", *files)
        worker = self.worker("--no-nanny", *files)
        await worker.says("Start worker at: *tls://")
        await self.asking(certificate, key).says(f"done 5 by tls://127.0.0.1:{port}")
        await self.asking().says("CommClosedError")  # who has none

    async def test_misspelt(self) -> None:
        """Who mistypes a pool's name reads a sentence: of the registrar that was asked, also who waits but 6 s."""
        await self.begin()
        await self.scheduler()
        sentence = "no pool is named 'feild', says the registrar at"
        *patient, hasty = (self.spawn("-c", GREETING, self.address("feild"), str(limit)) for limit in (30, 6, 2))
        for each in patient:
            await each.says(f"^FatalCommClosedError {sentence}")
        await hasty.says("^OSError Timed out trying to connect to rserpool://feild")
        self.assertIn(sentence, hasty.text)
        worker = self.worker(address=self.address("feild"))
        await worker.says(sentence)
        await worker.says("has ended .status 1.; it is started again")

    async def test_no_registrar(self) -> None:
        """No registrar answers: that is said at once, and after the time-out."""
        address = f"rserpool://field?registrar=127.0.0.1:{free_port()}&profile=fast"
        client = self.spawn("-c", GREETING, address, "8")
        await client.says("no registrar")
        await client.says("^OSError Timed out")


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]
