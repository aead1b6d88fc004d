"""Real processes for tests: C{twistd}, C{rserpool} and others, waited for by what they say, ended by their pids."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

import rserpool
from rserpool.cli.demo.processes import TWISTD
from rserpool.core import PoolElementParameter, TransportAddress, parse_transport_address
from rserpool.user import PoolChanged, PoolUserService
from tests.processes.left import MARK

ROOT = Path(rserpool.__file__).parent.parent
RSERPOOL = "import sys; from rserpool.cli.main import main; sys.exit(main())"
PLUGIN = """
from twisted.application.service import ServiceMaker
served, lost = (ServiceMaker(name, f"tests.processes.{name}", "For tests.", name) for name in ("served", "lost"))
"""
_addresses = count(1)


def free_address() -> str:
    """A loopback address that nobody uses: all its ports are free. Where there is but one, that one."""
    number = next(_addresses)
    host = f"127.{1 + os.getpid() % 250}.{os.getpid() // 250 % 256}.{number}"
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
    except OSError:
        return "127.0.0.1"
    return host


def has_ipv6() -> bool:
    """Whether this host has the IPv6 loopback address."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


class Process(ProcessProtocol):
    """One process, and what it says.

    @ivar lines: all lines of its standard output and standard error.
    @ivar output: its standard output alone.
    @ivar status: its exit status, or minus the number of the signal that ended it; None while it runs.
    """

    transport: Any

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.output = ""
        self.status: int | None = None
        self._ended: list[Deferred[int]] = []
        self._rest = {1: b"", 2: b""}
        self._awaited: list[tuple[re.Pattern[str], Deferred[re.Match[str]]]] = []

    @property
    def pid(self) -> int:
        return self.transport.pid

    @property
    def text(self) -> str:
        """All it said."""
        return "\n".join(self.lines)

    @property
    def ended(self) -> Deferred[int]:
        """Fires with the status when it has ended."""
        ended: Deferred[int] = Deferred()
        if self.status is None:
            self._ended.append(ended)
        else:
            ended.callback(self.status)
        return ended

    def signal(self, name: str) -> None:
        """Send it a signal, unless it has ended."""
        if self.status is None and self.pid is not None:  # it may be gone, with lines that are still to come
            os.kill(self.pid, getattr(signal, f"SIG{name}"))

    def says(self, pattern: str, after: int = 0) -> Deferred[re.Match[str]]:
        """Fires when it has said a line that matches; fails if it ends first.

        @param after: so many lines are passed over.
        """
        expression = re.compile(pattern)
        awaited: Deferred[re.Match[str]] = Deferred()
        for line in self.lines[after:]:
            if match := expression.search(line):
                awaited.callback(match)
                return awaited
        if self.status is not None:
            awaited.errback(self._silent(pattern))
        else:
            self._awaited.append((expression, awaited))
        return awaited

    def outReceived(self, data: bytes) -> None:
        self.output += data.decode()
        self._take(1, data)

    def errReceived(self, data: bytes) -> None:
        self._take(2, data)

    def _take(self, descriptor: int, data: bytes) -> None:
        *lines, self._rest[descriptor] = (self._rest[descriptor] + data).split(b"\n")
        for line in lines:
            self.lines.append(line.decode("utf-8", "replace"))
            for expression, awaited in list(self._awaited):
                if match := expression.search(self.lines[-1]):
                    self._awaited.remove((expression, awaited))
                    awaited.callback(match)

    def processEnded(self, reason: Failure) -> None:
        for descriptor in (1, 2):
            if self._rest[descriptor]:
                self._take(descriptor, b"\n")
        value: Any = reason.value
        self.status = 0 if reason.check(ProcessDone) else -value.signal if value.signal else value.exitCode
        awaited, self._awaited = self._awaited, []
        for expression, waiting in awaited:
            waiting.errback(self._silent(expression.pattern))
        ended, self._ended = self._ended, []
        for waiting_end in ended:
            if not waiting_end.called:
                waiting_end.callback(self.status)

    def _silent(self, pattern: str) -> AssertionError:
        return AssertionError(f"ended with {self.status} and never said {pattern!r}:\n{self.text}")


