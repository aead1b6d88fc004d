"""One random run: a cluster, faults in a random order, calm, and what must hold then. All of it hangs on the seed."""

from __future__ import annotations

import math
import traceback
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from rserpool.core import Profile
from rserpool.core.profiles import DEFAULT, FAST, RFC
from tests.simulation import invariants
from tests.simulation.cluster import Cluster
from tests.simulation.members import ElementProcess, Process, RegistrarProcess

POLICIES = (
    "round-robin",
    "weighted-round-robin:weight={}",
    "random",
    "weighted-random:weight={}",
    "least-used:load=0.{}",
    "priority:priority={}",
    "least-used-degradation:load=0.{},degradation=0.1",
)
SLOW_KEEP_ALIVES = replace(FAST, keep_alive_interval=0.5, keep_alive_timeout=1.0)
PROFILES = (FAST, FAST, FAST, FAST, SLOW_KEEP_ALIVES, DEFAULT, DEFAULT, RFC)


@dataclass(frozen=True, slots=True)
class Report:
    """How a run went; C{settled} is how many seconds after the last fault all was well."""

    seed: int
    faults: tuple[str, ...]
    messages: int
    settled: float
    virtual: float
    trace: str


def play(seed: int, keep_trace: bool = False) -> Report:
    """Run one seed."""
    run = Run(seed)
    cluster = run.cluster
    try:
        return run.report(keep_trace)
    except Exception:  # noqa: BLE001
        faults = (*cluster.errors, traceback.format_exc())
        return Report(seed, faults, cluster.trace.messages, 0.0, cluster.now, cluster.trace.text())
    finally:
        cluster.close()


