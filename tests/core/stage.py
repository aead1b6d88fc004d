"""What the stages of pure roles share: elements, and time that goes from deadline to deadline."""

from __future__ import annotations

from typing import Any

from rserpool.core import Effect, PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.core.policies import parse


def element(
    identifier: int,
    policy: str = "round-robin",
    host: str = "10.0.0.1",
    life: int = 60,
    port: int = 80,
    home: int = 0,
    framing: int = 0,
) -> PoolElementParameter:
    """A pool element that serves over TCP; without a home as it stands in a registration."""
    parsed = parse(policy)
    parameter = PolicyParameter(parsed.policy.number, parsed.data)
    return PoolElementParameter(identifier, home, life, TcpTransport(port, host), parameter, framing=framing)


class Stage:
    """Drives one role, whose ticks come exactly when it asked for them.

    @ivar role: the role.
    @ivar now: the time, in seconds.
    @ivar ticks: how many there were.
    """

    role: Any
    now = 1000.0
    ticks = 0

    def note(self, effects: list[Effect]) -> list[Effect]:
        """Effects of the role: a stage writes down what its tests look at."""
        return effects

    def pass_time(self, seconds: float) -> list[Any]:
        """Let the clock run; every effect."""
        end, effects = self.now + seconds, list[Effect]()
        while (due := self.role.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            effects += self.note(self.role.tick(self.now))
            self.ticks += 1
            assert self.ticks < 10_000, "the timer runs in circles"
        self.now = end
        return effects
