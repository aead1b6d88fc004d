"""What is measured of growth: one series for each thing that may grow, from 10 to as far as its time allows."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Callable
from typing import TypeAlias

from bench.processes import Ended, Process, Processes, free_port
from bench.registrar import under_load
from bench.report import Figures, progress
from bench.scope import Scope

Point: TypeAlias = dict[str, float]
OF_ONE_PROCESS = 100
"""So many elements with associations of their own share a process."""
PATIENCE = 120.0
KILLED = "killed: seconds until gone"
"""How soon an element that is killed is in no answer any more."""


def elements(size: int, seconds: float) -> Point:
    """Elements in pools of 100 at one registrar, which asks nobody whether it lives."""
    return _filled(size, 100, seconds)


def pools(size: int, seconds: float) -> Point:
    """Pools of one element."""
    return _filled(size, 1, seconds)


def _filled(size: int, pool: int, seconds: float) -> Point:
    with Processes() as processes:
        registrar, to = _registrar(processes, "--no-keep-alive")
        empty = registrar.rss()
        spent, began = registrar.cpu(), time.monotonic()
        options = ("--registrar", to, "--elements", str(size), "--pool", str(pool))
        processes.python("elements", "-m", "bench.filling", *options).says("^filled", PATIENCE)
        spent, filled = registrar.cpu() - spent, time.monotonic() - began
        full = registrar.rss()
        found = _loads(processes, registrar, to, seconds)
        found[KILLED] = _removed(processes, registrar, to, 900_001, signal.SIGKILL)
        return {**found, "bytes": full - empty, "filling us": 1e6 * spent / size, "filling s": filled}


def users(size: int, seconds: float) -> Point:
    """Users that resolve a pool of 10, each over an association of its own."""
    with Processes() as processes:
        registrar, to = _registrar(processes)
        empty = registrar.rss()
        figures = _load(processes, registrar, to, "resolve", seconds, size)
        found = {"resolution us": figures["cpu_us"], "bytes": registrar.rss() - empty, "p99 ms": figures["p99_ms"]}
        arguments = ("bench.load", "--registrar", to, "--clients", str(size), "--seconds", "60")
        return {**found, KILLED: _removed_beside(processes, registrar, to, *arguments)}


def registrars(size: int, seconds: float) -> Point:
    """Registrars that are each other's peers; elements register at one of them."""
    with Processes() as processes:
        scope = Scope(processes, size)
        scope.start_all()
        time.sleep(1.5)
        everybody = list(scope.registrars.values())
        before, began = _cpu(everybody), time.monotonic()
        time.sleep(2 * seconds)
        idle = (_cpu(everybody) - before) / (time.monotonic() - began) / size
        arguments = ["--registrar", scope.asap(1), "--work", "register", "--seconds", str(seconds)]
        load = processes.python("clients", "-m", "bench.load", *arguments)
        load.says("^begin$")
        home, others = everybody[0].cpu(), _cpu(everybody[1:])
        load.says("^end$")
        home, others = everybody[0].cpu() - home, _cpu(everybody[1:]) - others
        answers = max(1, json.loads(load.says("^{").string)["answers"])
        load.end()
        return {
            f"{KILLED} at a peer": _removed(processes, everybody[-1], scope.asap(1), 900_001, signal.SIGKILL),
            "registration us, home": 1e6 * home / answers,
            "registration us, all peers": 1e6 * others / answers,
            "at rest, % of a core each": 100 * idle,
            "bytes of each": sum(each.rss() for each in everybody) / size,
            "seconds until another has all its elements": _takeover(processes, scope),
        }


def _takeover(processes: Processes, scope: Scope) -> float:
    """Kill the home of 100 elements; seconds until another one says that they are its own."""
    filling = processes.python("elements", "-m", "bench.filling", "--registrar", scope.asap(1), "--elements", "100")
    filling.says("^filled", PATIENCE)
    time.sleep(1.0)
    began = time.monotonic()
    scope.registrars[1].signal(signal.SIGKILL)
    for number in range(2, len(scope.registrars) + 1):
        scope.registrars[number].says("0x00000001 is gone", PATIENCE)
    return time.monotonic() - began


