"""Two networks, and one of them is cut in the middle: nothing is lost, and nobody is deregistered."""

from __future__ import annotations

import re

from rserpool.wire.parameters import TcpTransport
from tests.lab.hosts import ScopeTests
from tests.processes.harness import all_of

REGISTRATIONS = 60
RESOLUTIONS = 300


class CutTests(ScopeTests):
    """One network is cut for everybody, then mended, and the other one is cut."""

    def through(self, number: int, done: int) -> None:
        """Cut and mend on the way to C{number}: the first network, nothing, the second network, nothing."""
        quarter = number // 5
        if done == quarter:
            self.networks.cut(0)
        elif done == 2 * quarter:
            self.networks.mend(0)
        elif done == 3 * quarter:
            self.networks.cut(1)
        elif done == 4 * quarter:
            self.networks.mend(1)

    async def test_registrations(self) -> None:
        """Each registration succeeds, both registrars know each pool, and no element is removed."""
        hosts = self.networks.hosts(2)
        processes = await self.registrars_at(*hosts)
        element = self.element_of(*hosts)
        for number in range(REGISTRATIONS):
            self.through(REGISTRATIONS, number)
            await element.serve(f"pool {number}", TcpTransport(1000 + number, self.here.addresses[0]))
        for host in hosts:
            user = self.user_of(host)
            for number in range(REGISTRATIONS):
                (found,) = (await user.resolve(f"pool {number}")).elements
                self.assertEqual(found.user_transport.port, 1000 + number)
                self.assertEqual(found.asap_transport.addresses, self.here.addresses)
        self.nothing_lost(*processes)

    async def test_resolutions(self) -> None:
        """No resolution fails, and the element stays."""
        registrar, element = self.networks.hosts(2)
        processes = await self.registrars_at(registrar)
        served = await self.element_at(element, 10)
        user = self.user_of(registrar)
        pool = self.watch(user)
        await pool.holds(10)
        for number in range(RESOLUTIONS):
            self.through(RESOLUTIONS, number)
            found = (await user.resolve("pool", fresh=True)).elements
            self.assertEqual([one.identifier for one in found], [10])
        self.assertEqual(pool.history, [[10]])
        self.nothing_lost(*processes)
        self.no_traceback(served)

    async def test_takeover(self) -> None:
        """A registrar's host is gone, and a network is cut while the others notice: one takes the elements over."""
        *hosts, at_one, at_other = self.networks.hosts(5)
        one, two, three = await self.registrars_at(*hosts)
        # They know one registrar alone: another has to come to them.
        elements = [await self.element_at(at_one, 10, hosts[0]), await self.element_at(at_other, 11, hosts[0])]
        pool = self.watch(self.user_of(hosts[1]))
        await pool.holds(10, 11)
        self.networks.isolate(hosts[0])
        await all_of(*(each.says("no home registrar") for each in elements))
        self.networks.cut(0)
        for survivor in (two, three):
            await survivor.says("registrar 0x00000001 is gone: 2 elements belong to")
        lines = [len(each.lines) for each in elements]
        for each, so_far in zip(elements, lines, strict=True):
            if not any(re.search("home registrar is 10.*[34],", line) for line in each.lines):
                await each.says("home registrar is", so_far)
        self.assertEqual({tuple(state) for state in pool.history}, {(10, 11)})
        for survivor, other in ((two, 3), (three, 2)):
            self.assertNotIn("removed", survivor.text)
            self.assertNotIn(f"0x{other:08x} is silent", survivor.text)
        self.no_traceback(two, three, *elements)


class IsolatedTests(ScopeTests):
    """A host is cut off from both networks: then, and only then, it is missed."""

    async def test_element(self) -> None:
        """The element is removed, the others stay; when its host comes back, it registers again."""
        registrar, lonely, other = self.networks.hosts(3)
        (process,) = await self.registrars_at(registrar)
        cut_off = await self.element_at(lonely, 10)
        await self.element_at(other, 11)
        pool = self.watch(self.user_of(registrar))
        await pool.holds(10, 11)
        self.networks.isolate(lonely)
        await pool.holds(11)
        await cut_off.says("no home registrar")
        self.networks.mend(1, lonely)
        await pool.holds(10, 11)
        self.assertEqual(pool.history[-3:], [[10, 11], [11], [10, 11]])
        self.no_traceback(process, cut_off)

    async def test_registrar(self) -> None:
        """Its elements have a new home, and stay; when its host comes back, it learns that they have."""
        *hosts, where = self.networks.hosts(3)
        one, two = await self.registrars_at(*hosts)
        element = await self.element_at(where, 10, *hosts)
        pool = self.watch(self.user_of(hosts[1]))
        await pool.holds(10)
        self.networks.isolate(hosts[0])
        await two.says("registrar 0x00000001 is gone: 1 elements belong to us now")
        await element.says(f"home registrar is {hosts[1].addresses[0]}")
        lines = len(one.lines), len(two.lines)
        self.networks.mend(0, hosts[0])
        self.networks.mend(1, hosts[0])
        await all_of(one.says("peer 0x00000002 at", lines[0]), two.says("peer 0x00000001 at", lines[1]))
        self.assertEqual({tuple(state) for state in pool.history}, {(10,)})
        self.assertNotIn("removed", two.text)
        self.no_traceback(one, two, element)
