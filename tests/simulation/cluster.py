"""The deterministic cluster: registrars, elements and users over a simulated network, on one clock and one seed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import Any, TypeVar

from twisted.logger import LogLevel, globalLogPublisher

from rserpool.core import Profile, TransportAddress
from rserpool.core.addresses import ASAP_PORT, ENRP_PORT
from rserpool.core.profiles import DEFAULT
from rserpool.sctp.memory import Network
from rserpool.testing import Timeline
from tests.simulation.members import ElementProcess, Process, RegistrarProcess, UserProcess
from tests.simulation.trace import Trace

P = TypeVar("P", bound=Process)


class Cluster:
    """Registrars C{r1}, C{r2} ... at 10.0.0.N, elements C{e1} ... at 10.0.1.N, users C{u1} ... at 10.0.2.N.

    All times are seconds of the network's clock.

    @param registrars: how many there are.
    @param topology: C{"full"}: every registrar is configured with all others; C{"star"}: with the first; C{"chain"}:
        with its predecessor; C{"none"}: with nobody.
    @param known: whether elements and users are configured with the registrars; else they wait for announcements.
    @ivar seed: what all chance depends on.
    @ivar errors: what went wrong inside a node.
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
        self.seed = seed
        self.random = Random(f"{seed}/cluster")
        self.profile = profile
        self.timeline = Timeline()
        self.network = Network(self.timeline, seed)
        # How long SCTP takes to give up a path or a set-up with these parameters (RFC 9260 sections 8.1, 5.1.3).
        self.network.detection = _retransmissions(profile, profile.association_max_retransmissions)
        self.network.setup_timeout = _retransmissions(profile, profile.max_init_retransmissions)
        self.trace = Trace()
        self.names: dict[str, str] = {}
        self.registrars: dict[str, RegistrarProcess] = {}
        self.elements: dict[str, ElementProcess] = {}
        self.users: dict[str, UserProcess] = {}
        self.departed: list[ElementProcess] = []
        self.errors: list[str] = []
        self.announcement_loss = 0.0
        self._topology = topology
        self._size = registrars
        self._known = known
        self._announcements = announcements
        self._incarnations: dict[str, int] = {}
        self._observer: Any = self._logged
        globalLogPublisher.addObserver(self._observer)  # type: ignore[arg-type]
        if start:
            for number in range(1, registrars + 1):
                self.start_registrar(number)

    def close(self) -> None:
        """The simulation is over."""
        globalLogPublisher.removeObserver(self._observer)  # type: ignore[arg-type]

    # Time

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.timeline.rightNow

    def run(self, seconds: float) -> None:
        """Let time pass, from deadline to deadline.

        @raise AssertionError: if somebody is so busy that it does not pass.
        """
        self._run(self.now + seconds)

    def _run(self, end: float) -> None:
        before, steps = self.now, 0
        while self.timeline.step(end):
            steps += 1
            if steps > 20_000 * (1 + self.now - before):
                raise AssertionError(f"a timer fires all the time (seed {self.seed})")
        self.timeline.run(end)

    def until(self, condition: Callable[[], Any], seconds: float = 60.0) -> float:
        """Run until the condition holds; how long that took.

        @raise AssertionError: if it does not hold within C{seconds}.
        """
        start = self.now
        while not condition():
            if not self.timeline.step(start + seconds):
                raise AssertionError(f"it did not happen within {seconds} s (seed {self.seed})")
        return self.now - start

    # Who there is

    @property
    def processes(self) -> list[Process]:
        """Those that live, in a fixed order."""
        everybody: list[Process] = [*self.registrars.values(), *self.elements.values(), *self.users.values()]
        return [process for process in everybody if process.alive]

    @property
    def living(self) -> list[RegistrarProcess]:
        """The registrars that live."""
        return [registrar for registrar in self.registrars.values() if registrar.alive]

    @property
    def everywhere(self) -> tuple[TransportAddress, ...]:
        """Where elements and users look for registrars."""
        if not self._known:
            return ()
        return tuple(TransportAddress((f"10.0.0.{n}",), ASAP_PORT) for n in range(1, self._size + 1))

    def registrar(self, number: int) -> RegistrarProcess:
        """Registrar C{rN}."""
        return self.registrars[f"r{number}"]

    def by_identifier(self, identifier: int) -> RegistrarProcess | None:
        """The living registrar with this server identifier."""
        return next((each for each in self.living if each.identifier == identifier), None)

    def start_registrar(self, number: int, identifier: int | None = None, **options: Any) -> RegistrarProcess:
        """Start, or start again; with the identifier it had before, or C{identifier}, or a new one (0)."""
        name = f"r{number}"
        before = self.registrars.get(name)
        if identifier is None:
            identifier = before.identifier if before is not None else 0
        options.setdefault("peers", self._peers_of(number))
        options.setdefault("profile", self.profile)
        kind = options.pop("kind", RegistrarProcess)
        registrar: RegistrarProcess = kind(
            self,
            name,
            f"10.0.0.{number}",
            self._incarnation(name),
            identifier=identifier or self.random.randrange(1, 2**32),
            announce=self._announcements,
            **options,
        )
        self.registrars[name] = registrar
        return registrar

    def start_element(
        self,
        number: int,
        handle: bytes = b"pool",
        policy: str = "round-robin",
        identifier: int | None = None,
        life: int | None = None,
        registrars: tuple[TransportAddress, ...] | None = None,
    ) -> ElementProcess:
        """Start an element, or start it again; it serves in one pool."""
        name = f"e{number}"
        self._depart(name)
        element = self.elements[name] = ElementProcess(
            self,
            name,
            f"10.0.1.{number}",
            self._incarnation(name),
            self.everywhere if registrars is None else registrars,
            self.profile,
        )
        element.serve(handle, policy, identifier, life)
        return element

    def start_user(self, number: int) -> UserProcess:
        """Start a pool user."""
        name = f"u{number}"
        user = self.users[name] = UserProcess(
            self, name, f"10.0.2.{number}", self._incarnation(name), self.everywhere, self.profile
        )
        return user

    # Faults

    def crash(self, *processes: Process) -> None:
        """Kill processes at the same instant."""
        for process in processes:
            self.note(f"{process.name} is killed")
            process.kill()

    def silence(self, process: Process) -> None:
        """Its host has no power or no network any more: nobody answers for it."""
        self.note(f"{process.name} falls silent")
        self.network.silence(process.stack)

    def unsilence(self, process: Process) -> None:
        """It is back."""
        self.note(f"{process.name} is back")
        self.network.unsilence(process.stack)

    def stop(self, process: Process) -> None:
        """SIGSTOP: its loop stands still, and with it its SCTP."""
        self.note(f"{process.name} is stopped")
        process.clock.stall()
        self.network.silence(process.stack)

    def go_on(self, process: Process, lost: float = 0.0) -> None:
        """SIGCONT; if its whole machine had been stopped, its clock stood still for C{lost} seconds."""
        self.note(f"{process.name} goes on")
        process.clock.resume(lost)
        self.network.unsilence(process.stack)

    def stall(self, process: Process, seconds: float) -> None:
        """Its loop does something else for a while; its peers notice only that it is slow."""
        if not process.clock.stalled:
            process.clock.stall()
            self.timeline.callLater(seconds, self._stalled_enough, process)

    def partition(self, some: Collection[Process], others: Collection[Process], oneway: bool = False) -> None:
        """Cut all paths between some and others, or only those from some to others."""
        way = "->" if oneway else "|"
        self.note(f"cut {_names(some)} {way} {_names(others)}")
        cut = self.network.partition_oneway if oneway else self.network.partition
        cut([process.stack for process in some], [process.stack for process in others])

    def heal(self) -> None:
        """Undo all partitions."""
        self.note("heal")
        self.network.heal()

    def hold(self, a: Process, b: Process) -> None:
        """Keep back what A sends to B."""
        self.note(f"hold {a.name} -> {b.name}")
        self.network.hold(a.stack, b.stack)

    def release(self, a: Process, b: Process) -> None:
        """Let it pass."""
        self.note(f"release {a.name} -> {b.name}")
        self.network.release(a.stack, b.stack)

    def delay(self, a: Process, b: Process, seconds: float) -> None:
        """The way between A and B takes so long from now on."""
        self.note(f"delay {a.name} - {b.name} {seconds:.3f}")
        self.network.delay(a.stack, b.stack, seconds)

    def multicast(self, source: Process, data: bytes) -> None:
        """A datagram to everybody, who may or may not get it."""
        for process in self.processes:
            if process is source or self.network.broken(source.stack, process.stack):
                continue
            if self.random.random() >= self.announcement_loss:
                seconds = self.network.transit(source.stack, process.stack)
                node = process.node
                self.timeline.callLater(seconds, process.clock.enter, node.asap.announced, data, source.host)

    def note(self, text: str) -> None:
        """A line in the trace."""
        self.trace.event(self.now, "---", text)

    def _stalled_enough(self, process: Process) -> None:
        if process.clock.stalled:
            process.clock.resume()

    def _peers_of(self, number: int) -> tuple[TransportAddress, ...]:
        others: Sequence[int]
        match self._topology:
            case "full":
                others = [n for n in range(1, self._size + 1) if n != number]
            case "star":
                others = [1] if number != 1 else []
            case "chain":
                others = [number - 1] if number != 1 else []
            case _:
                others = []
        return tuple(TransportAddress((f"10.0.0.{n}",), ENRP_PORT) for n in others)

    def _incarnation(self, name: str) -> int:
        self._incarnations[name] = self._incarnations.get(name, 0) + 1
        return self._incarnations[name]

    def _depart(self, name: str) -> None:
        before = self.elements.pop(name, None)
        if before is not None:
            self.departed.append(before)

    def _logged(self, event: Any) -> None:
        if event.get("log_level") is LogLevel.critical:
            failure = event.get("log_failure")
            self.errors.append(failure.getTraceback() if failure is not None else str(event.get("log_format")))


def _names(processes: Collection[Process]) -> str:
    return ",".join(process.name for process in processes)


def _retransmissions(profile: Profile, times: int) -> float:
    total, timeout = 0.0, profile.rto_initial
    for _ in range(times + 1):
        total += timeout
        timeout = min(timeout * 2, profile.rto_max)
    return total
