"""What the demonstration shows, as a test: registrars and servers die, and no request is lost."""

from __future__ import annotations

import io
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rserpool.admin import AdminClient
from rserpool.cli.demo.screen import Screen
from rserpool.cli.demo.stage import PAGES, POOL, Stage
from rserpool.cli.demo.traffic import Requests, Traffic
from rserpool.core.profiles import DEFAULT
from rserpool.user import PoolUserService

REGISTRARS, SERVERS = 3, 3


class DemonstrationTests(TestCase):
    """Three registrars, three servers, two users; each step waits for what it brings about."""

    timeout = 90

    async def begin(self):
        self.screen = io.StringIO()
        self.stage = Stage(reactor, Screen(self.screen), DEFAULT.name, REGISTRARS, web=True)
        self.addCleanup(self.stage.end)
        for number in range(1, REGISTRARS + 1):
            self.stage.start_registrar(number)
        for number in range(1, REGISTRARS + 1):
            await self.stage.ready(f"ns-{number}")
        for number in range(1, SERVERS + 1):
            self.stage.start_server(number)
        for number in range(1, SERVERS + 1):
            await self.stage.ready(f"web-{number}")

    def user(self, first):
        registrars = self.stage.registrars
        user = PoolUserService(reactor, registrars[first:] + registrars[:first])
        user.startService()
        self.addCleanup(user.stopService)
        return user

    def listed(self, *names):
        """Fires when exactly these servers are in the pool."""
        return self.stage.when(lambda: {row.name for row in self.stage.rows if row.listed} == set(names))

    async def test_no_request_is_lost(self):
        await self.begin()
        stage, requests = self.stage, Requests()
        users = [self.user(0), self.user(1)]
        users[1].subscribe(POOL, stage.pool_changed)
        traffics = [Traffic(reactor, user, POOL.encode(), PAGES, requests) for user in users]
        for traffic in traffics:
            traffic.start(2, 0.01)
        await self.listed("web-1", "web-2", "web-3")
        for place in stage.consoles:
            told = await deferToThread(_pools, place)
            self.assertEqual([("www", 3)], [(pool["pool"], pool["elements"]) for pool in told])

        # A server is killed, one is drained, one comes back.
        stage.signal("web-1", "KILL", "killed")
        await self.listed("web-2", "web-3")
        stage.signal("web-2", "TERM", "draining")
        await self.listed("web-3")
        stage.start_server(1)
        await stage.ready("web-1")
        await self.listed("web-1", "web-3")

        # The registrar that is home to a server is killed: its servers find another home, and stay in the pool.
        victim = stage.busiest_registrar()
        orphans = [row for row in stage.rows if row.serves and row.home == victim and row.state == "serves"]
        self.assertTrue(orphans)
        stage.signal(victim, "KILL", "killed")
        await stage.when(lambda: all(row.home != victim for row in orphans))
        stage.start_registrar(int(victim.removeprefix("ns-")))
        await stage.ready(victim)

        # A registrar is frozen, and comes back: it takes nothing from the living.
        victim = stage.busiest_registrar()
        orphans = [row for row in stage.rows if row.serves and row.home == victim and row.state == "serves"]
        stage.signal(victim, "STOP", "frozen")
        await stage.when(lambda: all(row.home != victim for row in orphans))
        stage.signal(victim, "CONT", "serves")

        # Who serves now serves all that is asked.
        before = dict(requests.served)
        serving = [stage.row("web-1").identifier, stage.row("web-3").identifier]
        while any(requests.served.get(identifier, 0) < before.get(identifier, 0) + 20 for identifier in serving):
            await users[0].resolve(POOL, fresh=True)
        await gatherResults([traffic.stop() for traffic in traffics])
        self.assertEqual(requests.lost, 0, requests.errors)
        self.assertEqual({row.name for row in stage.rows if row.listed}, {"web-1", "web-3"}, self.screen.getvalue())


def _pools(place: str) -> list[dict[str, Any]]:
    return list(AdminClient(place).pools())
