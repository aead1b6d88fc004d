"""What lies between the processes of a network: how long things take, and who is at which address."""

from __future__ import annotations

from random import Random

from twisted.internet.interfaces import IReactorTime

from rserpool.core.addresses import scope
from rserpool.core.profiles import DEFAULT, Profile
from rserpool.sctp.memory.faults import Faults, S
from rserpool.sctp.memory.losses import Losses


class Medium(Faults[S]):
    """The ways between processes. All times are in seconds.

    @ivar jitter: up to so much is added to each transit, at random.
    @ivar icmp_delay: from the crash of a process to the moment when its peers know (its host answers with ICMP).
    @ivar detection: how long a path may be broken until both ends give up the association.
    @ivar setup_timeout: how long a set-up is tried.
    @ivar init_retry: time between two attempts of a set-up that gets no answer.
    @ivar losses: what is lost; None if nothing is.
    @ivar window: bytes on the way of an association, in each direction; more wait at the sender.
    """

    def __init__(self, clock: IReactorTime, seed: int = 0) -> None:
        super().__init__()
        self.clock = clock
        self.random = Random(seed)
        self.jitter = 0.0
        self.icmp_delay = 0.02
        self.detection = 2.0
        self.setup_timeout = 2.0
        self.init_retry = 0.1
        self.window = 128 * 1024
        self.losses: Losses | None = None
        self._bound: dict[tuple[str, str, int], S] = {}
        self._living: set[tuple[str, str]] = set()

    def lose(self, share: float, profile: Profile = DEFAULT) -> None:
        """From now on so many of all packets are lost, from 0.0 to 1.0, each way; SCTP has the timers of C{profile}.

        Associations that are up already lose nothing.
        """
        self.losses = Losses(share, profile, self.random) if share else None

    def transit(self, a: S, b: S) -> float:
        seconds = super().transit(a, b)
        return seconds + self.random.uniform(0.0, self.jitter) if self.jitter else seconds

    def undisturbed(self, a: S, b: S) -> float:
        """Seconds from C{a} to C{b} without jitter."""
        return super().transit(a, b)

    def find(self, machine: str, host: str, port: int) -> tuple[S | None, bool]:
        """Who owns this UDP port of this address as C{machine} sees it, and whether the address has a living host."""
        place = _place(machine, host)
        return self._bound.get((*place, port)), place in self._living

    def bind(self, process: S, machine: str, hosts: tuple[str, ...], port: int) -> bool:
        """Give a process the UDP port of these addresses.

        @return: whether it was free.
        """
        places = [_place(machine, host) for host in hosts]
        if any((*place, port) in self._bound for place in places):
            return False
        self._bound.update(((*place, port), process) for place in places)
        self._living.update(places)
        return True

    def unbind(self, process: S) -> None:
        """It is gone for good; its UDP ports are free."""
        self._bound = {place: other for place, other in self._bound.items() if other is not process}
        self.forget(process)


def _place(machine: str, host: str) -> tuple[str, str]:
    return (machine if scope(host) == "loopback" else "", host)
