"""Lost packets, and what SCTP does about them on one path: timers T3 and heartbeats (RFC 9260 sections 6.3, 8.1, 8.3).

Each direction of an association has its own. Lost are packets with messages, what acknowledges them, heartbeats and
their answers, and an ABORT. What is not acknowledged in time is sent again, and counts as an error; after too many in a
row the association is lost. Messages arrive in their order: one that is late keeps the later ones waiting.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.error import ConnectionLost

from rserpool.core.profiles import Profile
from rserpool.sctp.memory.faults import Faults


class Losses:
    """How much is lost on all ways, and the timers of SCTP.

    @ivar share: the chance of each packet to be lost, from 0.0 to 1.0.
    """

    def __init__(self, share: float, profile: Profile, random: Any) -> None:
        self.share = share
        self.profile = profile
        self._random = random

    def passes(self, packets: int = 1) -> bool:
        """Whether so many packets get through, one after the other."""
        return all(self._random.random() >= self.share for _ in range(packets))

    def retransmissions(self) -> float:
        """Seconds until a packet gets through that TCP sends again and again (RFC 6298)."""
        late, timeout = 0.0, self.profile.rto_initial
        while not self.passes():
            late += timeout
            timeout *= 2
        return late

    def spread(self, seconds: float) -> float:
        """RFC 9260 section 8.3: a time, by plus or minus 50 percent."""
        return seconds * float(self._random.uniform(0.5, 1.5))


class Chunk:
    """A message on its way, or a part of the set-up or shutdown, which is sent again like one."""

    __slots__ = ("arrived", "item", "times")

    def __init__(self, item: Any) -> None:
        self.item = item
        self.times = 0
        self.arrived = False


class LossyWay:
    """From one end of an association to the other.

    @param end: an association that has another end.
    @ivar outstanding: what is not acknowledged.
    """

    def __init__(self, network: Faults[Any], clock: Any, losses: Losses, end: Any) -> None:
        self.outstanding: deque[Chunk] = deque()
        self._network = network
        self._clock = clock
        self._losses = losses
        self._end = end
        self._awaited: deque[Chunk] = deque()
        self._timeout = losses.profile.rto_min
        self._errors = 0
        self._unanswered = False
        self._sent_at = self._clock.seconds()
        self._t3: Any = None
        self._beat_later()

    # Messages.

    def send(self, item: Any) -> None:
        """Give it a place in the order, and send it."""
        chunk = Chunk(item)
        self.outstanding.append(chunk)
        self._awaited.append(chunk)
        self._packet((chunk,))
        if self._t3 is None:
            self._t3 = self._later(self._timeout, self._expired)

    def _packet(self, chunks: tuple[Chunk, ...]) -> None:
        self._sent_at = self._clock.seconds()
        for chunk in chunks:
            chunk.times += 1
        if self._losses.passes():
            self._later(self._network.transit(*self._end.ways), self._arrive, chunks)

    def _arrive(self, chunks: tuple[Chunk, ...]) -> None:
        here, there = self._end.ways
        if self._network.stopped(here, there) or self._end.remote_dead:
            return
        if self._end.remote_lost:
            # It does not know the association (RFC 9260 section 8.4).
            self._aborted()
            return
        for chunk in chunks:
            chunk.arrived = True
        if not self._network.stopped(there, here) and self._losses.passes():
            self._later(self._network.transit(there, here), self._acknowledged)
        while self._awaited and self._awaited[0].arrived and not self._end.remote_lost:
            self._end.deliver(self._awaited.popleft().item)

    def _aborted(self) -> None:
        if self._losses.passes():
            self._later(self._network.latency, self._end.lose, ConnectionLost())

    def _acknowledged(self) -> None:
        arrived = [chunk for chunk in self.outstanding if chunk.arrived]
        if self._end.lost or not arrived:
            return
        self._errors = 0
        if any(chunk.times == 1 for chunk in arrived):
            # Karn: only what was sent once says how long the way is.
            self._timeout = self._losses.profile.rto_min
        self.outstanding = deque(chunk for chunk in self.outstanding if not chunk.arrived)
        self._stop_t3()
        if self.outstanding:
            self._t3 = self._later(self._timeout, self._expired)
        for chunk in arrived:
            self._end.left(chunk.item)
        self._end.flush()

    def _expired(self) -> None:
        self._t3 = None
        if self._end.lost or self._failed():
            return
        self._packet(tuple(self.outstanding))
        self._t3 = self._later(self._timeout, self._expired)

    # Errors.

    def _failed(self) -> bool:
        """A time-out; whether that was one too many."""
        here, there = self._end.ways
        network = self._network
        stopped = network.stopped(here, there) or network.stopped(there, here)
        held = stopped and not network.broken(here, there) and not network.broken(there, here)
        profile = self._losses.profile
        if not held:
            self._errors += 1
            self._timeout = min(2 * self._timeout, profile.rto_max)
        if self._errors <= profile.association_max_retransmissions:
            return False
        if not network.stopped(here, there) and self._losses.passes():
            self._later(network.transit(here, there), self._end.remote_aborted)
        self._end.lose(ConnectionLost())
        return True

    # Heartbeats.

    def _beat_later(self) -> None:
        # usrsctp: once one is missed the next ones follow at the pace of the time-out (RFC 7829).
        pause = 0.0 if self._errors else self._losses.profile.heartbeat_interval
        self._later(pause + self._losses.spread(self._timeout), self._beat)

    def _beat(self) -> None:
        if self._end.lost or (self._unanswered and self._failed()):
            return
        idle = self._clock.seconds() - self._sent_at >= self._losses.profile.heartbeat_interval
        if idle or self._unanswered:
            self._unanswered = True
            self._ask()
        self._beat_later()

    def _ask(self) -> None:
        here, there = self._end.ways
        if not self._losses.passes() or self._network.stopped(here, there) or self._end.remote_dead:
            return
        if self._end.remote_lost:
            self._aborted()
        elif self._losses.passes() and not self._network.stopped(there, here):
            both = self._network.transit(here, there) + self._network.transit(there, here)
            self._later(both, self._answered)

    def _answered(self) -> None:
        self._errors = 0
        self._unanswered = False
        self._timeout = self._losses.profile.rto_min

    # Time.

    def stop(self) -> None:
        """The association is gone."""
        self._stop_t3()

    def _stop_t3(self) -> None:
        if self._t3 is not None:
            self._t3.cancel()
            self._t3 = None

    def _later(self, seconds: float, call: Any, *arguments: Any) -> Any:
        return self._clock.callLater(seconds, call, *arguments)
