"""How finely libusrsctp's clock is moved on: an idle process should not wake a hundred times a second.

The library cannot be asked when its next timer is due. While anything is under way (a set-up, data that is not
acknowledged in time, a heartbeat without an answer) its clock moves by L{TICK}, so that time-outs come in time; among
many associations there always is something (L{crowd<rserpool.sctp.usrsctp.crowd>}).
Otherwise it stands still until the earliest instant at which one of its timers can be due:

  - an acknowledgement that waits for data to ride with: C{sack_delay} after the data came;
  - what goes out and is not acknowledged: RTO.Min after it was sent. Of data it is read from the packets themselves
    whether it is: to ask the library for each association costs more than all else that an acknowledgement takes;
  - a heartbeat: we say when it is time for one (L{Resting}), and the library's own are off.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable
from math import inf
from typing import Final, Protocol, TypeAlias

from rserpool.core.profiles import Profile
from rserpool.sctp.usrsctp.crowd import Crowd, Member
from rserpool.sctp.usrsctp.packets import HEADER

TICK: Final = 0.01
"""Seconds between two calls of the library's timers, while there is anything to time."""
LATE: Final = 0.002
"""So long after its time a timer is due for sure: the library counts whole milliseconds."""
LONGEST: Final = 60.0
"""Seconds for which it stands still at most: the library renews its secrets now and then."""
FEWER: Final = 2
"""With up to so many they are looked at after each packet, which costs less than to be woken for it."""
DATA, INIT, INIT_ACK, SACK, HEARTBEAT, HEARTBEAT_ACK = range(6)
"""Types of chunks (RFC 9260 section 3.2)."""
HEARTBEATS: Final = (HEARTBEAT, HEARTBEAT_ACK)
SIMPLE: Final = (SACK, HEARTBEAT, HEARTBEAT_ACK)
"""What comes alone in a packet, and is followed by nothing that a timer waits for."""
_CHUNK: Final = struct.Struct("!BxHI").unpack_from
"""Type, length, and what follows: the number (TSN) of data, or up to which all has come."""
_LEAST: Final = 8
"""Bytes that are read of a chunk."""
_NUMBERS: Final = 1 << 32
"""How many numbers there are; those of the half after one are later than it (RFC 1982)."""
Packet: TypeAlias = bytes | memoryview
Where: TypeAlias = tuple[int, bytes]
"""A peer, and both SCTP ports, as a packet to it has them."""


class Resting(Member, Protocol):
    """An association, over which nothing goes.

    @ivar asked: whether a heartbeat was sent that was not answered.
    @ivar ask_at: when it is time for the next one, if nothing is heard of the peer until then.
    @ivar where: where its packets go.
    """

    where: Where
    asked: bool
    ask_at: float

    def hear(self, now: float) -> None:
        """Something came of the peer."""

    def answered(self) -> None:
        """The peer has answered a heartbeat."""

    def ask(self, now: float) -> None:
        """Send one; if that is not answered the library goes on."""


class Timed(Protocol):
    """An endpoint."""

    @property
    def profile(self) -> Profile: ...

    @property
    def present(self) -> Collection[Resting]: ...

    def is_settled(self) -> bool:
        """Whether all its associations are up, and nothing is on its way over them."""


