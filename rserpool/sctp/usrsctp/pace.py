"""How finely libusrsctp's clock is moved on: an idle process should not wake a hundred times a second.

The library cannot be asked when its next timer is due. While anything is under way (a set-up, data that nobody has
acknowledged, an acknowledgement that waits for data to ride with, a heartbeat without an answer) its clock moves by
L{TICK}, so that time-outs come in time. Otherwise nothing but the next heartbeat is due, and it may be L{COARSE} late.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol, TypeAlias

from rserpool.sctp.usrsctp.packets import HEADER

TICK: Final = 0.01
"""Seconds between two calls of the library's timers, while there is anything to time."""
COARSE: Final = 0.1
"""The same while nothing is under way."""
FEW: Final = 16
"""With more associations than this there is always something under way, and to look at all of them would cost more."""
HEARTBEAT: Final = 4
HEARTBEAT_ACK: Final = 5
HEARTBEATS: Final = (HEARTBEAT, HEARTBEAT_ACK)
"""Types of chunks (RFC 9260 section 3.2)."""
Packet: TypeAlias = bytes | memoryview


class Timed(Protocol):
    """An endpoint."""

    @property
    def associations(self) -> int: ...

    @property
    def sack_delay(self) -> float:
        """Seconds that an acknowledgement may wait."""

    def is_settled(self) -> bool:
        """Whether all its associations are up, and nothing is on its way over them."""


class Pace:
    """
    @ivar coarse: whether the clock stands still for longer.
    @ivar moved: whether something was sent or received since the last tick that has to do with a timer.
    @ivar asked: whether a heartbeat was sent that was not answered.
    """

    def __init__(self) -> None:
        self.coarse = self.moved = self.asked = False
        self._quiet = 0

    def heard(self, packet: Packet) -> None:
        """A packet came in that begins with a heartbeat, or the answer to one."""
        if packet[HEADER] == HEARTBEAT_ACK:
            self.asked = False
        self.moved = self.moved or not _is_alone(packet)

    def timers_sent(self, packets: Iterable[Packet]) -> None:
        """Timers were due, and sent these."""
        for packet in packets:
            if packet[HEADER] == HEARTBEAT:
                self.asked = True
            self.moved = self.moved or packet[HEADER] != HEARTBEAT or not _is_alone(packet)

    def next(self, endpoints: Iterable[Timed]) -> float:
        """A tick is over: seconds until the next one."""
        self._quiet = 0 if self.moved else self._quiet + 1
        self.moved = False
        self.coarse = not self.asked and self._quiet > 1 and self._is_settled(list(endpoints))
        return COARSE if self.coarse else TICK

    def _is_settled(self, endpoints: list[Timed]) -> bool:
        quiet = self._quiet * TICK
        return (
            sum(endpoint.associations for endpoint in endpoints) <= FEW
            and all(quiet > endpoint.sack_delay for endpoint in endpoints)
            and all(endpoint.is_settled() for endpoint in endpoints)
        )


def _is_alone(packet: Packet) -> bool:
    """Whether there is one chunk in it."""
    return HEADER + int.from_bytes(packet[HEADER + 2 : HEADER + 4], "big") + 3 >= len(packet)
