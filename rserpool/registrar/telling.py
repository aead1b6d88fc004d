"""How peers are told: updates about elements wait a moment for more of them (RFC 5353 section 3.3).

An update costs both registrars a packet and a part of its acknowledgement, unless others ride with it. The first one
goes at once; those that follow within L{MOMENT} go together. Nothing else that is sent to a peer overtakes them:
checksums, tables and takeovers are about what it was told.
"""

from __future__ import annotations

from typing import Any, Final

from rserpool.core.wire.enrp import HandleUpdate
from rserpool.node.loop import Carrier, Timer
from rserpool.node.node import NodeChannel

MOMENT: Final = 0.005
"""Seconds that an update waits at most; so long after one to the same peer the next goes at once."""
MOST: Final = 128
"""So many wait for one peer; then they go."""


class EnrpChannel(NodeChannel):
    """A registrar's channel for ENRP."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._waiting: dict[Carrier, list[bytes]] = {}
        self._quiet_until: dict[Carrier, float] = {}
        self._moment: Timer | None = None

    def send(self, carrier: Carrier, data: bytes) -> None:
        waiting = self._waiting.get(carrier)
        if data[0] != HandleUpdate.TYPE:
            if waiting is not None:
                self._tell(carrier)
            carrier.send(data, self.ppid)
        elif waiting is not None:
            waiting.append(data)
            if len(waiting) >= MOST:
                self._tell(carrier)
        else:
            now = self.driver.now()
            until = self._quiet_until.get(carrier, now)
            if until > now:
                self._waiting[carrier] = [data]
                if self._moment is None:
                    self._moment = self.driver.loop.call_later(until - now, self._over)
            else:
                self._quiet_until[carrier] = now + MOMENT
                carrier.send(data, self.ppid)

    def leave(self, carrier: Carrier) -> None:
        if carrier in self._waiting:
            self._tell(carrier)
        self._quiet_until.pop(carrier, None)
        super().leave(carrier)

    def stop(self) -> None:
        if self._moment is not None:
            self._moment.cancel()
            self._over()
        super().stop()

    def _over(self) -> None:
        self._moment = None
        for carrier in list(self._waiting):
            self._tell(carrier)

    def _tell(self, carrier: Carrier) -> None:
        together: Any = carrier
        together.sendAll(self._waiting.pop(carrier), self.ppid)
        self._quiet_until[carrier] = self.driver.now() + MOMENT