class Pace:
    """
    @ivar coarse: whether the clock stands still for longer.
    @ivar moved: whether something was sent or received since the last tick that has to do with a timer.
    @ivar crowd: the associations, where they are many.
    @ivar associations: how many there are, set-ups included.
    @ivar by_tag: associations by our verification tags: nobody else knows them (RFC 9260 section 5.3.1).
    @ivar beats: how many heartbeats came, or were answered.
    @ivar now: when the library was told last how much time has passed.
    """

    def __init__(self) -> None:
        self.coarse = self.moved = False
        self.crowd = Crowd()
        self.associations = self.beats = 0
        self.by_tag: dict[bytes, Resting] = {}
        self.now = self._moved_at = -inf
        self._timer_at = inf
        # To whom an acknowledgement may be owed, and when it is due.
        self._owed: dict[Where, float] = {}
        # To whom data has gone that is not acknowledged: the number (TSN) of the last, and when the first is due.
        self._out: dict[Where, tuple[int, float]] = {}
        self._sack_delay = self._rto = 0.0
        self._resting: list[Resting] = []

    def heard(self, packet: Packet, now: float) -> Resting | None:
        """A packet comes in: of whom?"""
        association = self.by_tag.get(bytes(packet[4:8]))
        if association is not None:
            association.hear(now)
            if packet[HEADER] in HEARTBEATS:
                self.beats += 1
            if packet[HEADER] == HEARTBEAT_ACK:
                association.answered()
        return association

    # While the clock stands still.

    def came(self, handle: int, packet: Packet, now: float) -> None:
        """A packet comes in from this peer."""
        association = self.heard(packet, now)
        kind, length, number = _CHUNK(packet, HEADER) if len(packet) >= HEADER + _LEAST else (packet[HEADER], 0, 0)
        known = association is not None and association.where[0] == handle
        where = association.where if association is not None and known else (handle, _back(packet))
        if kind == SACK and known and self._out:
            out = self._out.get(where)
            # All that went out has come, if the last did.
            if out is not None and number == out[0]:
                del self._out[where]
        if kind in SIMPLE and HEADER + length + 3 >= len(packet):
            return
        if kind != DATA and kind != SACK:
            self.begun(now)
        self._owed.setdefault(where, now + self._sack_delay + LATE)

    def left(self, handle: int, packet: bytes) -> None:
        """A packet goes out."""
        where = handle, packet[:4]
        last = -1
        at, end = HEADER, len(packet) - _LEAST
        while at <= end:
            kind, length, number = _CHUNK(packet, at)
            if kind == DATA:
                last = number
            elif kind == SACK and self._owed:
                self._owed.pop(where, None)
            at += max(length + 3 & ~3, _LEAST)
        if last >= 0:
            out = self._out.get(where)
            if out is None:
                self._out[where] = last, self.now + self._rto + LATE
            elif (last - out[0]) % _NUMBERS < _NUMBERS // 2:
                self._out[where] = last, out[1]

    def begun(self, now: float) -> None:
        """Something goes out that is waited for."""
        self._timer_at = min(self._timer_at, now + self._rto + LATE)

    def calm(self, endpoints: Collection[Timed]) -> None:
        """A packet was read: maybe nothing is waited for any more."""
        if self._timer_at < inf and not (self._owed or self._out):
            if self.associations <= FEWER and _is_over(endpoints):
                self._timer_at = inf

    def until(self, endpoints: Iterable[Timed], now: float) -> float:
        """When the clock has to move."""
        until = min(self._timer_at, now + LONGEST)
        for when in self._owed.values():
            if when < until:
                until = when
        for _, when in self._out.values():
            if when < until:
                until = when
        for endpoint in endpoints:
            for each in endpoint.present:
                if each.ask_at < until:
                    until = each.ask_at
        return until

    # With each tick.

    def next(self, endpoints: Collection[Timed], now: float) -> float:
        """A tick is over: when the next one is due."""
        if self.coarse:
            self._look(endpoints, now)
        else:
            self.crowd.look(self.associations, (endpoint.present for endpoint in endpoints), now)
            self._wait(endpoints, now)
        if not self.coarse:
            for each in self._resting if not self.crowd.here else ():
                each.rouse()
            self._resting = []
            return now + TICK
        return self.until(endpoints, now)

    def _wait(self, endpoints: Collection[Timed], now: float) -> None:
        """The clock has moved finely: it may stand still, if nothing is due soon."""
        if self.moved:
            self.moved, self._moved_at = False, now
        if self.crowd.here or not endpoints:
            return
        self._sack_delay = max(endpoint.profile.sack_delay for endpoint in endpoints)
        self._rto = min(endpoint.profile.rto_min for endpoint in endpoints)
        if now - self._moved_at > self._sack_delay + LATE and _is_over(endpoints):
            self.coarse, self._timer_at = True, inf
            self._owed.clear()
            self._out.clear()
            self._resting = [each for endpoint in endpoints for each in endpoint.present]
            for each in self._resting:
                each.rest(now)

    def _look(self, endpoints: Collection[Timed], now: float) -> None:
        """The clock stood still, and has moved on: acknowledgements that were due are out."""
        self._owed = {to: when for to, when in self._owed.items() if when > now}
        if self._timer_at <= now or any(when <= now for _, when in self._out.values()):
            self._timer_at = inf
            self._out.clear()
            self.coarse = _is_over(endpoints)
        if self.coarse:
            for each in [each for endpoint in endpoints for each in endpoint.present if each.ask_at <= now]:
                each.ask(now)
                self.begun(now)


def _is_over(endpoints: Iterable[Timed]) -> bool:
    """Whether nothing is waited for."""
    for endpoint in endpoints:
        for each in endpoint.present:
            if each.asked:
                return False
        if not endpoint.is_settled():
            return False
    return True


def _back(packet: Packet) -> bytes:
    """The ports of a packet that comes in, as one that goes there has them."""
    return bytes((packet[2], packet[3], packet[0], packet[1]))