def watchers(size: int, seconds: float) -> Point:
    """Users that watch one pool, each over an association of its own; an element comes and goes."""
    with Processes() as processes:
        registrar, to = _registrar(processes, "--no-keep-alive")
        empty = registrar.rss()
        arguments = ("--registrar", to, "--watchers", str(size), "--seconds", str(seconds))
        watching = processes.python("watchers", "-m", "bench.growth.watching", *arguments)
        figures = under_load(registrar, watching)
        return {
            "change us": figures["cpu_us"] * size,
            "change us, each watcher": figures["cpu_us"],
            "ms until the last was told": figures["last_ms"],
            "bytes": registrar.rss() - empty,
            KILLED: _removed_beside(
                processes, registrar, to, "bench.growth.watching", *arguments[:4], "--seconds", "60"
            ),
        }


def rate(size: int, seconds: float) -> Point:
    """Resolutions a second, by 16 clients."""
    with Processes() as processes:
        registrar, to = _registrar(processes, "--no-keep-alive")
        empty = registrar.rss()
        arguments = ("--registrar", to, "--rate", str(size), "--seconds", str(2 * seconds))
        figures = under_load(registrar, processes.python("clients", "-m", "bench.growth.pacing", *arguments))
        if figures["per_second"] < 0.9 * size:
            raise Saturated(f"{size}/s were asked for, and {figures['per_second']:,.0f}/s came")
        found = {"resolution us": figures["cpu_us"], "p50 ms": figures["p50_ms"], "p99 ms": figures["p99_ms"]}
        beside = _removed_beside(processes, registrar, to, "bench.growth.pacing", *arguments[:4], "--seconds", "60")
        return {**found, "bytes": registrar.rss() - empty, KILLED: beside}


def supervised(size: int, seconds: float) -> Point:
    """Elements that are asked whether they live, over an association each; one is killed, one stands still."""
    with Processes() as processes:
        registrar, to = _registrar(processes)
        empty = registrar.rss()
        for each in [_light(processes, to, min(OF_ONE_PROCESS, size - at), 1) for at in range(0, size, OF_ONE_PROCESS)]:
            each.says("^begin", PATIENCE)
        time.sleep(1.0)
        return {
            "% of a core": _share(registrar, seconds),
            KILLED: _removed(processes, registrar, to, 900_001, signal.SIGKILL),
            "silent: seconds until gone": _removed(processes, registrar, to, 900_002, signal.SIGSTOP),
            "bytes": registrar.rss() - empty,
        }


def resting(size: int, seconds: float) -> Point:
    """Associations over which nothing is said but heartbeats of SCTP."""
    with Processes() as processes:
        registrar, to = _registrar(processes)
        empty = registrar.rss()
        for each in [_light(processes, to, min(OF_ONE_PROCESS, size - at), 0) for at in range(0, size, OF_ONE_PROCESS)]:
            each.says("^begin", PATIENCE)
        time.sleep(1.0)
        return {"% of a core": _share(registrar, seconds), "bytes": registrar.rss() - empty}


def _light(processes: Processes, to: str, associations: int, each: int) -> Process:
    arguments = ("--registrar", to, "--associations", str(associations), "--each", str(each), "--seconds", "300")
    return processes.python("elements", "-m", "bench.elements", *arguments)


def _share(registrar: Process, seconds: float) -> float:
    """Of a core, in percent, over twice so many seconds."""
    before, began = registrar.cpu(), time.monotonic()
    time.sleep(2 * seconds)
    return 100 * (registrar.cpu() - before) / (time.monotonic() - began)


def _removed(processes: Processes, registrar: Process, to: str, number: int, fault: int) -> float:
    arguments = ("rserpool", f"--at={to}", "--elements", "1", "--first", str(number))
    victim = processes.python("victim", "-m", "bench.peers.holding", *arguments)
    victim.says("^held", PATIENCE)
    time.sleep(1.5)
    began = time.monotonic()
    victim.signal(fault)
    registrar.says(f"0x{number:08x} removed", PATIENCE)
    passed = time.monotonic() - began
    victim.end()
    return passed


def _removed_beside(processes: Processes, registrar: Process, to: str, *arguments: str) -> float:
    """The same of one that is killed, while other clients are at work."""
    others = processes.python("others", "-m", *arguments)
    others.says("^begin", PATIENCE)
    passed = _removed(processes, registrar, to, 900_001, signal.SIGKILL)
    others.end()
    return passed


