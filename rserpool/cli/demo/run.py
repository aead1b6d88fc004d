"""The demonstration itself: kill, drain, freeze and restart, while users fetch pages all the while."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import LoopingCall, deferLater

from rserpool.cli.demo.screen import Screen
from rserpool.cli.demo.stage import POOL, Stage
from rserpool.cli.demo.traffic import DEADLINE, Requests, Traffic
from rserpool.cli.options import number as above_0
from rserpool.cli.signals import ENDING, on_signals
from rserpool.core.profiles import PROFILES, Profile
from rserpool.sctp.stack import open_stack
from rserpool.user.service import PoolUserService

SUMMARY = "show a pool that survives: registrars, web servers, users, and their faults"
REGISTRARS, SERVERS, USERS = 3, 5, 2


class Demo:
    """Three registrars, five web servers, two users; then one fault after the other."""

    def __init__(self, reactor: Any, screen: Screen, *, profile: Profile, phase: float, workers: int) -> None:
        self._reactor = reactor
        self._screen = screen
        self._profile = profile
        self._phase = phase
        self._workers = workers
        self._requests = Requests()
        self._figures: list[tuple[str, str]] = []
        self._stage = Stage(reactor, screen, profile.name, REGISTRARS)

    async def run(self) -> int:
        """Run it; the exit status: 0 if no request was lost."""
        stage, requests = self._stage, self._requests
        for number in range(1, REGISTRARS + 1):
            stage.start_registrar(number)
        for number in range(1, REGISTRARS + 1):
            await stage.ready(f"ns-{number}")
        for number in range(1, SERVERS + 1):
            stage.start_server(number)
        for number in range(1, SERVERS + 1):
            await stage.ready(f"web-{number}")

        users = [self._user(number) for number in range(USERS)]
        traffics = [Traffic(self._reactor, user, POOL.encode(), stage.pages, requests) for user in users]
        drawing = LoopingCall(lambda: self._screen.draw(stage.rows, requests))
        drawing.clock = self._reactor
        try:
            for traffic in traffics:
                traffic.start(self._workers, 0.01)
            drawing.start(0.25)
            await self._story()
            for traffic in traffics:
                await traffic.stop()
        finally:
            # They would ask a user that is stopped, again and again.
            for traffic in traffics:
                traffic.cancel()
            if drawing.running:
                drawing.stop()
            for user in users:
                await user.stopService()
        self._screen.draw(stage.rows, requests)
        self._screen.summary(
            stage.rows,
            requests,
            [
                ("requests answered", str(requests.answered)),
                ("requests repeated at another server", str(requests.repeated)),
                (f"requests lost (no answer within {DEADLINE:g} s)", str(requests.lost)),
                *self._figures,
                ("longest gap of all", _ms(requests.gap)),
            ],
        )
        if requests.lost:
            print("requests were lost; the last errors:", *requests.errors, sep="\n  ", file=sys.stderr)
        if not requests.answered:
            print("nothing was answered", file=sys.stderr)
        return 1 if requests.lost or not requests.answered else 0

    async def stop(self) -> None:
        """End every process that was started."""
        await self._stage.end()

    def kill(self) -> None:
        """End them at once."""
        self._stage.kill()

    async def _story(self) -> None:
        stage = self._stage
        await self._watch("while all is well")

        when = stage.signal("web-1", "KILL", "killed")
        await self._watch("when a server is killed (SIGKILL)")
        self._rid_of("web-1", when)

        when = stage.signal("web-2", "TERM", "draining")
        await self._watch("when a server is stopped (SIGTERM)")
        self._rid_of("web-2", when)

        stage.start_server(1)
        await stage.ready("web-1")
        await self._watch("when a server is started again")

        victim = stage.busiest_registrar()
        await self._fault_of_registrar(victim, "KILL", "killed", "when a registrar is killed (SIGKILL)")
        stage.start_registrar(int(victim.removeprefix("ns-")))
        await stage.ready(victim)
        await self._watch("when it is started again")

        victim = stage.busiest_registrar()
        await self._fault_of_registrar(victim, "STOP", "frozen", "when a registrar is frozen (SIGSTOP)")
        stage.signal(victim, "CONT", "serves")
        await self._watch("when it thaws (SIGCONT)")

        when = stage.signal("web-3", "STOP", "frozen")
        await self._watch("when a server is frozen (SIGSTOP)")
        self._rid_of("web-3", when)
        stage.signal("web-3", "CONT", "serves")
        await self._watch("when it thaws (SIGCONT)")

    async def _fault_of_registrar(self, name: str, signal: str, state: str, what: str) -> None:
        stage = self._stage
        orphans = [row.name for row in stage.rows if row.serves and row.home == name and row.state == "serves"]
        when = stage.signal(name, signal, state)
        await self._watch(what)
        times = [stage.homes[orphan] - when for orphan in orphans]
        homeless = [orphan for orphan, took in zip(orphans, times, strict=True) if took < 0]
        if homeless:
            self._figures.append(("    its servers without a new home", ", ".join(homeless)))
        elif orphans:
            self._figures.append((f"    its {len(orphans)} servers have a new home after", _ms(max(times))))

    async def _watch(self, what: str) -> None:
        self._requests.take_gap()
        await deferLater(self._reactor, self._phase)
        self._figures.append((f"longest gap {what}", _ms(self._requests.take_gap())))

    def _rid_of(self, name: str, when: float) -> None:
        removed = self._stage.removed.get(self._stage.row(name).identifier, 0.0)
        self._figures.append(("    the pool is rid of it after", "never" if removed < when else _ms(removed - when)))

    def _user(self, number: int) -> PoolUserService:
        registrars = self._stage.registrars
        user = PoolUserService(self._reactor, registrars[number:] + registrars[:number], profile=self._profile)
        user.startService()
        if number == USERS - 1:
            user.subscribe(POOL.encode(), self._stage.pool_changed)
        return user


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of C{rserpool demo}."""
    parser.set_defaults(quiet=True)
    parser.add_argument("--profile", default="default", choices=list(PROFILES), help="timers (default)")
    seconds, whole = above_0(float), above_0(int)
    parser.add_argument("--phase", type=seconds, default=3.0, metavar="SECONDS", help="time between two faults (3)")
    parser.add_argument("--workers", type=whole, default=2, metavar="N", help="requests at the same time, a user (2)")


async def run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    """Run the demonstration; 1 if a request was lost.

    @raise SctpUnavailable: if there is no SCTP here, before anything starts.
    """
    await open_stack(reactor).close()
    screen = Screen(out)
    demo = Demo(reactor, screen, profile=PROFILES[options.profile], phase=options.phase, workers=options.workers)
    running = ensureDeferred(demo.run())
    screen.lost = lambda: reactor.callLater(0, running.cancel)
    try:
        return await running
    except CancelledError:
        if screen.error is not None:
            raise screen.error from None
        raise
    finally:
        # Who cannot wait ends them at once.
        restore = on_signals(reactor, ENDING, lambda _: demo.kill())
        await to_the_end(demo.stop())
        restore()


async def to_the_end(ending: Coroutine[Any, Any, None]) -> None:
    """Do it, however often it is cancelled."""
    done = ensureDeferred(ending)
    while not done.called:
        waiting: Deferred[None] = Deferred()
        done.addBoth(_passed_on, waiting)
        with suppress(CancelledError):
            await waiting


def _passed_on(result: Any, waiting: Deferred[None]) -> Any:
    if not waiting.called:
        waiting.callback(None)
    return result


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
