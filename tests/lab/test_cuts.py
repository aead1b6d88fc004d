"""Two networks, and one of them is cut in the middle: nothing is lost, and nobody is deregistered."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from twisted.internet import reactor
from twisted.internet.task import deferLater

from rserpool.core import TcpTransport
from rserpool.services.messages import PPID_PINGPONG, Ping, Pong
from rserpool.session import Session
from tests.lab.hosts import BACKEND, ScopeTests, at
from tests.processes.harness import Process, all_of

STEPS = 10
"""So often something is done between two events of the networks."""


class CutTests(ScopeTests):
    """One network is cut for everybody and mended, then the other one."""

    async def cut_each(self, step: Callable[[], Awaitable[object]], *processes: Process) -> None:
        """Cut and mend each network, and do a step again and again meanwhile.

        @param processes: these have associations with this host, and tell what happens to its paths.
        """
        for network, address in enumerate(self.here.addresses):
            for change, what in ((self.networks.cut, "lost"), (self.networks.mend, "back")):
                told = [process.says(f"the path to {address} is {what}", len(process.lines)) for process in processes]
                change(network)
                # Linux asks a path for heartbeats only when nothing else is sent there, not even a SACK: pause, too.
                for _ in range(STEPS):
                    await step()
                await all_of(*told)
                for _ in range(STEPS):
                    await step()

    async def test_registrations(self) -> None:
        """Each registration succeeds and reaches the other registrar, and no element is removed."""
        hosts = self.networks.hosts(2)
        processes = await self.registrars_at(*hosts)
        element, user = self.element_of(self.here, hosts[0]), self.user_of(hosts[1])
        registered: dict[str, int] = {}

        async def register() -> None:
            handle, port = f"pool {len(registered)}", 1000 + len(registered)
            registered[handle] = await element.serve(handle, TcpTransport(port, self.here.addresses[0]))
            await self.watch(user, handle.encode()).holds(registered[handle])

        await register()
        await self.cut_each(register, *processes)
        for host in hosts:
            asking = self.user_of(host)
            for number, (handle, identifier) in enumerate(registered.items()):
                (found,) = (await asking.resolve(handle)).elements
                self.assertEqual(found.identifier, identifier)
                self.assertEqual(found.user_transport, TcpTransport(1000 + number, self.here.addresses[0]))
                self.assertEqual(found.asap_transport.addresses, self.here.addresses)
        self.nothing_lost(*processes)

    async def test_resolutions(self) -> None:
        """No resolution fails, and the element stays, also for C{rserpool watch} at another host."""
        registrar, where, elsewhere = self.networks.hosts(3)
        processes = await self.registrars_at(registrar)
        element = await self.element_at(where, 10)
        asking = (f"--registrar={at(registrar)}", "--transport=sctp", f"--backend={BACKEND}", "--json")
        with elsewhere:
            watching = self.rserpool("watch", "pool", *asking)
        await watching.says("0x0000000a")
        user = self.user_of(registrar)
        pool = self.watch(user)
        await pool.holds(10)
        answers: list[list[int]] = []

        async def resolve() -> None:
            found = await user.resolve("pool", fresh=True)
            answers.append([one.identifier for one in found.elements])

        await self.cut_each(resolve, *processes)
        self.assertEqual(answers, [[10]] * len(answers))
        self.assertEqual(re.findall(r'"change": "(.*?)"', watching.output), ["pool", "="])
        self.assertEqual(pool.history, [[10]])
        self.nothing_lost(*processes)
        self.no_traceback(element)

    async def test_session(self) -> None:
        """Each request has its answer, from the same element, which counts them."""
        registrar, where = self.networks.hosts(2)
        processes = await self.registrars_at(registrar)
        element = await self.element_at(where, 10, "rserpool-pingpong", "--sctp", str(at(where, 0)))
        user = self.user_of(registrar)
        pool = self.watch(user)
        failovers: list[object] = []
        session = Session(user, "pool", ppid=PPID_PINGPONG, failed_over=lambda old, new: failovers.append((old, new)))
        served = await session.ready()
        self.assertEqual(served.user_transport.addresses, where.addresses)
        answers: list[Pong] = []

        async def ask() -> None:
            answers.append(Pong.decode(await session.request(Ping(len(answers)).encode())))

        await self.cut_each(ask, *processes)
        self.assertEqual([(pong.number, pong.reply) for pong in answers], [(n, n + 1) for n in range(len(answers))])
        self.assertEqual(failovers, [])
        self.assertEqual(pool.history, [[10]])
        self.nothing_lost(*processes)
        self.no_traceback(element)
        await session.close()

    async def test_takeover(self) -> None:
        """A registrar's host is gone, and a network is cut while the others notice: one takes the elements over."""
        *hosts, at_one, at_other = self.networks.hosts(5)
        one, two, three = await self.registrars_at(*hosts)
        # They know one registrar alone: another has to come to them.
        elements = [self.element_of(where, hosts[0]) for where in (at_one, at_other)]
        for identifier, element in enumerate(elements, 10):
            await element.serve("pool", TcpTransport(80, element.hosts[0]), identifier=identifier)
        pool = self.watch(self.user_of(hosts[1]))
        await pool.holds(10, 11)
        # An address counts when a heartbeat has proved it.
        await pool.until(lambda found: all(len(element.asap_transport.addresses) == 2 for element in found.values()))
        # This registrar hears of the elements one after the other.
        del pool.history[:-1]
        self.networks.isolate(hosts[0])
        await one.says("removed: unreachable")
        self.networks.cut(0)
        for survivor in (two, three):
            await survivor.says("registrar 0x00000001 is gone: 2 elements belong to")
        taker = hosts[1] if "belong to us" in two.text else hosts[2]
        for element in elements:
            while element.element.home is None or element.element.home.hosts[0] not in taker.addresses:
                await deferLater(reactor, 0.02)
        self.assertEqual({tuple(state) for state in pool.history}, {(10, 11)})
        for survivor, other in ((two, 3), (three, 2)):
            self.assertNotIn("removed", survivor.text)
            self.assertNotIn(f"0x{other:08x} is silent", survivor.text)
        self.no_traceback(two, three)


