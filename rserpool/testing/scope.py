"""A whole operational scope in memory (RFC 5351 section 1): registrars, elements and users on one clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.task import Clock
from twisted.python.failure import Failure

from rserpool.core.addresses import ASAP_PORT, ENRP_PORT, TransportAddress
from rserpool.core.profiles import DEFAULT, Profile
from rserpool.security.following import Secured
from rserpool.testing.clock import PATIENCE, Timeline
from rserpool.testing.element import ElementProcess
from rserpool.testing.faults import Faults
from rserpool.testing.network import ScopeNetwork
from rserpool.testing.process import Process
from rserpool.testing.registrar import RegistrarProcess
from rserpool.testing.security import ScopeSecurity
from rserpool.testing.trace import Trace
from rserpool.testing.user import UserProcess

P = TypeVar("P", bound=Process)


class Scope(Faults):
    """Registrars C{r1}, C{r2} ... at 10.0.0.N, elements C{e1} ... at 10.0.1.N, users C{u1} ... at 10.0.2.N.

    Nothing leaves the process that tests, no time passes but that of the clock, and chance depends on the seed alone:
    a test that fails fails again. All times are seconds.

    @param registrars: how many to start with.
    @param seed: what all chance depends on.
    @param clock: a C{twisted.internet.task.Clock} of the test's; a L{Timeline} by default.
    @param profile: the timers of everybody.
    @param start: whether the registrars start now; else each call of L{registrar} starts the next of those that
        everybody is configured with.
    @param ipv6: whether hosts have IPv6 addresses: fd00:0::N, fd00:1::N, fd00:2::N.
    @param epochs: whether the monotonic clock of each process begins anywhere, as those of different hosts do.
    @param secure: whether the scope is secured: each process has keys and certificates in memory, and speaks TLS alone
        (L{rserpool.testing.security}).
    @ivar network: the network, with its faults and its latency; its C{detection} is how long SCTP takes to give up a
        silent peer (2 s).
    @ivar processes: everybody, by name.
    @ivar trace: what happened: messages, events, faults.
    """

    def __init__(
        self,
        registrars: int = 1,
        *,
        seed: int = 0,
        clock: Clock | None = None,
        profile: Profile = DEFAULT,
        start: bool = True,
        ipv6: bool = False,
        epochs: bool = False,
        secure: bool = False,
    ) -> None:
        self.seed = seed
        self.clock = Timeline() if clock is None else clock
        self.network = ScopeNetwork(self.clock, seed)
        self.profile = profile
        self.epochs = epochs
        self.processes: dict[str, Process] = {}
        self.trace = Trace()
        self._ipv6 = ipv6
        self._secret = ScopeSecurity(seed) if secure else None
        self._planned = [self._host(0, number) for number in range(1, registrars + 1)]
        for _ in range(registrars if start else 0):
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
        return tuple(TransportAddress((host,), ASAP_PORT) for host in self._registrar_hosts())

    @property
    def tcp_addresses(self) -> tuple[TransportAddress, ...]:
        """Where users look for them over TCP."""
        return tuple(TransportAddress((host,), ASAP_PORT, protocol="tcp") for host in self._registrar_hosts())

    def registrar(self, *, name: str = "", **options: Any) -> RegistrarProcess:
        """Start another registrar; it knows all others that there are or will be in the beginning.

        @param name: what it is called, instead of C{rN}.
        @param options: for L{RegistrarService<rserpool.registrar.service.RegistrarService>}.
        """
        return self._begin(RegistrarProcess(self, *self._next(RegistrarProcess, name), options))

    def element(
        self,
        pool: bytes | str | None = None,
        factory: Any = None,
        *,
        name: str = "",
        setup: Callable[[ElementProcess], object] | None = None,
        service: dict[str, Any] | None = None,
        **options: Any,
    ) -> ElementProcess:
        """Start an element. It begins the same again when it is started again.

        @param pool: the pool in which it serves; None if C{setup} says what it does.
        @param factory: what serves.
        @param name: what it is called, instead of C{eN}.
        @param setup: called with the L{ElementProcess} at each start.
        @param service: options for L{PoolElementService<rserpool.element.service.PoolElementService>}.
        @param options: for L{ElementProcess.serve}: C{protocol}, C{port}, C{policy} and so on.
        """

        def begin(element: ElementProcess) -> None:
            if pool is not None:
                element.serve(pool, factory, **options)
            if setup is not None:
                setup(element)

        return self._begin(ElementProcess(self, *self._next(ElementProcess, name), begin, service or {}))

    def user(self, *, name: str = "", **options: Any) -> UserProcess:
        """Start a user.

        @param name: what it is called, instead of C{uN}.
        @param options: for L{PoolUserService<rserpool.user.service.PoolUserService>}; C{transport="tcp"} has it ask
            registrars over TCP.
        """
        return self._begin(UserProcess(self, *self._next(UserProcess, name), options))

    # Time

    @property
    def settled(self) -> bool:
        """Whether everybody knows who there is.

        Every registrar that lives and is not silent is ready, and knows just the living elements that serve, in all
        pools; those that are silent are noticed: no registrar has them as peers or elements, and every element has a
        home among the others.
        """
        registrars = [registrar for registrar in self.registrars if self.hears(registrar)]
        elements = [element for element in self.elements if self.hears(element)]
        if not all(registrar.ready for registrar in registrars):
            return False
        expected = {membership for element in elements for membership in element.memberships}
        if any(identifier is None for _, identifier in expected):
            return False
        gone = [registrar for registrar in self.registrars if registrar not in registrars]
        return (
            all(_known(registrar) == expected for registrar in registrars)
            and not any(each.identifier in registrar.peers for registrar in registrars for each in gone)
            and not any(each.host in element.homes for element in elements for each in gone)
            and all(element.homes for element in elements if registrars and element.memberships)
        )

    def settle(self, seconds: float | None = None) -> float:
        """Let time pass until the scope is L{settled}; how many seconds that took.

        @param seconds: by default 60, and twice as long as the profile needs to notice a silent registrar.
        @raise AssertionError: if it is not within C{seconds}; it says who knows what.
        @raise rserpool.core.errors.Rejected: if a registration is refused for good.
        """
        if seconds is None:
            seconds = PATIENCE + 2 * self.profile.max_time_last_heard
        try:
            took = self.until(lambda: self._refused() or self.settled, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self._state()}") from None
        for failure in self._refused():
            failure.raiseException()
        return took

    def stop(self) -> None:
        """Undo all faults, stop everybody gracefully, and let time pass until they have.

        First users stop, then elements, then registrars.
        """
        self.network.calm()
        for process in self.processes.values():
            if process.alive and process.reactor.stalled:
                process.reactor.resume()
        for kind in (UserProcess, ElementProcess, RegistrarProcess):
            stopping = [process.stop() for process in self._all(kind) if process.alive]
            for stopped in stopping:
                self.result(stopped)

    # Parts

    @property
    def security(self) -> ScopeSecurity:
        """What secures its processes.

        @raise AttributeError: if it is not secured.
        """
        if self._secret is None:
            raise AttributeError("this scope is not secured: Scope(secure=True)")
        return self._secret

    def security_of(self, name: str, letter: str) -> Secured | bool:
        """What secures a process; False in a scope that is not secured."""
        return False if self._secret is None else self._secret.of(name, letter)

    def peers_of(self, host: str) -> tuple[TransportAddress, ...]:
        """Where the other registrars than the one at this host speak ENRP."""
        return tuple(TransportAddress((each,), ENRP_PORT) for each in self._registrar_hosts() if each != host)

    def _registrar_hosts(self) -> dict[str, None]:
        return dict.fromkeys([*self._planned, *(registrar.host for registrar in self.registrars)])

    def _next(self, kind: type[Process], name: str) -> tuple[str, str]:
        number = 1 + len(self._all(kind))
        return name or f"{kind.letter}{number}", self._host(kind.net, number)

    def _host(self, net: int, number: int) -> str:
        return f"fd00:{net}::{number}" if self._ipv6 else f"10.0.{net}.{number}"

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
