"""The addresses of other registrars that we want an association with, and when each is dialled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rserpool.core.addresses import TransportAddress, same_place
from rserpool.core.backoff import Backoff
from rserpool.core.deadlines import Timers
from rserpool.core.dice import Dice
from rserpool.core.effects import Association, Connect, Effect

DIAL: Final = "dial"
"""The key of an address that is due to be dialled again."""
MOST_DIALS = 256
"""So many addresses are dialled, or kept in mind to be, at the same time; what others name beyond that is ignored."""
PAUSES = Backoff(0.2, 5.0)


class _Dial:
    __slots__ = ("association", "kept", "pause", "under_way")

    def __init__(self, kept: bool) -> None:
        self.kept = kept
        self.association: Association | None = None
        self.under_way = False
        self.pause = 0.0


class Dials:
    """Configured addresses are dialled for ever, with back-off; others once."""

    def __init__(self, random: Dice, timers: Timers) -> None:
        self._random = random
        self._timers = timers
        self._dials: dict[TransportAddress, _Dial] = {}

    def configure(self, addresses: Sequence[TransportAddress]) -> list[Effect]:
        """Keep these addresses for ever."""
        self._dials.update((address, _Dial(True)) for address in addresses)
        return [effect for address in addresses for effect in self._connect(address)]

    def want(self, address: TransportAddress) -> list[Effect]:
        """Dial an address now, unless there is an association, or will be."""
        if address not in self._dials:
            if len(self._dials) >= MOST_DIALS:
                return []
            self._dials[address] = _Dial(False)
        return self._connect(address)

    def again(self, address: TransportAddress, now: float) -> list[Effect]:
        """L{DIAL} is due."""
        return self._connect(address)

    def up(self, association: Association, address: TransportAddress) -> None:
        """We dialled successfully."""
        dial = self._dials.get(address)
        if dial is not None:
            dial.association, dial.under_way, dial.pause = association, False, 0.0

    def failed(self, address: TransportAddress, now: float) -> None:
        """An address could not be reached."""
        dial = self._dials.get(address)
        if dial is None:
            return
        dial.under_way = False
        if dial.kept:
            dial.pause = PAUSES.after(dial.pause)
            self._timers.set((DIAL, address), now + dial.pause * self._random.uniform(0.75, 1.25))
        else:
            del self._dials[address]

    def lost(self, association: Association) -> list[Effect]:
        """An association is gone; it may have been wanted by several addresses of one registrar."""
        effects: list[Effect] = []
        for address, dial in list(self._dials.items()):
            if dial.association == association:
                dial.association = None
                if dial.kept:
                    effects += self._connect(address)
                else:
                    del self._dials[address]
        return effects

    def forget(self, place: TransportAddress | None) -> None:
        """We are there ourselves: it is not dialled any more."""
        if place is not None:
            for address in [each for each in self._dials if same_place(place, each)]:
                del self._dials[address]
                self._timers.cancel((DIAL, address))

    def _connect(self, address: TransportAddress) -> list[Effect]:
        dial = self._dials[address]
        if dial.under_way or dial.association is not None:
            return []
        self._timers.cancel((DIAL, address))
        dial.under_way = True
        return [Connect(address, "enrp")]