def joining(size: int, seconds: float) -> Point:
    """Elements of a scope that another registrar joins; nobody resolves, and nobody is asked whether it lives."""
    with Processes() as processes:
        scope = Scope(processes, 2, "--no-keep-alive")
        mentor = scope.start(1, peers=False)
        options = ("--registrar", scope.asap(1), "--elements", str(size))
        processes.python("elements", "-m", "bench.filling", *options).says("^filled", PATIENCE)
        spent = mentor.cpu()
        joiner = scope.start(2)
        listens, before = time.monotonic(), joiner.cpu()
        joiner.says(r"ready: (\d+) elements", PATIENCE)
        return {
            "seconds until ready": time.monotonic() - listens,
            "mentor us, each element": 1e6 * (mentor.cpu() - spent) / size,
            "joining us, each element": 1e6 * (joiner.cpu() - before) / size,
        }


class Saturated(Exception):
    """This machine does no more."""


SERIES: dict[str, tuple[Callable[[int, float], Point], tuple[int, ...]]] = {
    "elements": (elements, (10, 100, 1000, 10_000, 30_000, 100_000)),
    "pools": (pools, (10, 100, 1000, 10_000, 90_000)),
    "users": (users, (10, 100, 300, 1000, 1900)),
    "registrars": (registrars, (2, 3, 5, 10, 20)),
    "elements that are downloaded": (joining, (10, 100, 1000, 10_000, 30_000, 100_000)),
    "watchers": (watchers, (10, 100, 300, 1000, 1900)),
    "message rate": (rate, (10, 100, 1000, 3000, 10_000, 30_000)),
    "associations at rest": (resting, (10, 100, 300, 1000, 1900)),
    "supervised elements": (supervised, (10, 100, 300, 1000, 1900)),
}
"""What grows, how one point of it is measured, and its sizes; the limits of a registrar as it is set end some."""

LONGER = {"elements": 2.0, "pools": 2.0}
"""Whose points take several measurements have more time."""


def series(name: str, seconds: float, budget: float) -> Figures:
    """One series, until the next point would take more time than is left.

    @param seconds: time for each rate.
    @param budget: seconds for all of it.
    """
    measure, sizes = SERIES[name]
    budget *= LONGER.get(name, 1.0)
    points: list[Figures] = []
    ended = "all sizes were measured"
    began = time.monotonic()
    first = last = 0.0
    before = 0
    for size in sizes:
        left = budget - (time.monotonic() - began)
        # What a start takes, and what grows.
        expected = first + max(0.0, last - first) * size / before if before else 0.0
        if len(points) > 1 and expected > left:
            ended = f"{size:,} would have taken more time than there was"
            break
        since = time.monotonic()
        try:
            point = measure(size, seconds)
        except Saturated as error:
            ended = str(error)
            break
        except (Ended, TimeoutError, OSError) as error:
            if len(points) < 2:
                raise
            progress(f"growth, {name} {size:,}: {error}")
            ended = f"at {size:,} something gave up ({str(error).splitlines()[0]})"
            break
        last = time.monotonic() - since
        first, before = first or last, size
        points.append({"size": size, **point})
        progress(f"growth, {name} {size:,}: " + ", ".join(f"{key} {value:,.4g}" for key, value in point.items()))
    return {"points": points, "ended": ended, "about": (measure.__doc__ or "").strip()}


def _registrar(processes: Processes, *options: str) -> tuple[Process, str]:
    udp = free_port(socket.SOCK_DGRAM)
    return processes.registrar(udp, "--asap-tcp", "none", *options), f"127.0.0.1:3863/{udp}"


def _load(processes: Processes, registrar: Process, to: str, work: str, seconds: float, clients: int = 16) -> Figures:
    arguments = ["--registrar", to, "--work", work, "--seconds", str(seconds), "--clients", str(clients)]
    arguments += ["--warm", "0.3"]
    return under_load(registrar, processes.python("clients", "-m", "bench.load", *arguments))


def _loads(processes: Processes, registrar: Process, to: str, seconds: float) -> Point:
    return {
        f"{called} us": _load(processes, registrar, to, work, seconds)["cpu_us"]
        for work, called in (("resolve", "resolution"), ("reregister", "re-registration"), ("register", "registration"))
    }


def _cpu(processes: list[Process]) -> float:
    return sum(each.cpu() for each in processes)