class Run:
    """One seed's cluster, and its chance."""

    def __init__(self, seed: int) -> None:
        dice = self.dice = Random(f"{seed}/schedule")
        self.profile: Profile = dice.choice(PROFILES)
        self.unit = self.profile.max_time_last_heard
        registrars = dice.choices((1, 2, 3, 4, 5), (1, 2, 4, 2, 1))[0]
        topology = dice.choices(("full", "star", "chain"), (4, 1, 1))[0]
        announcements = dice.random() < 0.25
        known = not announcements or dice.random() < 0.5
        self.cluster = Cluster(
            seed,
            registrars,
            profile=self.profile,
            topology=topology,
            announcements=announcements,
            known=known,
            start=False,
        )
        network = self.cluster.network
        network.latency = dice.choice((0.0001, 0.001, 0.01))
        network.jitter = dice.choice((0.0, network.latency, 3 * network.latency))
        self.size = registrars
        self.full = topology == "full"
        self.pools = [f"pool-{n}".encode() for n in range(dice.randint(1, 3))]
        self.policies = {handle: dice.choice(POLICIES) for handle in self.pools}
        self.disputed = dice.choice(self.pools) if dice.random() < 0.1 else None
        self.elements = dice.randint(0, 12)
        self.users = dice.randint(0, 4)
        self.problems: list[str] = []
        self._undo: list[Any] = []
        self._quiet_since = 0.0

    def report(self, keep_trace: bool) -> Report:
        """Play it, and judge."""
        cluster = self.cluster
        self._begin()
        for _ in range(self.dice.randint(2, 16)):
            self._fault()
            cluster.run(self.dice.expovariate(1.5 / self.unit))
            self._watch()
        self._calm()
        settled = self._settle()
        self.problems += invariants.resolutions(cluster) if not self.problems else []
        self._watch()
        if not self.problems:
            # And so it stays.
            cluster.run(3 * self.unit)
            for _ in range(5):
                # An element may just be registering again.
                later = invariants.unsettled(cluster)
                if not later:
                    break
                cluster.run(0.1)
            self.problems += [f"later: {fault}" for fault in later]
        self.problems += cluster.errors
        return Report(
            cluster.seed,
            tuple(self.problems),
            cluster.trace.messages,
            settled,
            cluster.now,
            cluster.trace.text() if keep_trace or self.problems else "",
        )

    def _begin(self) -> None:
        cluster, dice = self.cluster, self.dice
        together = dice.random() < 0.3
        for number in range(1, self.size + 1):
            cluster.start_registrar(number)
            if not together:
                cluster.run(dice.uniform(0.0, self.unit))
        for number in range(1, self.elements + 1):
            self._start_element(number)
        for number in range(1, self.users + 1):
            user = cluster.start_user(number)
            for handle in self.pools:
                if dice.random() < 0.4:
                    user.subscribe(handle)
            self._ask(user)
        cluster.run(dice.uniform(0.0, 2 * self.unit))

    def _ask(self, user: Any) -> None:
        """A user asks now and then, as long as it lives."""
        if user.alive:
            user.clock.enter(user.resolve, self.dice.choice(self.pools), self.dice.random() < 0.1)
            self.cluster.timeline.callLater(self.dice.expovariate(1.0 / self.unit), self._ask, user)

    def _start_element(self, number: int, identifier: int | None = None) -> None:
        dice = self.dice
        handle = dice.choice(self.pools)
        policy = self.policies[handle]
        if handle == self.disputed:
            policy = dice.choice(POLICIES[:3])
        life = dice.choice((None, None, None, round(3 * self.unit), round(5 * self.unit)))
        self.cluster.start_element(number, handle, policy.format(dice.randint(1, 9)), identifier, life)

    # Faults

    def _fault(self) -> None:
        kinds = (
            (6, self._kill_registrar),
            (1, self._kill_all_registrars),
            (3, self._power_off),
            (4, self._kill_element),
            (3, self._stop),
            (2, self._partition),
            (2, self._split),
            (2, self._oneway),
            (2, self._cut),
            (1, self._hold),
            (1, self._slow_way),
            (1, self._drift),
            (2, self._slow_node),
            (1, self._lose_announcements),
            (2, self._change),
            (2, self._leave),
        )
        self.dice.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])[0]()

    def _for_a_while(self, undo: Any, *arguments: Any) -> None:
        """The fault ends by itself, or when all are healed."""
        entry = (undo, arguments)
        self._undo.append(entry)
        if undo in (self._power_on, self._go_on, self.cluster.heal, self.cluster.release):
            # So long nothing can be promised to users: those whom it cut off may have been removed from their pools.
            self._quiet_since = math.inf

        def end() -> None:
            if entry in self._undo:
                self._undo.remove(entry)
                undo(*arguments)
                self._quieter()

        self.cluster.timeline.callLater(self.dice.expovariate(1.0 / (1.5 * self.unit)), end)

    def _quieter(self) -> None:
        cuts = (self._power_on, self._go_on, self.cluster.heal, self.cluster.release)
        if self._quiet_since == math.inf and not any(undo in cuts for undo, _ in self._undo):
            self._quiet_since = self.cluster.now + self.patience

    def _some(self, processes: Any) -> Any:
        living = [process for process in processes if process.alive]
        return self.dice.choice(living) if living else None

    def _pair(self) -> tuple[Any, Any]:
        """Two processes; often two registrars. They may be the same."""
        among = self.cluster.living if self.cluster.living and self.dice.random() < 0.5 else self.cluster.processes
        return self._some(among), self._some(among)

    def _kill_registrar(self) -> None:
        victim = self._some(self.cluster.registrars.values())
        if victim is not None:
            self.cluster.crash(victim)
            self._for_a_while(self._restart, victim)

    def _kill_all_registrars(self) -> None:
        victims = self.cluster.living
        self.cluster.crash(*victims)
        for victim in victims:
            self._for_a_while(self._restart, victim)

    def _restart(self, victim: RegistrarProcess) -> None:
        if self.cluster.registrars[victim.name] is victim and not victim.alive:
            self.cluster.start_registrar(int(victim.name[1:]), None if self.dice.random() < 0.5 else 0)

    def _power_off(self) -> None:
        victim = self._some([*self.cluster.registrars.values(), *self.cluster.elements.values()])
        if victim is not None:
            self.cluster.silence(victim)
            self._for_a_while(self._power_on, victim, self.dice.random() < 0.5)

    def _power_on(self, victim: Process, rebooted: bool) -> None:
        if not victim.alive:
            return
        if not rebooted:
            self.cluster.unsilence(victim)
            return
        self.cluster.crash(victim)
        if isinstance(victim, RegistrarProcess):
            self._restart(victim)
        elif isinstance(victim, ElementProcess):
            self._revive(victim)

    def _kill_element(self) -> None:
        victim = self._some(self.cluster.elements.values())
        if victim is not None:
            self.cluster.crash(victim)
            if self.dice.random() < 0.7:
                self._for_a_while(self._revive, victim)

    def _revive(self, victim: ElementProcess) -> None:
        if self.cluster.elements.get(victim.name) is victim and not victim.alive:
            identifier = None
            if self.dice.random() < 0.5 and victim.handle in victim.role.pools:
                identifier = victim.identifier
            number = int(victim.name[1:])
            if identifier is None:
                self._start_element(number)
            else:
                policy = self.policies[victim.handle].format(self.dice.randint(1, 9))
                self.cluster.start_element(number, victim.handle, policy, identifier)

    def _stop(self) -> None:
        victim = self._some(self.cluster.processes)
        if victim is not None and not victim.clock.stalled:
            self.cluster.stop(victim)
            machine = self.dice.random() < 0.4
            self._for_a_while(self._go_on, victim, self.cluster.now if machine else None)

    def _go_on(self, victim: Process, since: float | None) -> None:
        if victim.alive and victim.clock.stalled:
            self.cluster.go_on(victim, 0.0 if since is None else self.cluster.now - since)

    def _partition(self) -> None:
        """Everybody is on one side or the other."""
        some = [process for process in self.cluster.processes if self.dice.random() < 0.4]
        others = [process for process in self.cluster.processes if process not in some]
        if some and others:
            self.cluster.partition(some, others)
            self._for_a_while(self.cluster.heal)

    def _split(self) -> None:
        """Only the registrars do not see each other any more."""
        some = [registrar for registrar in self.cluster.living if self.dice.random() < 0.5]
        others = [registrar for registrar in self.cluster.living if registrar not in some]
        if some and others:
            self.cluster.partition(some, others)
            self._for_a_while(self.cluster.heal)

    def _oneway(self) -> None:
        one, other = self._pair()
        if one is not other:
            self.cluster.partition([one], [other], oneway=True)
            self._for_a_while(self.cluster.heal)

    def _cut(self) -> None:
        one, other = self._pair()
        if one is not other:
            self.cluster.partition([one], [other])
            self._for_a_while(self.cluster.heal)

    def _hold(self) -> None:
        one, other = self._pair()
        if one is not other:
            self.cluster.hold(one, other)
            self._for_a_while(self.cluster.release, one, other)

    def _slow_way(self) -> None:
        one, other = self._pair()
        if one is not other:
            self.cluster.delay(one, other, self.dice.uniform(0.0, 0.5) * self.profile.max_time_no_response)
            self._for_a_while(self.cluster.delay, one, other, self.cluster.network.latency)

    def _drift(self) -> None:
        victim = self._some(self.cluster.processes)
        if victim is not None:
            rate = self.dice.uniform(0.7, 1.4)
            self.cluster.note(f"the clock of {victim.name} runs {rate:.2f} times as fast")
            victim.clock.drift(rate)
            self._for_a_while(victim.clock.drift, 1.0)

    def _slow_node(self) -> None:
        victim = self._some(self.cluster.processes)
        if victim is None:
            return
        self.cluster.note(f"{victim.name} is slow")
        slow = [True]

        def again() -> None:
            if slow[0] and victim.alive:
                self.cluster.stall(victim, self.dice.uniform(0.0, 0.3) * self.profile.max_time_no_response)
                self.cluster.timeline.callLater(self.dice.uniform(0.05, 0.3) * self.unit, again)

        again()
        self._for_a_while(slow.__setitem__, 0, False)

    def _lose_announcements(self) -> None:
        self.cluster.announcement_loss = self.dice.uniform(0.3, 1.0)
        self._for_a_while(setattr, self.cluster, "announcement_loss", 0.0)

    def _change(self) -> None:
        victim = self._some(self.cluster.elements.values())
        if victim is not None and victim.serving and victim.handle != self.disputed and not victim.clock.stalled:
            victim.change(self.policies[victim.handle].format(self.dice.randint(1, 9)))

    def _leave(self) -> None:
        victim = self._some(self.cluster.elements.values())
        if victim is not None and victim.serving and not victim.clock.stalled:
            victim.leave()

    # Calm

    def _calm(self) -> None:
        undo, self._undo = self._undo, []
        self.cluster.note("calm")
        for function, arguments in undo:
            if function == self._restart and self.full and self.size > 1 and len(self.cluster.living) > 1:
                if self.dice.random() < 0.3:
                    continue  # it stays dead
            function(*arguments)
        self._quieter()
        if not self.cluster.living:
            self._restart(self.cluster.registrar(1))

    @property
    def patience(self) -> float:
        """So long it may take until all is well."""
        network, profile = self.cluster.network, self.profile
        noticed = network.detection + profile.max_time_last_heard + 6 * profile.max_time_no_response
        return 2.0 * noticed + network.setup_timeout + 3 * profile.t2_registration + 12.0

    def _settle(self) -> float:
        cluster = self.cluster
        since = cluster.now
        while True:
            faults = invariants.unsettled(cluster)
            if not faults:
                return cluster.now - since
            if cluster.now - since > self.patience:
                self.problems += faults
                return cluster.now - since
            cluster.run(0.25 * self.unit)

    def _watch(self) -> None:
        """What must hold at any time."""
        self.problems += invariants.outlived(self.cluster, self.patience)
        for user in self.cluster.users.values():
            if user.alive:
                self.problems += invariants.unserved(self.cluster, user, self._quiet_since)
            user.failures.clear()
