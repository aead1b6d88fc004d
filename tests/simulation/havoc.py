"""What befalls a cluster in a random run: faults that end by themselves or in the calm. All of it hangs on the seed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from rserpool.core import Profile
from rserpool.core.profiles import DEFAULT, FAST, RFC
from rserpool.testing import ElementProcess, Process, RegistrarProcess
from tests.simulation.cluster import Cluster

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


class Havoc:
    """One seed's cluster, and its chance.

    @ivar unit: how many seconds pass between two faults, more or less.
    @ivar quiet_since: from when on everybody could reach everybody, for long enough; infinite during cuts.
    """

    def __init__(self, seed: int) -> None:
        dice = self.dice = Random(f"{seed}/schedule")
        self.profile: Profile = dice.choice(PROFILES)
        self.unit = self.profile.max_time_last_heard
        registrars = dice.choices((1, 2, 3, 4, 5), (1, 2, 4, 2, 1))[0]
        topology = dice.choices(("full", "star", "chain"), (4, 1, 1))[0]
        announcements = dice.random() < 0.25
        known = not announcements or dice.random() < 0.5
        self.cluster = self._scope(
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
        self._plans: dict[str, dict[str, Any]] = {}
        self._undo: list[Any] = []
        self.quiet_since = 0.0

    def _scope(self, *arguments: Any, **options: Any) -> Cluster:
        """The scope in which it happens."""
        return Cluster(*arguments, **options)

    def _plan(self, name: str) -> None:
        """What this element does when it is started next: it serves in any of the pools."""
        dice = self.dice
        pool = dice.choice(self.pools)
        policy = dice.choice(POLICIES[:3]) if pool == self.disputed else self.policies[pool]
        life = dice.choice((None, None, None, round(3 * self.unit), round(5 * self.unit)))
        self._plans[name] = {"pool": pool, "policy": policy.format(dice.randint(1, 9)), "life": life}

    def _serve(self, element: ElementProcess) -> None:
        element.serve(**self._plans[element.name])

    # Faults

    def _fault(self) -> None:
        kinds = self._kinds()
        self.dice.choices([kind for _, kind in kinds], [weight for weight, _ in kinds])[0]()

    def _kinds(self) -> tuple[tuple[int, Callable[[], None]], ...]:
        """What may happen, and how often."""
        return (
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

    def _for_a_while(self, undo: Any, *arguments: Any) -> None:
        """The fault ends by itself, or when all are healed."""
        entry = (undo, arguments)
        self._undo.append(entry)
        if undo in (self._power_on, self._go_on, self.cluster.heal, self.cluster.release):
            # So long nothing can be promised to users: those whom it cut off may have been removed from their pools.
            self.quiet_since = math.inf

        def end() -> None:
            if entry in self._undo:
                self._undo.remove(entry)
                undo(*arguments)
                self._quieter()

        self.cluster.clock.callLater(self.dice.expovariate(1.0 / (1.5 * self.unit)), end)

    def _quieter(self) -> None:
        cuts = (self._power_on, self._go_on, self.cluster.heal, self.cluster.release)
        if self.quiet_since == math.inf and not any(undo in cuts for undo, _ in self._undo):
            self.quiet_since = self.cluster.now + self.patience

    def _some(self, processes: Any) -> Any:
        living = [process for process in processes if process.alive]
        return self.dice.choice(living) if living else None

    def _pair(self) -> tuple[Any, Any]:
        """Two processes; often two registrars. They may be the same."""
        among = self.cluster.living if self.cluster.living and self.dice.random() < 0.5 else self.cluster.alive
        return self._some(among), self._some(among)

    def _kill_registrar(self) -> None:
        victim = self._some(self.cluster.registrars)
        if victim is not None:
            self.cluster.kill(victim)
            self._for_a_while(self._restart, victim)

    def _kill_all_registrars(self) -> None:
        victims = self.cluster.living
        self.cluster.kill(*victims)
        for victim in victims:
            self._for_a_while(self._restart, victim)

    def _restart(self, victim: RegistrarProcess) -> None:
        """It comes back, as who it was or with an identifier of its own."""
        if not victim.alive:
            victim.start(identifier=victim.identifier if self.dice.random() < 0.5 else None)

    def _power_off(self) -> None:
        victim = self._some([*self.cluster.registrars, *self.cluster.elements])
        if victim is not None:
            self.cluster.silence(victim)
            self._for_a_while(self._power_on, victim, self.dice.random() < 0.5)

    def _power_on(self, victim: Process, rebooted: bool) -> None:
        if not victim.alive:
            return
        if not rebooted:
            self.cluster.unsilence(victim)
            return
        self.cluster.kill(victim)
        if isinstance(victim, RegistrarProcess):
            self._restart(victim)
        elif isinstance(victim, ElementProcess):
            self._revive(victim)

    def _kill_element(self) -> None:
        victim = self._some(self.cluster.elements)
        if victim is not None:
            self.cluster.kill(victim)
            if self.dice.random() < 0.7:
                self._for_a_while(self._revive, victim)

    def _revive(self, victim: ElementProcess) -> None:
        """It comes back where it was, or as another element."""
        if victim.alive:
            return
        again = next(iter(victim.role.pools), None) if self.dice.random() < 0.5 else None
        if again is None:
            self._plan(victim.name)
        else:
            policy = self.policies[again].format(self.dice.randint(1, 9))
            self._plans[victim.name] = {"pool": again, "policy": policy, "identifier": victim.identifier(again)}
        victim.start()

    def _stop(self) -> None:
        victim = self._some(self.cluster.alive)
        if victim is not None and not victim.reactor.stalled:
            self.cluster.freeze(victim)
            machine = self.dice.random() < 0.4
            self._for_a_while(self._go_on, victim, self.cluster.now if machine else None)

    def _go_on(self, victim: Process, since: float | None) -> None:
        if victim.alive and victim.reactor.stalled:
            self.cluster.thaw(victim, 0.0 if since is None else self.cluster.now - since)

    def _partition(self) -> None:
        """Everybody is on one side or the other."""
        some = [process for process in self.cluster.alive if self.dice.random() < 0.4]
        others = [process for process in self.cluster.alive if process not in some]
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
        victim = self._some(self.cluster.alive)
        if victim is not None:
            self.cluster.drift(victim, self.dice.uniform(0.7, 1.4))
            self._for_a_while(self.cluster.drift, victim, 1.0)

    def _slow_node(self) -> None:
        victim = self._some(self.cluster.alive)
        if victim is None:
            return
        self.cluster.note(f"{victim.name} is slow")
        slow = [True]

        def again() -> None:
            if slow[0] and victim.alive:
                self.cluster.stall(victim, self.dice.uniform(0.0, 0.3) * self.profile.max_time_no_response)
                self.cluster.clock.callLater(self.dice.uniform(0.05, 0.3) * self.unit, again)

        again()
        self._for_a_while(slow.__setitem__, 0, False)

    def _lose_announcements(self) -> None:
        self.cluster.network.multicast_loss = self.dice.uniform(0.3, 1.0)
        self._for_a_while(setattr, self.cluster.network, "multicast_loss", 0.0)

    def _change(self) -> None:
        victim, pool = self._serving()
        if victim is not None and pool != self.disputed:
            victim.change(pool, self.policies[pool].format(self.dice.randint(1, 9)))

    def _leave(self) -> None:
        victim, pool = self._serving()
        if victim is not None:
            victim.leave(pool)

    def _serving(self) -> tuple[Any, bytes]:
        """An element that serves in a pool, and is able to do something."""
        victim = self._some(self.cluster.elements)
        if victim is None or not victim.pools or victim.reactor.stalled:
            return None, b""
        return victim, next(iter(victim.pools))

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
            self._restart(self.cluster.registrars[0])

    @property
    def patience(self) -> float:
        """So long it may take until all is well."""
        network, profile = self.cluster.network, self.profile
        noticed = network.detection + profile.max_time_last_heard + 6 * profile.max_time_no_response
        return 2.0 * noticed + network.setup_timeout + 3 * profile.t2_registration + 12.0
