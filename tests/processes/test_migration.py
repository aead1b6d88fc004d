"""From plain to required with real processes, one after the other, while requests go on: none is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from rserpool.core import parse_transport_address
from rserpool.user import PoolClientEndpoint, PoolUserService
from tests.processes.harness import Client, Process, ProcessTests, free_address

OFFERED, REQUIRED = ",state=offered", ""


class Requests:
    """Asks a pool again and again, one connection after the other.

    @ivar answered: how many requests were answered.
    @ivar lost: what became of the others.
    """

    def __init__(self, user: PoolUserService) -> None:
        self.answered = 0
        self.lost: list[str] = []
        self._going = True
        self._user = user
        self._endpoint = PoolClientEndpoint(user, "pool", timeout=20)
        self._more: list[tuple[int, Deferred[None]]] = []
        self.ended = ensureDeferred(self._run())

    def more(self, count: int = 5) -> Deferred[None]:
        """Fires when so many more were answered."""
        more: Deferred[None] = Deferred()
        self._more.append((self.answered + count, more))
        return more

    def stop(self) -> Deferred[None]:
        self._going = False
        return self.ended

    async def _run(self) -> None:
        while self._going:
            try:
                client: Any = await self._endpoint.connect(Factory.forProtocol(Client))
                client.transport.write(b"begin\nend\n")
                answer = await client.lost
                if answer != b"begun\ndone\n":
                    raise AssertionError(f"{answer!r}")
                self.answered += 1
            except Exception as error:
                self.lost.append(repr(error))
            for wanted, more in [each for each in self._more if each[0] <= self.answered]:
                self._more.remove((wanted, more))
                more.callback(None)
            await deferLater(reactor, 0.02)


class MigrationTests(ProcessTests):
    """Two registrars, two elements, users in the clear, and users that are secured."""

    timeout = 150

    def setUp(self) -> None:
        super().setUp()
        self.hosts = [free_address(), free_address()]
        self.scope = Path(self.mktemp()).absolute() / "scope"
        self.registrars: list[Process] = []

    async def start(self, number: int, state: str | None = None) -> Process:
        """A registrar that serves, and knows the other one if that is there."""
        host, other = self.hosts[number], self.hosts[1 - number]
        options = ["--asap", host, "--peer", f"{other}/9899", "--udp-encapsulation", f"{host}:9899"]
        options += [] if state is None else ["--security", f"{self.scope / f'reg{number}'}{state}"]
        process = self.twistd("rserpool-ns", *options)
        await process.says("serves ASAP at")
        return process

    def start_element(self, number: int, secured: bool) -> Process:
        options = ["--registrar", self.hosts[0], "--registrar", self.hosts[1], "--identifier", str(10 + number)]
        options += ["--security", str(self.scope / f"web{number}")] if secured else []
        return self.twistd("rserpool-pe", "--pool", "pool", *options, "--", "served")

    def requests(self, security: Any) -> Requests:
        where = [parse_transport_address(f"{host}/9899") for host in self.hosts]
        user = PoolUserService(reactor, where, backend="usrsctp", security=security)
        user.startService()
        self.addCleanup(user.stopService)
        return Requests(user)

    async def again(self, number: int, state: str) -> None:
        """One registrar is started anew, in another state; when it has the handlespace the next one may follow."""
        self.registrars[number].signal("TERM")
        await self.registrars[number].ended
        process = self.registrars[number] = await self.start(number, state)
        await process.says("ready: ")

    async def test_step_by_step(self) -> None:
        """The steps of docs/security.md."""
        named = [f"reg{number},{host}" for number, host in enumerate(self.hosts)]
        make = ["--scope", "pools.example", "--registrar", *named, "--element", "web0", "web1"]
        self.assertEqual(0, await self.rserpool("keys", "make", str(self.scope), *make).ended)
        self.registrars = [await self.start(0), await self.start(1)]
        elements = [self.start_element(number, False) for number in (0, 1)]
        for element in elements:
            await element.says("registered as")
        clear = self.requests(False)
        await clear.more()
        for number in (0, 1):
            await self.again(number, OFFERED)
            await clear.more()
        secured = self.requests(str(self.scope / "users"))
        await secured.more()
        for number in (0, 1):
            elements[number].signal("TERM")
            await elements[number].ended
            elements[number] = self.start_element(number, True)
            await elements[number].says("registered as")
            await clear.more()
        await clear.stop()
        for number in (0, 1):
            await self.again(number, REQUIRED)
            await secured.more()
        await secured.stop()
        self.assertEqual(([], []), (clear.lost, secured.lost))
        self.no_traceback(*self.registrars, *elements)
