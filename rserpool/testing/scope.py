"""A whole operational scope in memory (RFC 5351 section 1): registrars, elements and users on one clock."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from twisted.internet.task import Clock
from twisted.python.failure import Failure

from rserpool.core.addresses import ENRP_PORT, TransportAddress
from rserpool.core.profiles import DEFAULT, Profile
from rserpool.testing.clock import PATIENCE, Time, Timeline
from rserpool.testing.network import ScopeNetwork
from rserpool.testing.process import ElementProcess, Process, RegistrarProcess, UserProcess

P = TypeVar("P", bound=Process)


class Scope(Time):
    """Registrars C{r1}, C{r2} ... at 10.0.0.N, elements C{e1} ... at 10.0.1.N, users C{u1} ... at 10.0.2.N.

    Nothing leaves the process that tests, no time passes but that of the clock, and chance depends on the seed alone:
    a test that fails fails again. All times are seconds.

    @param registrars: how many to start with.
    @param seed: what all chance depends on.
    @param clock: a C{twisted.internet.task.Clock} of the test's; a L{Timeline} by default.
    @param profile: the timers of everybody.
    @ivar network: the network, with its faults and its latency; its C{detection} is how long SCTP takes to give up a
        silent peer (2 s).
    @ivar processes: everybody, by name.
    """

    def __init__(
        self, registrars: int = 1, *, seed: int = 0, clock: Clock | None = None, profile: Profile = DEFAULT
    ) -> None:
        self.seed = seed
        self.clock = Timeline() if clock is None else clock
        self.network = ScopeNetwork(self.clock, seed)
        self.profile = profile
        self.processes: dict[str, Process] = {}
        self._planned = registrars
        for _ in range(registrars):
            self.registrar()

    # Who there is

    @property
    def registrars(self) -> list[RegistrarProcess]:
        """The registrars, living and dead."""
        return self._all(RegistrarProcess)

    @property
    def elements(self) -> list[ElementProcess]:
        """The elements, living and dead."""
        return self._all(ElementProcess)

    @property
    def users(self) -> list[UserProcess]:
        """The users, living and dead."""
        return self._all(UserProcess)

    @property
    def addresses(self) -> tuple[TransportAddress, ...]:
        """Where elements and users look for registrars."""
        return tuple(registrar.address for registrar in self.registrars)

    @property
    def tcp_addresses(self) -> tuple[TransportAddress, ...]:
        """Where users look for them over TCP."""
        return tuple(registrar.tcp_address for registrar in self.registrars)

    def registrar(self, **options: Any) -> RegistrarProcess:
        """Start another registrar; it knows all others that there are or will be in the beginning.

        @param options: for L{RegistrarService<rserpool.registrar.service.RegistrarService>}.
        """
        name, host = self._next("r", 0)
        return self._begin(RegistrarProcess(self, name, host, options))

    def element(
        self,
        pool: bytes | str | None = None,
        factory: Any = None,
        *,
        setup: Callable[[ElementProcess], object] | None = None,
        service: dict[str, Any] | None = None,
        **options: Any,
    ) -> ElementProcess:
        """Start an element. It begins the same again when it is started again.

        @param pool: the pool in which it serves; None if C{setup} says what it does.
        @param factory: what serves.
        @param setup: called with the L{ElementProcess} at each start.
        @param service: options for L{PoolElementService<rserpool.element.service.PoolElementService>}.
        @param options: for L{ElementProcess.serve}: C{protocol}, C{port}, C{policy} and so on.
        """

        def begin(element: ElementProcess) -> None:
            if pool is not None:
                element.serve(pool, factory, **options)
            if setup is not None:
                setup(element)

        name, host = self._next("e", 1)
        return self._begin(ElementProcess(self, name, host, begin, service or {}))

    def user(self, **options: Any) -> UserProcess:
        """Start a user.

        @param options: for L{PoolUserService<rserpool.user.service.PoolUserService>}; C{transport="tcp"} has it ask
            registrars over TCP.
        """
        name, host = self._next("u", 2)
        return self._begin(UserProcess(self, name, host, options))

    # Faults

    def kill(self, *processes: Process) -> None:
        """Kill processes at the same instant."""
        for process in processes:
            process.kill()

    def restart(self, *processes: Process) -> None:
        """Start processes again; those that live are killed before."""
        for process in processes:
            process.restart()

    def partition(self, some: Collection[Process], others: Collection[Process] | None = None) -> None:
        """Cut all paths between some and others, both ways.

        @param others: everybody else by default.
        """
        if others is None:
            others = [process for process in self.processes.values() if process not in some]
        self.network.partition(_stacks(some), _stacks(others))

    def heal(self) -> None:
        """Undo all partitions."""
        self.network.heal()

    def silence(self, process: Process) -> None:
        """Its host has no power or no network any more (or: SIGSTOP): nothing goes in or out."""
        self.network.silence(process.stack)

    def unsilence(self, process: Process) -> None:
        """It is back: what waited arrives now."""
        self.network.unsilence(process.stack)

    def hold(self, a: Process, b: Process) -> None:
        """Keep back what C{a} sends to C{b}; nobody takes it for a failure."""
        self.network.hold(a.stack, b.stack)

    def release(self, a: Process, b: Process) -> None:
        """Let it pass."""
        self.network.release(a.stack, b.stack)

    def delay(self, a: Process, b: Process, seconds: float) -> None:
        """Let the way between C{a} and C{b} take so long."""
        self.network.delay(a.stack, b.stack, seconds)

    # Time

    @property
    def settled(self) -> bool:
        """Whether every living registrar is ready, and knows just the living elements that serve, in all pools."""
        living = [registrar for registrar in self.registrars if registrar.alive]
        if not all(registrar.ready for registrar in living):
            return False
        expected = {membership for element in self.elements if element.alive for membership in element.memberships}
        if any(identifier is None for _, identifier in expected):
            return False
        return all(_known(registrar) == expected for registrar in living)

    def settle(self, seconds: float = PATIENCE) -> float:
        """Let time pass until the scope is L{settled}; how many seconds that took.

        @raise AssertionError: if it is not within C{seconds}; it says who knows what.
        @raise rserpool.core.errors.Rejected: if a registration is refused for good.
        """
        try:
            took = self.until(lambda: self._refused() or self.settled, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self._state()}") from None
        for failure in self._refused():
            failure.raiseException()
        return took

    def stop(self) -> None:
        """Stop everybody gracefully and let time pass until they have: first users, then elements, then registrars."""
        self.heal()
        for process in self.processes.values():
            if process.alive:
                self.unsilence(process)
        for kind in (UserProcess, ElementProcess, RegistrarProcess):
            stopping = [process.stop() for process in self._all(kind) if process.alive]
            for stopped in stopping:
                self.result(stopped)

    # Parts

    def peers_of(self, registrar: RegistrarProcess) -> tuple[TransportAddress, ...]:
        """Where the other registrars speak ENRP."""
        hosts = dict.fromkeys(f"10.0.0.{number}" for number in range(1, self._planned + 1))
        hosts.update(dict.fromkeys(each.host for each in self.registrars))
        return tuple(TransportAddress((host,), ENRP_PORT) for host in hosts if host != registrar.host)

    def _next(self, letter: str, net: int) -> tuple[str, str]:
        number = 1 + sum(name.startswith(letter) for name in self.processes)
        return f"{letter}{number}", f"10.0.{net}.{number}"

    def _begin(self, process: P) -> P:
        self.processes[process.name] = process
        process.start()
        return process

    def _all(self, kind: type[P]) -> list[P]:
        return [process for process in self.processes.values() if isinstance(process, kind)]

    def _refused(self) -> list[Failure]:
        return [failure for element in self.elements if element.alive for failure in element.refused.values()]

    def _state(self) -> str:
        serving = [f"{element.name} {'serves' if element.alive else 'is dead'}" for element in self.elements]
        knowing = [
            f"{registrar.name} {'knows ' + str(len(_known(registrar))) if registrar.ready else 'is not ready'}"
            for registrar in self.registrars
            if registrar.alive
        ]
        return "; ".join([*serving, *knowing])


def _known(registrar: RegistrarProcess) -> set[tuple[bytes, int]]:
    handlespace = registrar.service.registrar.handlespace
    return {(handle, identifier) for handle, pool in handlespace.pools.items() for identifier in pool.elements}


def _stacks(processes: Collection[Process]) -> list[Any]:
    return [process.stack for process in processes]
