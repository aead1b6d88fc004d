"""What happens in the demonstration: kill, stop, freeze and start again, while users fetch pages all the while."""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import LoopingCall, deferLater

from rserpool.cli.demo.screen import Screen
from rserpool.cli.demo.stage import BACKEND, PAGES, POOL, Stage
from rserpool.cli.demo.traffic import Requests, Traffic
from rserpool.cli.demo.verdict import Act, directory_of_commands, ms, table, verdict, what_next
from rserpool.core.profiles import Profile
from rserpool.user.service import PoolUserService

REGISTRARS, SERVERS, USERS = 3, 5, 2
READING = 1 / 3
"""What part of the time between two faults there is to read what happens next."""
WELL = "All is well. Each page comes from the server whose turn it is, as the policy of the pool wants it."
CRASH = "{name} crashes (kill -9). Who has asked it asks another server; registrars take it out of the pool."
STOP = "{name} is stopped in good order (kill): it leaves the pool, answers what it was asked, and ends."
START = "{name} is started again: it registers, and users are told that there is one server more."
REGISTRAR_CRASH = "{name}, a registrar, crashes (kill -9). Another one takes over; no page goes through registrars."
REGISTRAR_START = "{name} is started again: it learns from the other registrars who is in the pool."
REGISTRAR_FREEZE = "{name}, a registrar, freezes (kill -STOP): it answers nobody any more, and nobody is told so."
REGISTRAR_THAW = "{name} thaws (kill -CONT): it hears what it has missed, and takes nothing back from the others."
WEB = "Each registrar has a console (see below): open one in a browser, and choose the pool www. It begins in 20 s."
OPENING = 20
"""Seconds that there are to open a browser."""
FREEZE = "{name} freezes (kill -STOP): connections to it stay open, and nothing comes. Users lose patience."
THAW = "{name} thaws (kill -CONT): it hears that it is not in the pool any more, and registers again."