class IsolatedTests(ScopeTests):
    """A host is cut off from both networks: then, and only then, it is missed."""

    async def test_element(self) -> None:
        """The element is removed, the others stay; when its host comes back, and can prove that its address is its own,
        it registers again."""
        registrar, lonely, other = self.networks.hosts(3)
        (process,) = await self.registrars_at(registrar)
        cut_off = await self.element_at(lonely, 10)
        await self.element_of(other, registrar).serve("pool", TcpTransport(80, other.addresses[0]), identifier=11)
        pool = self.watch(self.user_of(registrar))
        await pool.holds(10, 11)
        self.networks.isolate(lonely)
        await pool.holds(11)
        await cut_off.says("no home registrar")
        lines = len(process.lines)
        self.networks.mend(1, lonely)
        # Whom a registrar dials then, at all addresses, has proved them (RFC 9260 section 5.4): no refusal then.
        await process.says("element 0x0000000a (is refused: it names|registered)", lines)
        self.networks.mend(0, lonely)
        await pool.holds(10, 11)
        self.assertEqual(pool.history[-3:], [[10, 11], [11], [10, 11]])
        self.no_traceback(process, cut_off)

    async def test_registrar(self) -> None:
        """Its elements have a new home, and stay; when its host comes back, it learns that they have."""
        *hosts, where = self.networks.hosts(3)
        one, two = await self.registrars_at(*hosts)
        element = await self.element_at(where, 10)
        pool = self.watch(self.user_of(hosts[1]))
        await pool.holds(10)
        # The other registrar may have heard of the pool a moment later.
        del pool.history[:-1]
        self.networks.isolate(hosts[0])
        await two.says("registrar 0x00000001 is gone: . elements belong to us now")
        await element.says(f"home registrar is {hosts[1].addresses[0]}")
        lines = len(one.lines), len(two.lines)
        self.networks.mend(0, hosts[0])
        self.networks.mend(1, hosts[0])
        await all_of(one.says("peer 0x00000002 at", lines[0]), two.says("peer 0x00000001 at", lines[1]))
        self.assertEqual({tuple(state) for state in pool.history}, {(10,)})
        self.assertNotIn("removed", two.text)
        self.no_traceback(one, two, element)
