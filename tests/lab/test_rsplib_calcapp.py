"""CalcApp beside rsplib's: one pool of both, users of both, and jobs go on from each other's cookies."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from rserpool.core.addresses import ASAP_PORT
from rserpool.services import Calculation
from rserpool.services.calcapp.messages import Progress
from tests.lab.networks import Host
from tests.lab.rsplib import RsplibTests
from tests.processes.harness import Process, all_of

POOL = b"CalcAppPool"
ENDLESS = 10**12
"""Calculations of a job that ends only at a L{FAST} element."""
SLOW = "1000000"
FAST = "1000000000000000"
"""Calculations a second."""


class CalcAppTests(RsplibTests):
    """Elements of ours and of theirs, under a registrar of ours, or of theirs."""

    timeout = 90

    def ours(self, host: Host, identifier: int, capacity: str, *options: str) -> Process:
        """Start an element of ours on a host."""
        where = f"{self.where.addresses[0]}:{ASAP_PORT}"
        element = ("--registrar", where, "--identifier", str(identifier), "--address", host.addresses[0])
        with host:
            service = ("rserpool-calcapp", "--capacity", capacity, "--cookie-seconds", "0.1", *options)
            return self.twistd("rserpool-pe", *element, "--", *service)

    def theirs(self, host: Host, identifier: int, capacity: str, *options: str) -> Process:
        """Start an element of theirs on a host."""
        service = (f"-capcapacity={capacity}", "-capcookiemaxtime=0.1", *options)
        return self.their_element(host, self.where, "calcapp", identifier, *service)

    async def test_jobs_go_on(self) -> None:
        """Under our registrar."""
        self.where, *hosts = self.networks.hosts(6)
        registrar = await self.our_registrar(self.where, 7)
        await self.jobs_go_on(hosts, lambda *identifiers: self.holds(registrar, POOL, *identifiers))

    async def test_jobs_go_on_under_theirs(self) -> None:
        """Under their registrar."""
        self.where, *hosts = self.networks.hosts(6)
        self.their_registrar(self.where, 7)
        asking = self.our_user(hosts[-1], self.where)
        await self.jobs_go_on(hosts, lambda *identifiers: self.resolves(asking, POOL.decode(), *identifiers))

    async def jobs_go_on(self, hosts: list[Host], serve: Callable[..., Awaitable[None]]) -> None:
        """A job of their user and one of ours: from ours to theirs to ours, each of which is killed but the last.

        @param serve: waits until the pool has these elements.
        """
        *hosts, there, here = hosts
        self.networks.enter(here)
        first = self.ours(hosts[0], 1, SLOW)
        await serve(1)
        calculation = Calculation(self.our_user(here, self.where), POOL, ENDLESS)
        self.addCleanup(calculation.close)
        sizes = (f"-jobsize={ENDLESS}", "-jobinterval=1")
        files = ("-vector=/run/lab/calcapp.vec", "-scalar=/run/lab/calcapp.sca")
        theirs = self.their_user(there, self.where, "calcappclient", *sizes, *files, "-loglevel=5")
        await theirs.says("Got cookie")
        at_first = await self.progress(calculation, 0)
        second = self.theirs(hosts[1], 2, SLOW)
        await serve(1, 2)
        first.signal("KILL")
        accepted = r", completed [1-9]\S* accepted from cookie echo"
        await self.until(lambda: len(re.findall(accepted, second.text)) == 2, "both go on at theirs")
        at_second = await self.progress(calculation, at_first)
        await theirs.says("Got cookie", after=len(theirs.lines))
        third = self.ours(hosts[2], 3, FAST)
        await third.says("registered as")
        await serve(2, 3)
        second.signal("KILL")
        await all_of(third.says(r"job 1 goes on here: [1-9]\d* of"), theirs.says("Job #1 completed"))
        self.assertEqual(3, (await calculation.done).identifier)
        await self.until(lambda: third.text.count(" goes on here: ") == 2, "both go on at ours")
        continued = [int(line.split(" goes on here: ")[1].split()[0]) for line in third.lines if " goes on " in line]
        self.assertGreaterEqual(max(continued), at_second)

    async def progress(self, calculation: Calculation, beyond: int) -> int:
        """Wait until an element has left a cookie that says that more is done."""

        def done() -> int:
            cookie = calculation.session.cookie
            found = 0 if cookie is None else Progress.decode(cookie).done
            return found if found > beyond else 0

        return int(await self.until(done, f"more than {beyond} calculations are done"))
