"""A random run of a secured scope: keys change and are revoked, registrars hear of it at different times, and somebody
attacks all the while."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from rserpool.core.trail import Act, Acted
from rserpool.testing import ElementProcess, Process, RegistrarProcess, UserProcess
from tests.simulation.attacker import OWN, Attacker, Rogue
from tests.simulation.cluster import Cluster
from tests.simulation.proving import Directory, SecuredElement, SecuredRegistrar, SecuredUser, psk
from tests.simulation.schedule import Run


class SecuredCluster(Cluster):
    """A cluster in which everybody proves who it is.

    @ivar directory: who may be what.
    @ivar acted: who did what, by the trails of all registrars.
    """

    def __init__(self, seed: int = 0, registrars: int = 3, **options: Any) -> None:
        self.directory = Directory(registrars, 12)
        self.acted: list[Acted] = []
        super().__init__(seed, registrars, **options)

    def registrar(self, *, name: str = "", **options: Any) -> RegistrarProcess:
        options = {"announce": self._announcements, **options}
        process = SecuredRegistrar(self, *self._next(RegistrarProcess, name), options)
        process.key = psk(process.name)
        process.access = self.directory.access(process.name, process.key)
        process.trail = self.acted
        return self._begin(process)

    def element(self, *arguments: Any, service: dict[str, Any] | None = None, **options: Any) -> ElementProcess:
        setup = options.pop("setup")
        name, host = self._next(ElementProcess, "")
        process = SecuredElement(self, name, host, setup, {**self._looking, **(service or {})})
        process.key = psk(name)
        return self._begin(process)

    def user(self, *, name: str = "", **options: Any) -> UserProcess:
        return self._begin(SecuredUser(self, *self._next(UserProcess, name), {**self._looking, **options}))

    def attacker(self) -> Attacker:
        """Somebody who has the network."""
        number = 1 + len(self._all(Attacker))
        return self._begin(Attacker(self, f"x{number}", self._host(Attacker.net, number), {}))

    def rogue(self) -> Rogue:
        """Somebody who would be a registrar."""
        return self._begin(Rogue(self, "y1", self._host(Rogue.net, 1), {}))

    def authorized(self, element: ElementProcess) -> bool:
        return not (isinstance(element, SecuredElement) and element.banned)

    def intrusions(self) -> list[str]:
        """Who may not has changed something, or has become somebody."""
        faults = [
            f"{registrar.name} has {element!r} of {element.owner} at {element.parameter().user_transport.addresses}"
            for registrar in self.living
            for pool in registrar.role.handlespace.pools.values()
            for element in pool.elements.values()
            if not self._is_of(element.owner, element.parameter().user_transport.addresses[0])
        ]
        for registrar in self.living:
            rogues = self._all(Rogue)
            strangers = registrar.peers & {OWN, *(rogue.role.identifier for rogue in rogues)}
            faults += [f"0x{stranger:x} is a peer of {registrar.name}" for stranger in sorted(strangers)]
            faults += [f"{rogue.name} has learned what there is" for rogue in rogues if len(rogue.role.handlespace)]
            faults += self._revoked_at(registrar)
        acted, self.acted[:] = list(self.acted), []
        for each in acted:
            by = each.identity != "this registrar" and each.act is not Act.REFUSED
            if by and each.address is not None and not self._is_by(each.identity, each.address.hosts[0]):
                faults.append(f"{each} is done by {self.network.names.get(each.address.hosts[0])}")
        return faults

    def _revoked_at(self, registrar: RegistrarProcess) -> list[str]:
        """Who is revoked is connected, or has an element there."""
        if not isinstance(registrar, SecuredRegistrar) or registrar.reactor.stalled:
            return []
        access = registrar.role.access
        present = [each for each in registrar.stack.all_associations() if each.established and each.credentials]
        cut = [each for each in present if not access.revoked.isdisjoint(each.credentials or ())]
        owned = registrar.role.handlespace.owned_by(registrar.identifier)
        return [f"{registrar.name} speaks with {each.credentials}, which is revoked" for each in cut] + [
            f"{registrar.name} has {each!r} of {each.owner}, which is revoked"
            for each in owned
            if each.owner in access.revoked
        ]

    def _is_of(self, owner: Any, host: str) -> bool:
        return owner is not None and self._is_by(str(owner), host)

    def _is_by(self, identity: str, host: str) -> bool:
        """Whether who has this key is at this host; registrars that were dialled have shown the key of who dialled."""
        name = self.network.names.get(host, "?")
        keys = (each.partition(".")[0] for each in identity.removeprefix("psk:").split(", psk:"))
        return name in keys or (name.startswith("r") and identity.startswith("psk:r"))


class SecuredRun(Run):
    """One seed of a secured scope."""

    cluster: SecuredCluster

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.secret = Random(f"{seed}/secured")
        self._plans_of_keys: list[list[Callable[[], None]]] = []
        self._changing: set[str] = set()

    def _scope(self, *arguments: Any, **options: Any) -> Cluster:
        return SecuredCluster(*arguments, **options)

    def _begin(self) -> None:
        super()._begin()
        for _ in range(self.secret.randint(1, 2)):
            self._attack(self.cluster.attacker())
        if self.secret.random() < 0.3:
            self.cluster.rogue()

    def _attack(self, attacker: Attacker) -> None:
        attacker.attack(self.secret)
        self.cluster.clock.callLater(self.secret.expovariate(3.0 / self.unit), self._attack, attacker)

    def _kinds(self) -> tuple[tuple[int, Callable[[], None]], ...]:
        own = ((4, self._rotate), (2, self._revoke), (2, self._retire), (2, self._reload))
        return (*super()._kinds(), *own)

    def _watch(self) -> None:
        super()._watch()
        self.problems += self.cluster.intrusions()

    # What the operator does

    def _rotate(self) -> None:
        """A process gets another key: all registrars hear of it, it takes it, they hear that the old one is gone."""
        who = self._some([*self.cluster.elements, *self.cluster.registrars])
        if who is None or who.name in self._changing or not self.cluster.directory.keys[who.name]:
            return
        keys = self.cluster.directory.keys
        new = psk(f"{who.name}.{self.secret.randrange(2**16):x}")
        self.cluster.note(f"{who.name} is to have the key {new}")
        self._changing.add(who.name)

        def only() -> None:
            keys[who.name] = frozenset({new})

        keys[who.name] |= {new}
        self._go([*self._learning(), lambda: self._prove(who, new), only, *self._learning(), lambda: self._over(who)])

    def _prove(self, who: Process, new: Any) -> None:
        if isinstance(who, SecuredElement):
            who.prove(new)
        elif isinstance(who, SecuredRegistrar):
            who.key = new
            who.learn(self.cluster.directory.access(who.name, new))

    def _revoke(self) -> None:
        """An element's key is not valid any more."""
        who = self._some(self.cluster.elements)
        if isinstance(who, SecuredElement) and not who.banned and who.name not in self._changing:
            self.cluster.note(f"{who.name} is revoked")
            who.banned = True
            self.cluster.directory.keys[who.name] = frozenset()
            self._go(self._learning())

    def _retire(self) -> None:
        """A registrar's key is not valid any more, and soon it is taken away; not the first, nor whom others need."""
        who = self._some(self.cluster.registrars[1:]) if self.full else None
        if isinstance(who, SecuredRegistrar) and not who.retired and who.name not in self._changing:
            self.cluster.note(f"{who.name} is revoked")
            who.retired = True
            self.cluster.directory.keys[who.name] = frozenset()
            self._go([*self._learning(), lambda: self.cluster.kill(who)])

    def _reload(self) -> None:
        """Nothing has changed."""
        self._go(self._learning())

    def _learning(self) -> list[Callable[[], None]]:
        """Each registrar hears of it, in any order."""
        names = list(self.cluster.directory.registrars)
        self.secret.shuffle(names)
        return [lambda name=name: self._learn(name) for name in names]  # type: ignore[misc]

    def _learn(self, name: str) -> None:
        registrar = self.cluster.processes.get(name)
        if isinstance(registrar, SecuredRegistrar) and not registrar.retired:
            registrar.learn(self.cluster.directory.access(name, registrar.key))

    def _over(self, who: Process) -> None:
        self._changing.discard(who.name)

    def _go(self, steps: list[Callable[[], None]]) -> None:
        """One step after the other; in the calm what is left happens at once."""
        self._plans_of_keys.append(steps)
        self._step(steps)

    def _step(self, steps: list[Callable[[], None]]) -> None:
        if steps:
            steps.pop(0)()
            self.cluster.clock.callLater(self.secret.expovariate(4.0 / self.unit), self._step, steps)

    def _restart(self, victim: RegistrarProcess) -> None:
        if not (isinstance(victim, SecuredRegistrar) and victim.retired):
            super()._restart(victim)

    def _calm(self) -> None:
        for steps in self._plans_of_keys:
            while steps:
                steps.pop(0)()
        super()._calm()
