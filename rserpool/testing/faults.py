"""What may happen to the processes of a scope, to the ways between them, and to their clocks."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from rserpool.core.profiles import Profile
from rserpool.testing.clock import Time
from rserpool.testing.network import ScopeNetwork
from rserpool.testing.process import Process
from rserpool.testing.trace import EVERYBODY, Trace


class Faults(Time):
    """Processes that die, fall silent or stand still; ways that are cut, held or slow; clocks that are wrong.

    Each fault is noted in the trace.

    @ivar network: the network.
    @ivar profile: the timers of everybody.
    @ivar processes: everybody, by name.
    @ivar trace: what happened.
    """

    network: ScopeNetwork
    profile: Profile
    processes: dict[str, Process]
    trace: Trace

    def note(self, text: str) -> None:
        """Write a line into the trace."""
        self.trace.event(self.now, EVERYBODY, text)

    # Processes

    def kill(self, *processes: Process) -> None:
        """Kill processes at the same instant (SIGKILL)."""
        for process in processes:
            self.note(f"{process.name} is killed")
            process.kill()

    def restart(self, *processes: Process) -> None:
        """Start processes again; those that live are killed before."""
        for process in processes:
            process.restart()

    def silence(self, process: Process) -> None:
        """Its host has no power or no network any more: nothing goes in or out."""
        self.note(f"{process.name} falls silent")
        self.network.silence(process.stack)

    def unsilence(self, process: Process) -> None:
        """It is back: what waited arrives now."""
        self.note(f"{process.name} is back")
        self.network.unsilence(process.stack)

    def freeze(self, process: Process) -> None:
        """It stands still (SIGSTOP), and with it its SCTP; its system still accepts TCP connections."""
        self.note(f"{process.name} is stopped")
        process.reactor.stall()
        self.network.freeze(process.stack)

    def thaw(self, process: Process, lost: float = 0.0) -> None:
        """It goes on (SIGCONT).

        @param lost: so many seconds its clocks stood still: its whole machine had been stopped.
        """
        self.note(f"{process.name} goes on")
        process.reactor.resume(lost)
        self.network.unsilence(process.stack)

    def stall(self, process: Process, seconds: float) -> None:
        """Its loop does something else for a while; its peers notice only that it is slow."""
        loop = process.reactor
        if not loop.stalled:
            loop.stall()
            self.clock.callLater(seconds, lambda: loop.resume() if loop.stalled else None)

    def hears(self, process: Process) -> bool:
        """Whether it lives, and its host is not silent."""
        return process.alive and not self.network.broken(process.stack, process.stack)

    # Clocks

    def drift(self, process: Process, rate: float) -> None:
        """Let its monotonic clock run so many times as fast from now on."""
        self.note(f"the clock of {process.name} runs {rate:.2f} times as fast")
        process.reactor.drift(rate)

    def jump(self, process: Process, seconds: float) -> None:
        """Set its wall clock forward, or back, by so many seconds; its monotonic clock knows nothing of it."""
        self.note(f"the wall clock of {process.name} jumps by {seconds:g} s")
        process.reactor.jump(seconds)

    # Ways

    def partition(
        self, some: Collection[Process], others: Collection[Process] | None = None, *, oneway: bool = False
    ) -> None:
        """Cut all paths between some and others.

        @param others: everybody else by default.
        @param oneway: cut only what goes from some to others.
        """
        if others is None:
            others = [process for process in self.processes.values() if process not in some]
        self.note(f"cut {_names(some)} {'->' if oneway else '|'} {_names(others)}")
        cut = self.network.partition_oneway if oneway else self.network.partition
        cut(_stacks(some), _stacks(others))

    def heal(self) -> None:
        """Undo all partitions."""
        self.note("heal")
        self.network.heal()

    def hold(self, a: Process, b: Process) -> None:
        """Keep back what C{a} sends to C{b}; nobody takes it for a failure."""
        self.note(f"hold {a.name} -> {b.name}")
        self.network.hold(a.stack, b.stack)

    def release(self, a: Process, b: Process) -> None:
        """Let it pass."""
        self.note(f"release {a.name} -> {b.name}")
        self.network.release(a.stack, b.stack)

    def lose(self, share: float) -> None:
        """Lose so many of all packets, from 0.0 to 1.0, each way: of new associations, TCP and multicast.

        What is lost is sent again after the time-outs of SCTP or TCP; too much in a row ends an association.
        """
        self.note(f"lose {share:.1%}")
        self.network.lose(share, self.profile)

    def delay(self, a: Process, b: Process, seconds: float) -> None:
        """Let the way between C{a} and C{b} take so long."""
        self.note(f"delay {a.name} - {b.name} {seconds:.3f}")
        self.network.delay(a.stack, b.stack, seconds)


def _names(processes: Collection[Process]) -> str:
    return ",".join(process.name for process in processes)


def _stacks(processes: Collection[Process]) -> list[Any]:
    return [process.stack for process in processes]
