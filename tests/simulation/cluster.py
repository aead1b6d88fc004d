"""A scope by seed: registrars that know all or few of the others, and what was killed in it."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

from twisted.logger import LogLevel, globalLogPublisher

from rserpool.core import Profile, TransportAddress
from rserpool.core.profiles import DEFAULT
from rserpool.testing import ElementProcess, Process, RegistrarProcess, Scope, Timeline, UserProcess

BUSY = 20_000
"""More calls than this in a second of the clock: somebody runs in circles."""


class Death(NamedTuple):
    """An element that was killed while it served in a pool.

    @ivar life: its registration life, in seconds.
    """

    name: str
    when: float
    handle: bytes
    identifier: int
    life: float


class Cluster(Scope):
    """A scope whose SCTP gives up when the profile says, and whose hosts have clocks of their own.

    @param topology: C{"full"}: every registrar is configured with all others; C{"star"}: with the first; C{"chain"}:
        with its predecessor; C{"none"}: with nobody.
    @param known: whether elements and users are configured with the registrars; else they wait for announcements.
    @ivar random: chance that is nobody's own.
    @ivar deaths: the elements that were killed.
    @ivar operated: the elements that an operator has had drain, or evicted: they were not there all the time.
    @ivar errors: what went wrong inside a process.
    """

    def __init__(
        self,
        seed: int = 0,
        registrars: int = 3,
        *,
        profile: Profile = DEFAULT,
        topology: str = "full",
        known: bool = True,
        announcements: bool = False,
        start: bool = True,
    ) -> None:
        super().__init__(registrars, seed=seed, profile=profile, start=False, epochs=True)
        self.random = Random(f"{seed}/cluster")
        self.deaths: list[Death] = []
        self.operated: set[tuple[bytes, int]] = set()
        self.errors: list[str] = []
        # How long SCTP takes to give up a path or a set-up with these parameters (RFC 9260 sections 8.1, 5.1.3).
        self.network.detection = _retransmissions(profile, profile.association_max_retransmissions)
        self.network.setup_timeout = _retransmissions(profile, profile.max_init_retransmissions)
        self._topology = topology
        self._announcements = announcements
        self._looking: dict[str, Any] = {"announcements": announcements}
        if not known:
            self._looking["registrars"] = ()
        self._observer: Any = self._logged
        globalLogPublisher.addObserver(self._observer)  # type: ignore[arg-type]
        for _ in range(registrars if start else 0):
            self.registrar()

    def close(self) -> None:
        """The simulation is over."""
        globalLogPublisher.removeObserver(self._observer)  # type: ignore[arg-type]

    @property
    def living(self) -> list[RegistrarProcess]:
        """The registrars that live."""
        return [registrar for registrar in self.registrars if registrar.alive]

    @property
    def alive(self) -> list[Process]:
        """Everybody who lives: registrars, then elements, then users."""
        return [process for process in (*self.registrars, *self.elements, *self.users) if process.alive]

    def authorized(self, element: ElementProcess) -> bool:
        """Whether an element may serve."""
        return True

    def by_identifier(self, identifier: int) -> RegistrarProcess | None:
        """The living registrar with this server identifier."""
        return next((each for each in self.living if each.identifier == identifier), None)

    def registrar(self, *, name: str = "", **options: Any) -> RegistrarProcess:
        return super().registrar(name=name, announce=self._announcements, **options)

    def element(self, *arguments: Any, service: dict[str, Any] | None = None, **options: Any) -> ElementProcess:
        return super().element(*arguments, service={**self._looking, **(service or {})}, **options)

    def user(self, *, name: str = "", **options: Any) -> UserProcess:
        return super().user(name=name, **{**self._looking, **options})

    def peers_of(self, host: str) -> tuple[TransportAddress, ...]:
        others, before = super().peers_of(host), [address.hosts[0] for address in self.addresses].index(host)
        match self._topology:
            case "full":
                return others
            case "star":
                return others[:1] if before else ()
            case "chain":
                return others[before - 1 : before] if before else ()
        return ()

    def kill(self, *processes: Process) -> None:
        for process in processes:
            if process.alive and isinstance(process, ElementProcess):
                for handle in process.role.pools:
                    element = process.role.element(handle)
                    self.deaths.append(Death(process.name, self.now, handle, element.identifier, element.life))
        super().kill(*processes)

    def advance(self, seconds: float) -> None:
        """Let time pass.

        @raise AssertionError: if somebody is so busy that it does not pass.
        """
        assert isinstance(self.clock, Timeline)
        before, end, steps = self.now, self.now + seconds, 0
        while self.clock.step(end):
            steps += 1
            if steps > BUSY * (1 + self.now - before):
                raise AssertionError(f"a timer fires all the time (seed {self.seed})")
        self.clock.run(end)

    def _logged(self, event: Any) -> None:
        if event.get("log_level") is LogLevel.critical:
            failure = event.get("log_failure")
            self.errors.append(failure.getTraceback() if failure is not None else str(event.get("log_format")))


def _retransmissions(profile: Profile, times: int) -> float:
    total, timeout = 0.0, profile.rto_initial
    for _ in range(times + 1):
        total += timeout
        timeout = min(timeout * 2, profile.rto_max)
    return total
