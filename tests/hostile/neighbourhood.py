"""Registrars in processes of their own, over real SCTP, and strangers who send them what they like.

An element and a user in this process are the bystanders; they look after themselves all the time.
"""

from __future__ import annotations

import os
from collections import Counter
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater

from rserpool.cli.demo.processes import Twistd
from rserpool.core import TcpTransport, TransportAddress, UnknownPool
from rserpool.core.wire import asap, enrp
from rserpool.element import PoolElementService
from rserpool.sctp import open_stack
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP
from rserpool.user import PoolUserService
from tests.hostile.arena import ELEMENT, OTHER, POOL, SERVER, Disturbed, Stranger
from tests.hostile.inputs import Input
from tests.hostile.mutation import Mutator, Target

WINDOW = 256 * 1024
"""Bytes that may wait at an association; then somebody else's turn comes."""
STRANGERS = 6
"""So many associations at a time, to each protocol."""
PATIENCE = 20.0
"""Seconds that anything may take."""
GROWTH = 30_000
"""Kilobytes that a registrar may grow, once it has seen a fifth of the messages."""
BAD = ("Traceback", "Unhandled", "unexpected", "MemoryError")


class Registrar:
    """One C{twistd rserpool-ns}.

    @ivar bad: lines that tell of exceptions.
    """

    def __init__(self, reactor: Any, identifier: int, host: str, backend: str, *options: str) -> None:
        self.host = host
        self.bad: list[str] = []
        self.gone: list[str] = []
        self.process = Twistd(
            f"registrar 0x{identifier:x}",
            ["rserpool-ns", "--asap", f"{host}:3863", "--asap-tcp", "none", "--identifier", f"0x{identifier:x}",
             "--backend", backend, *options],
        )  # fmt: skip
        self.process.heard = self._heard
        self.process.start(reactor, {**os.environ, "PYTHONUNBUFFERED": "1"})

    def _heard(self, line: str) -> None:
        if any(word in line for word in BAD):
            self.bad.append(line)
        if f"0x{ELEMENT:08x} removed" in line and line.partition(": ")[0].endswith(POOL.decode()):
            self.gone.append(line)

    @property
    def kilobytes(self) -> int:
        """The memory that it occupies."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class Neighbourhood:
    """Two registrars, a bystander of each kind, and strangers.

    @param backend: C{"usrsctp"} or C{"kernel"}.
    @param hosts: local addresses for the two registrars, and for everybody else.
    @ivar sent: how many messages were sent, by protocol.
    @ivar away: how long, in seconds, the element was in no pool at the longest, because of what a registrar said.
    """

    def __init__(self, reactor: Any, backend: str, hosts: tuple[str, str, str], seed: int = 1) -> None:
        self.reactor = reactor
        self.backend = backend
        self.hosts = hosts
        self.random = Random(seed)
        self.sent: Counter[str] = Counter()
        self.asked = 0
        self.slowest = 0.0
        self.away = 0.0
        self.reconnected = 0
        self.kilobytes: list[int] = []
        self._stack: Any = None
        self._strangers: dict[int, list[Stranger]] = {PPID_ASAP: [], PPID_ENRP: []}
        self._endpoints: dict[Stranger, Any] = {}
        self._looking: Any = None
        self._failure: str | None = None
        target = Target((POOL, b"common"), (b"common",), (ELEMENT, SERVER, OTHER), (self.hosts[2], self.hosts[0]))
        self._mutator = Mutator(self.random, target)

    async def start(self) -> None:
        """Start all of it."""
        own = self.hosts[2]
        encapsulation = ("--udp-encapsulation", "9899") if self.backend == "usrsctp" else ()
        self.registrar = Registrar(self.reactor, SERVER, self.hosts[0], self.backend, *encapsulation)
        await self.registrar.process.says("serves ASAP at")
        self.other = Registrar(
            self.reactor, OTHER, self.hosts[1], self.backend, "--peer", f"{self.hosts[0]}:9901", *encapsulation
        )
        self._stack = open_stack(self.reactor, backend=self.backend, hosts=(own,))
        where = [TransportAddress((host,), 3863) for host in self.hosts[:2]]
        self.element = PoolElementService(
            self.reactor, checked=False, registrars=where[:1], hosts=(own,), stack=self._stack
        )
        self.element.startService()
        self.user = PoolUserService(self.reactor, where[:1], transport="sctp", stack=self._stack)
        self.user.startService()
        await self.other.process.says("ready: ")
        await self._in_time(self.element.serve(POOL, TcpTransport(80, own), identifier=ELEMENT), "a registration")
        self.user.subscribe(POOL, self._changed)
        for ppid, strangers in self._strangers.items():
            for number in range(STRANGERS):
                server = 0x9000 + number if ppid == PPID_ENRP else 0
                stranger = Stranger(acknowledges=ppid == PPID_ASAP and not strangers, server=server)
                strangers.append(stranger)
                self._endpoints[stranger] = self._stack.open(0, stranger, (own,), False)
        self._looking = LoopingCall(self._look)
        self._looking.start(0.05, now=False)

    async def stop(self) -> None:
        """End all of it."""
        if self._looking is not None and self._looking.running:
            self._looking.stop()
        for endpoint in self._endpoints.values():
            endpoint.abort()
        for service in (getattr(self, "user", None), getattr(self, "element", None)):
            if service is not None:
                await service.stopService()
        if self._stack is not None:
            await self._stack.close()
        for registrar in (getattr(self, "registrar", None), getattr(self, "other", None)):
            if registrar is not None:
                registrar.process.signal("KILL")
                await registrar.process.ended

    async def attack(self, messages: int, ppids: tuple[int, ...] = (PPID_ASAP, PPID_ENRP)) -> None:
        """Send so many mutated messages.

        @raise Disturbed: if anything went wrong.
        """
        for number in range(messages):
            ppid = self.random.choice(ppids)
            await self._send(ppid, self._mutator.message(asap if ppid == PPID_ASAP else enrp), sign=True)
            if number % 200 == 199:
                await self.check()

    async def suffer(self, hostile: Input) -> None:
        """Send one input.

        @raise Disturbed: if anything went wrong.
        """
        for data in hostile.messages:
            await self._send(hostile.ppid, data)
        await self.check(hostile.name)

    async def _send(self, ppid: int, data: bytes, *, sign: bool = False) -> None:
        """Send it over an association that has room for it."""
        waited = 0.0
        while True:
            strangers = self._strangers[ppid]
            self.random.shuffle(strangers)
            for stranger in strangers:
                if not stranger.associations:
                    if not stranger.dialling:
                        stranger.dialling = True
                        self.reconnected += 1
                        port = 3863 if ppid == PPID_ASAP else 9901
                        self._endpoints[stranger].connect(TransportAddress((self.hosts[0],), port))
                elif stranger.associations[0].buffered < WINDOW:
                    stranger.associations[0].send(stranger.signed(data, self.random) if sign else data, ppid)
                    self.sent["ASAP" if ppid == PPID_ASAP else "ENRP"] += 1
                    return
            await deferLater(self.reactor, 0.002)
            waited += 0.002
            if waited > PATIENCE:
                raise Disturbed(f"nobody could send anything for {PATIENCE:g} s")

    async def check(self, after: str = "") -> None:
        """Look after everybody, now.

        @raise Disturbed: if anything went wrong.
        """
        # Those who sent are given the time to be heard.
        for strangers in self._strangers.values():
            for stranger in strangers:
                waited = 0.0
                while stranger.associations and stranger.associations[0].buffered:
                    await deferLater(self.reactor, 0.001)
                    waited += 0.001
                    if waited > PATIENCE:
                        raise Disturbed(f"the registrar reads nothing any more {after}")
        for attempt in range(100):
            began = self.reactor.seconds()
            there = await self._there(after)
            self.slowest = max(self.slowest, self.reactor.seconds() - began)
            self.asked += 1
            if there:
                break
            if self._strict:
                raise Disturbed(f"the bystander is not in its pool {after}")
            # Another registrar, as a stranger says he is, may have taken it over: then it is back in a moment.
            self.away = max(self.away, 0.1 * (attempt + 1))
            await deferLater(self.reactor, 0.1)
        else:
            raise Disturbed(f"the bystander is not in its pool any more {after}")
        for registrar in (self.registrar, self.other):
            if registrar.bad or not registrar.process.alive:
                lines = "\n".join(registrar.process.lines[-30:])
                raise Disturbed(f"{registrar.process.name}: {registrar.bad[:1]} {after}\n{lines}")
        if self.registrar.gone and self._strict:
            raise Disturbed(f"{self.registrar.gone[0]} {after}")
        if self._failure is not None and self._strict:
            raise Disturbed(f"{self._failure} {after}")

    @property
    def _strict(self) -> bool:
        """Whether nobody has spoken ENRP yet: over ASAP nobody touches the bystander, not for a moment."""
        return not self.sent["ENRP"]

    async def _there(self, after: str) -> bool:
        """Whether the user is told of the bystander."""
        waiting: Deferred[Any] = self.user.resolve(POOL, fresh=True, timeout=PATIENCE)
        waiting.addErrback(lambda failure: failure.trap(UnknownPool) and None)
        found = await self._in_time(waiting, f"an answer {after}")
        return found is not None and any(each.identifier == ELEMENT for each in found.elements)

    def _look(self) -> None:
        self.kilobytes.append(self.registrar.kilobytes if self.registrar.process.alive else 0)

    def grown(self) -> int:
        """How many kilobytes the registrar grew in the last four fifths of its life.

        @raise Disturbed: if that is too much.
        """
        warm = self.kilobytes[len(self.kilobytes) // 5 :] or [0]
        grown = warm[-1] - warm[0]
        if grown > GROWTH:
            raise Disturbed(f"the registrar grew by {grown} kB")
        return grown

    def _changed(self, change: Any) -> None:
        if change.elements is None or all(each.identifier != ELEMENT for each in change.elements):
            self._failure = "a subscriber was told that the bystander is gone"

    async def _in_time(self, waiting: Deferred[Any], what: str) -> Any:
        waiting.addTimeout(PATIENCE, self.reactor)
        try:
            return await waiting
        except Exception as error:
            raise Disturbed(f"{what}: {error!r}") from error


def together(*coroutines: Any) -> Deferred[Any]:
    """Run them at the same time."""
    return gatherResults([ensureDeferred(each) for each in coroutines], consumeErrors=True)