class Demo:
    """Three registrars, five web servers, two users; then one fault after the other.

    @ivar looked: called four times a second.
    """

    def __init__(
        self, reactor: Any, screen: Screen, *, profile: Profile, phase: float, workers: int, web: bool = False
    ) -> None:
        self._reactor = reactor
        self._screen = screen
        self._profile = profile
        self._phase = phase
        self._workers = workers
        self._requests = Requests()
        self._acts: list[Act] = []
        self._stage = Stage(reactor, screen, profile.name, REGISTRARS, web)
        self._drawing = LoopingCall(self._draw)
        self._drawing.clock = reactor
        self.looked: Callable[[], object] = lambda: None

    async def run(self) -> int:
        """Run it; the exit status: 0 if no request was lost.

        When it is cancelled all processes are ended at once.
        """
        self._drawing.start(0.25)
        try:
            await self._begin()
            await self._play()
        except CancelledError:
            self.kill()
            raise
        finally:
            if self._drawing.running:
                self._drawing.stop()
        await self.stop()
        requests = self._requests
        lines = [*table(self._acts), "", *verdict(self._acts, requests), "", *what_next(directory_of_commands())]
        self._screen.close(self._stage.rows, requests, lines)
        if requests.lost:
            print("the last errors:", *requests.errors, sep="\n  ", file=sys.stderr)
        return 1 if requests.lost or not requests.answered else 0

    async def stop(self) -> None:
        """End every process that was started."""
        await self._stage.end()

    def kill(self) -> None:
        """End them at once."""
        self._stage.kill()

    def _draw(self) -> None:
        self._screen.draw(self._stage.rows, self._requests)
        self.looked()

    async def _begin(self) -> None:
        stage = self._stage
        for number in range(1, REGISTRARS + 1):
            stage.start_registrar(number)
        for number in range(1, REGISTRARS + 1):
            await stage.ready(f"ns-{number}")
        for number in range(1, SERVERS + 1):
            stage.start_server(number)
        for number in range(1, SERVERS + 1):
            await stage.ready(f"web-{number}")

    async def _play(self) -> None:
        users = [self._user(number) for number in range(USERS)]
        traffics = [Traffic(self._reactor, user, POOL.encode(), PAGES, self._requests) for user in users]
        try:
            for traffic in traffics:
                traffic.start(self._workers, 0.01)
            await self._story()
            for traffic in traffics:
                await traffic.stop()
        finally:
            # They would ask a user that is stopped, again and again.
            for traffic in traffics:
                traffic.cancel()
        for user in users:
            await user.stopService()

    async def _story(self) -> None:
        stage = self._stage
        if stage.consoles:
            self._screen.tell(WEB)
            for number, place in enumerate(stage.consoles, 1):
                self._screen.event(f"ns-{number} has its console at http://{place}/")
            await deferLater(self._reactor, OPENING)
        await self._act("all was well", WELL, fault=False)
        await self._of_server("web-1", "KILL", "killed", "a server was killed", CRASH)
        await self._of_server("web-2", "TERM", "draining", "a server was stopped", STOP)
        await self._started("web-1", stage.start_server, 1, "a server was started again", START)

        victim = await self._of_registrar("KILL", "killed", "a registrar was killed", REGISTRAR_CRASH)
        number = int(victim.removeprefix("ns-"))
        await self._started(victim, stage.start_registrar, number, "a registrar was started again", REGISTRAR_START)
        victim = await self._of_registrar("STOP", "frozen", "a registrar was frozen", REGISTRAR_FREEZE)
        await self._thawed(victim, "the frozen registrar thawed", REGISTRAR_THAW)

        await self._of_server("web-3", "STOP", "frozen", "a server was frozen", FREEZE)
        await self._thawed("web-3", "the frozen server thawed", THAW)

    async def _act(
        self, what: str, sentence: str, do: Callable[[], Awaitable[object] | object] | None = None, fault: bool = True
    ) -> Act:
        """Say what happens, give time to read it, do it, and see what comes of it."""
        self._screen.tell(sentence)
        if do is not None:
            await deferLater(self._reactor, self._phase * READING)
            if self._acts:
                # Whoever still waited did so because of what happened before.
                self._acts[-1].gap = max(self._acts[-1].gap, self._requests.take_gap(time.monotonic()))
            done = do()
            if isinstance(done, Awaitable):
                await done
        await deferLater(self._reactor, self._phase)
        act = Act(what, fault, self._requests.take_gap(time.monotonic()))
        self._acts.append(act)
        return act

    async def _of_server(self, name: str, signal: str, state: str, what: str, sentence: str) -> None:
        """Something is done to a server; when did the pool tell its users so?"""
        when: list[float] = []
        do = lambda: when.append(self._stage.signal(name, signal, state))  # noqa: E731
        act = await self._act(what, sentence.format(name=name), do)
        removed = self._stage.removed.get(self._stage.row(name).identifier, 0.0)
        act.notes.append(
            f"{name} out of the pool after {ms(removed - when[0])}"
            if removed >= when[0]
            else f"{name} was not taken out of the pool"
        )
        self._screen.event(act.sentence())

    async def _of_registrar(self, signal: str, state: str, what: str, sentence: str) -> str:
        """Something is done to the registrar that has the most to do; when have its servers another one?"""
        stage = self._stage
        when: list[float] = []
        name = stage.busiest_registrar()
        orphans = [row.name for row in stage.rows if row.serves and row.home == name and row.state == "serves"]
        act = await self._act(what, sentence.format(name=name), lambda: when.append(stage.signal(name, signal, state)))
        times = [stage.homes[orphan] - when[0] for orphan in orphans]
        homeless = [orphan for orphan, took in zip(orphans, times, strict=True) if took < 0]
        if homeless:
            act.notes.append(f"without a new home: {', '.join(homeless)}")
        elif orphans:
            act.notes.append(f"{', '.join(orphans)} at home elsewhere after {ms(max(times))}")
        self._screen.event(act.sentence())
        return name

    async def _thawed(self, name: str, what: str, sentence: str) -> None:
        thaw = lambda: self._stage.signal(name, "CONT", "serves")  # noqa: E731
        await self._act(what, sentence.format(name=name), thaw, fault=False)

    async def _started(self, name: str, start: Callable[[int], None], number: int, what: str, sentence: str) -> None:
        async def again() -> None:
            start(number)
            await self._stage.ready(name)

        await self._act(what, sentence.format(name=name), again, fault=False)

    def _user(self, number: int) -> PoolUserService:
        registrars = self._stage.registrars
        user = PoolUserService(
            self._reactor, registrars[number:] + registrars[:number], profile=self._profile, backend=BACKEND[1]
        )
        user.startService()
        if number == USERS - 1:
            user.subscribe(POOL.encode(), self._stage.pool_changed)
        return user
