"""What is measured of one system as it is set: rates, memory, idling and faults; servers have hosts of their own."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.hosts import Hosts, hosts
from bench.peers.registries import Registry, Setting, ZooKeeper
from bench.processes import Process, Processes
from bench.report import Figures, progress
from bench.scope import Listener

SERVERS = 3
CLIENTS = {"etcd": ("aetcd", "etcd3gw"), "ZooKeeper": ("kazoo",), "rserpool": ("rserpool",)}
LINE = r"^(listed )?(\d+\.\d+) ([\d,]*)$"
PATIENCE = 90.0
SOON = 2.0
"""A quick run waits for no lease that is longer, in seconds."""


@dataclass(frozen=True)
class Amount:
    """How much is done.

    @ivar seconds: for each rate.
    @ivar shared: elements of one owner.
    @ivar owners: elements that have an owner of their own each.
    @ivar faults: so many of each kind.
    @ivar silence: as long as silent hosts may take together, in seconds; those that take longer are one.
    """

    seconds: float = 3.0
    shared: int = 20_000
    owners: int = 100
    faults: int = 5
    silence: float = 20.0


QUICK = Amount(0.5, 1000, 10, 1, 0.0)


def alone(setting: Setting, amount: Amount) -> Figures:
    """One node: rates, memory, what idling costs."""
    found: Figures = {}
    with Registry.of(setting, 1) as registry, Processes() as processes:
        if amount is QUICK:
            ten = _held(processes, setting, registry, 10, each=True)
            found["rates"] = rates(processes, setting, registry, amount)
            ten.end()
        empty, heap = _memory(registry)
        owned = _held(processes, setting, registry, amount.owners, each=True, first=1000)
        time.sleep(1.0)
        own, own_heap = _memory(registry)
        found["idle"] = _idle(registry, owned, amount)
        owned.end()
        many = _shared(processes, setting, registry, amount.shared)
        time.sleep(1.0)
        full, full_heap = _memory(registry)
        found["memory"] = {
            "empty": empty,
            "shared": max(0.0, (full - own) / amount.shared),
            "own": max(0.0, (own - empty) / amount.owners),
            **({"heap_shared": (full_heap - own_heap) / amount.shared} if heap is not None else {}),
            **({"heap_own": (own_heap - heap) / amount.owners} if heap is not None else {}),
        }
        many.end()
    if amount is QUICK:
        return found
    with Registry.of(setting, 1) as registry, Processes() as processes:
        _held(processes, setting, registry, 10, each=True)
        found["rates"] = rates(processes, setting, registry, amount)
    return found


def three(setting: Setting, amount: Amount) -> Figures:
    """Three nodes: faults, then rates; servers on hosts of their own."""
    with hosts(SERVERS) as place, Processes() as processes:
        here = place.before(0)
        with Registry.of(setting, 3, place.address(0), here) as registry:
            scene = Scene(setting, registry, processes, place)
            time.sleep(1.0)
            before, began = registry.cpu(), time.monotonic()
            time.sleep(min(2.0, amount.seconds))
            found: Figures = {"idle_percent": 100 * (registry.cpu() - before) / (time.monotonic() - began)}
            found |= scene.faults(amount)
            found["silent_by"] = place.kind
            scene.end()
            _held(processes, setting, registry, 10, each=True, host=place.address(0), before=here)
            found["rates"] = rates(processes, setting, registry, amount, place.address(0), here)
    return found


def rates(
    processes: Processes,
    setting: Setting,
    registry: Registry,
    amount: Amount,
    host: str = "127.0.0.1",
    before: Any = (),
) -> Figures:
    """Resolving and registering, with each of the libraries."""
    found: Figures = {}
    for work in ("resolve", "register"):
        for client in CLIENTS[setting.system][: 1 if amount is QUICK else None]:
            load = processes.python(
                "clients",
                *("-m", "bench.peers.load", *setting.options(registry.at, client)),
                *("--work", work, "--seconds", str(amount.seconds), "--host", host),
                before=before,
            )
            load.says("^begin$")
            spent = registry.cpu()
            load.says("^end$")
            spent = registry.cpu() - spent
            one: Figures = json.loads(load.says("^{").string)
            load.end()
            one["nodes_us"] = 1e6 * spent / max(one["answers"], 1)
            found[f"{work}, {client}"] = one
            progress(
                f"{setting.title}, {registry.count} nodes, {work} ({client}): {one['per_second']:,.0f}/s,"
                f" p99 {one['p99_ms']:.1f} ms, {one['nodes_us']:.0f} us of nodes, {one['client_us']:.0f} of clients"
                + (f", {one['failed']} FAILED ({one['why'][0]})" if one["failed"] else "")
            )
    return found


def _held(
    processes: Processes,
    setting: Setting,
    registry: Registry,
    elements: int,
    each: bool = False,
    first: int = 1,
    host: str = "127.0.0.1",
    before: Any = (),
) -> Process:
    arguments = [*setting.options(registry.at), "--elements", str(elements), "--first", str(first)]
    arguments += ["--host", host, *["--each"] * each]
    held = processes.python("owners", "-m", "bench.peers.holding", *arguments, before=before)
    held.says("^held", PATIENCE)
    return held


def _shared(processes: Processes, setting: Setting, registry: Registry, elements: int) -> Process:
    if setting.system != "rserpool":
        # Another pool of numbers than that of those with owners of their own.
        arguments = [*setting.options(registry.at), "--elements", str(elements), "--first", "100000"]
        held = processes.python("owner", "-m", "bench.peers.holding", *arguments)
        held.says("^held", PATIENCE)
        return held
    arguments = ["--registrar", registry.at[0], "--elements", str(elements)]
    held = processes.python("owner", "-m", "bench.filling", *arguments)
    held.says("^filled", PATIENCE)
    return held


def _memory(registry: Registry) -> tuple[int, Any]:
    rss = registry.rss()
    return rss, registry.heap() if isinstance(registry, ZooKeeper) else None


def _idle(registry: Registry, owners: Process, amount: Amount) -> Figures:
    seconds = 2 * amount.seconds
    before, began = (registry.cpu(), owners.cpu()), time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    nodes, own = registry.cpu() - before[0], owners.cpu() - before[1]
    found = {"owners": amount.owners, "nodes_percent": 100 * nodes / passed, "owners_percent": 100 * own / passed}
    progress(
        f"{registry.setting.title}: {amount.owners} owners at rest: {found['nodes_percent']:.2f} % of a core the node,"
        f" {found['owners_percent']:.2f} % the owners"
    )
    return found


class Scene:
    """Servers on hosts of their own, and a user that keeps its connection, before three nodes."""

    def __init__(self, setting: Setting, registry: Registry, processes: Processes, place: Hosts) -> None:
        self._setting = setting
        self._registry = registry
        self._processes = processes
        self._place = place
        self._next = 1
        self._servers: dict[int, tuple[int, Process]] = {}
        for host in range(1, SERVERS + 1):
            self._serve(host)
        self._kept_process, self._kept = self._user()
        _until(lambda: len(self._answers(self._kept)) > 20, "the user is not served")

    def faults(self, amount: Amount) -> Figures:
        """All kinds: times in ms, as the user has it, and until the registry no longer lists the server."""
        # A new leader of etcd gives each lease its whole time again: nodes come first.
        nodes = [self._node_fails() for _ in range(max(1, amount.faults - 2) if amount.faults > 1 else 1)]
        killed: list[float] = []
        fallen: dict[int, float] = {}
        for _ in range(amount.faults):
            killed.append(self._server_fails(False, fallen))
        silent: list[float] = []
        began = time.monotonic()
        expected = self._setting.ttl
        if expected <= SOON or amount.silence:
            fallen_silent: dict[int, float] = {}
            while not silent or (len(silent) < amount.faults and time.monotonic() - began < amount.silence - expected):
                silent.append(self._server_fails(True, fallen_silent))
        delisted = self._delisted(fallen, 0.0 if not amount.silence and expected > SOON else 1.6 * expected + 5.0)
        found = {
            "killed_ms": [1000 * each for each in killed],
            "node_killed_ms": [1000 * each for each in nodes],
            "silent_ms": [1000 * each for each in silent],
            "delisted_ms": [1000 * each for each in delisted],
        }
        for name, several in found.items():
            progress(f"{self._setting.title}, {name}: {', '.join(f'{each:,.0f}' for each in several) or 'not tried'}")
        return found

    def end(self) -> None:
        """Users and servers end, so that their processor time is nobody's."""
        self._kept_process.end()
        for _, server in self._servers.values():
            server.end()

    def _server_fails(self, silent: bool, fallen: dict[int, float]) -> float:
        """The server that serves the user fails; seconds between its last answer and the next one's first."""
        calm = time.monotonic() + 0.7
        _until(lambda: self._answers(self._kept)[-1][0] > calm, "the user is no longer served")
        number = self._answers(self._kept)[-1][1]
        host, server = self._servers.pop(number)
        fallen[number] = time.monotonic()
        if silent:
            self._place.silence(host, server)
        else:
            server.signal(signal.SIGKILL)
        _until(lambda: self._answers(self._kept)[-1][1] != number, f"nobody served instead of {number}")
        answers = self._answers(self._kept)
        last = max(when for when, who in answers if who == number)
        first = min(when for when, who in answers if when > last)
        server.end()
        if silent:
            self._place.restore(host)
        self._serve(host)
        return first - last

    def _node_fails(self) -> float:
        """The node that a user asks, the leader, is killed; the longest pause around it, in seconds."""
        leader = self._registry.leader()
        process, fresh = self._user(leader, fresh=True)
        _until(lambda: len(self._answers(fresh)) > 20, "the user is not served")
        time.sleep(1.0)
        failed = time.monotonic()
        self._registry.kill(leader)
        _until(lambda: self._answers(fresh)[-1][0] > failed + 1.0, "no user was served again")
        time.sleep(1.0)
        around = [when for when, _ in self._answers(fresh) if when > failed - 0.2]
        process.end()
        self._registry.start(leader)
        self._registry.wait()
        time.sleep(0.5)
        return max(later - earlier for earlier, later in zip(around, around[1:], strict=False))

    def _delisted(self, fallen: dict[int, float], patience: float) -> list[float]:
        """How long each was listed after it had failed, in seconds."""

        def gone(number: int) -> float | None:
            for _, match in self._kept.found:
                if match[1] and float(match[2]) > fallen[number] and str(number) not in match[3].split(","):
                    return float(match[2]) - fallen[number]
            return None

        until = time.monotonic() + patience
        while time.monotonic() < until and any(gone(number) is None for number in fallen):
            time.sleep(0.1)
        return [seconds for number in fallen if (seconds := gone(number)) is not None]

    def _serve(self, host: int) -> None:
        number, self._next = self._next, self._next + 1
        arguments = [*self._setting.options(self._registry.at), "--host", self._place.address(host)]
        arguments += ["--number", str(number)]
        server = self._processes.python(
            f"server {number}", "-m", "bench.peers.serving", *arguments, before=self._place.before(host)
        )
        server.says("^serves")
        self._servers[number] = host, server

    def _user(self, first: int = 0, fresh: bool = False) -> tuple[Process, Listener]:
        at = self._registry.at[first:] + self._registry.at[:first]
        arguments = [*self._setting.options(at), *["--fresh"] * fresh]
        user = self._processes.python("user", "-m", "bench.peers.using", *arguments, before=self._place.before(0))
        return user, Listener(user, LINE)

    @staticmethod
    def _answers(user: Listener) -> list[tuple[float, int]]:
        found: list[tuple[float, re.Match[str]]] = user.found[-4000:]
        return [(float(match[2]), int(match[3])) for _, match in found if not match[1]]


def _until(happened: Callable[[], bool], else_: str, seconds: float = PATIENCE) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            if happened():
                return
        except IndexError:
            pass
        if time.monotonic() > until:
            raise TimeoutError(else_)
        time.sleep(0.02)