class Client(Protocol):
    """A TCP client that collects what comes."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.open = True
        self._lost: list[Deferred[bytes]] = []
        self._awaited: list[tuple[bytes, Deferred[bytes]]] = []

    @property
    def lost(self) -> Deferred[bytes]:
        """Fires with what came when the connection is lost."""
        lost: Deferred[bytes] = Deferred()
        if self.open:
            self._lost.append(lost)
        else:
            lost.callback(self.received)
        return lost

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        for what, awaited in list(self._awaited):
            if what in self.received:
                self._awaited.remove((what, awaited))
                awaited.callback(self.received)

    def gets(self, what: bytes) -> Deferred[bytes]:
        """Fires when this has come."""
        awaited: Deferred[bytes] = Deferred()
        if what in self.received:
            awaited.callback(self.received)
        else:
            self._awaited.append((what, awaited))
        return awaited

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        awaited, self._awaited = self._awaited, []
        for what, waiting in awaited:
            waiting.errback(AssertionError(f"{what!r} never came, but {self.received!r}"))
        self.open = False
        for lost in self._lost:
            if not lost.called:
                lost.callback(self.received)


class Pool:
    """A pool as a subscribed user sees it.

    @ivar elements: by identifier; None while the pool does not exist.
    @ivar history: every state that was seen, as sorted identifiers.
    """

    def __init__(self) -> None:
        self.elements: dict[int, PoolElementParameter] | None = None
        self.history: list[list[int]] = []
        self._awaited: list[tuple[Callable[[dict[int, PoolElementParameter]], bool], Deferred[None]]] = []

    def changed(self, change: PoolChanged) -> None:
        present = {element.identifier: element for element in change.elements or ()}
        self.elements = present if change.elements is not None else None
        self.history.append(sorted(present))
        for condition, awaited in list(self._awaited):
            if condition(present):
                self._awaited.remove((condition, awaited))
                awaited.callback(None)

    def until(self, condition: Callable[[dict[int, PoolElementParameter]], bool]) -> Deferred[None]:
        """Fires when the elements are like this."""
        awaited: Deferred[None] = Deferred()
        if self.history and condition(self.elements or {}):
            awaited.callback(None)
        else:
            self._awaited.append((condition, awaited))
        return awaited

    def holds(self, *identifiers: int) -> Deferred[None]:
        """Fires when just these are in the pool."""
        return self.until(lambda elements: sorted(elements) == sorted(identifiers))


class Registrar:
    """A C{twistd rserpool-ns} that serves."""

    def __init__(self, process: Process, text: str) -> None:
        self.process = process
        self.text = text
        self.address = parse_transport_address(text)

    @property
    def host(self) -> str:
        return self.address.hosts[0]

    @property
    def tcp(self) -> TransportAddress:
        """Where it serves users over TCP."""
        for line in self.process.lines:
            if match := re.search(r" and (\S+) \(tcp\)", line):
                return parse_transport_address(match[1], protocol="tcp")
        raise AssertionError("no TCP")


class ProcessTests(TestCase):
    """Starts processes, and ends them when the test is over."""

    timeout = 60

    def setUp(self) -> None:
        self._plugins = Path(self.mktemp()).absolute()
        (self._plugins / "twisted" / "plugins").mkdir(parents=True)
        (self._plugins / "twisted" / "plugins" / "served_plugin.py").write_text(PLUGIN)

    def environment(self, **more: str) -> dict[str, str]:
        """The environment of processes: this package, and the plugins of tests."""
        paths = [str(self._plugins), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", MARK: self.id(), **more}

    def spawn(self, *arguments: str, path: str | None = None, **environment: str) -> Process:
        """Start C{python ARGUMENTS}."""
        return self.launch(sys.executable, *arguments, path=path, pty=False, **environment)

    def launch(self, *command: str, path: str | None = None, pty: bool = False, **environment: Any) -> Process:
        """Start a command, with a terminal of its own or without."""
        process = Process()
        reactor.spawnProcess(process, command[0], command, self.environment(**environment), path, usePTY=pty)

        async def end() -> None:
            process.signal("KILL")
            await process.ended
            if "TEST_OUTPUT" in os.environ:
                print(f"\n{' '.join(command)}\n{process.text}")

        self.addCleanup(end)
        return process

    def twistd(self, *arguments: str, **options: str) -> Process:
        """Start C{twistd -n --pidfile= ARGUMENTS}."""
        return self.spawn("-c", TWISTD, "-n", "--pidfile=", *arguments, **options)

    def rserpool(self, *arguments: str, **environment: str) -> Process:
        """Start the command C{rserpool}."""
        return self.spawn("-c", RSERPOOL, *arguments, **environment)

    async def registrar(self, *options: str, asap: str | None = None, **environment: str) -> Registrar:
        """A registrar at an address of its own, which serves."""
        process = self.twistd("rserpool-ns", "--asap", asap or f"{free_address()}:3863", *options, **environment)
        return await self.serving(process)

    @staticmethod
    async def serving(process: Process) -> Registrar:
        """The registrar that this process is, as soon as it serves."""
        return Registrar(process, (await process.says(r"serves ASAP at (\S+)"))[1])

    def element(
        self, registrar: Registrar | str, *options: str, pool: str = "pool", plugin: tuple[str, ...] = ("served",)
    ) -> Process:
        """Start a pool element."""
        where = registrar if isinstance(registrar, str) else registrar.text
        return self.twistd("rserpool-pe", "--pool", pool, "--registrar", where, *options, "--", *plugin)

    def user(self, registrar: Registrar | TransportAddress, **options: Any) -> PoolUserService:
        """A pool user in this very process."""
        address = registrar.address if isinstance(registrar, Registrar) else registrar
        options.setdefault("transport", address.protocol)
        user = PoolUserService(reactor, [address], **options)
        user.startService()
        self.addCleanup(user.stopService)
        return user

    def watch(self, user: PoolUserService, handle: bytes = b"pool") -> Pool:
        """Subscribe to a pool."""
        pool = Pool()
        user.subscribe(handle, pool.changed)
        return pool

    async def client(self, host: str, port: int) -> Client:
        """Connect over TCP; the connection is closed at the end of the test."""
        client: Client = await connectProtocol(TCP4ClientEndpoint(reactor, host, port), Client())

        async def end() -> None:
            client.transport.abortConnection()
            await client.lost

        self.addCleanup(end)
        return client

    def no_traceback(self, *processes: Process) -> None:
        """None of them has told of an exception that nobody caught."""
        for process in processes:
            for bad in ("Traceback", "Unhandled", "unexpected"):
                self.assertNotIn(bad, process.text)


async def all_of(*things: Any) -> list[Any]:
    """Wait for coroutines and Deferreds at the same time."""
    waiting = [thing if isinstance(thing, Deferred) else ensureDeferred(thing) for thing in things]
    return await gatherResults(waiting, consumeErrors=True)
