"""Whom supervision dials to ask whether they live: so many places at a time, the others in their turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from rserpool.core.addresses import TransportAddress
from rserpool.core.handlespace.element import Element

MOST_DIALS: Final = 1024
"""So many places are dialled at a time; those that are to be dialled then wait, the oldest first."""


class Dialling:
    """The elements that are to be asked at each place, once there is an association."""

    def __init__(self) -> None:
        self._now: dict[TransportAddress, dict[Element, None]] = {}
        self._later: dict[TransportAddress, dict[Element, None]] = {}

    def at(self, place: TransportAddress) -> list[Element]:
        """Those for which a place is being dialled."""
        return [*self._now.get(place, ())]

    def begin(self, place: TransportAddress, element: Element) -> bool | None:
        """An element is to be asked there: whether to dial; None if that has to wait."""
        waiting = self._now.get(place)
        if waiting is not None:
            waiting[element] = None
            return False
        if len(self._now) < MOST_DIALS:
            self._now[place] = {element: None}
            return True
        self._later.setdefault(place, {})[element] = None
        return None

    def over(self, place: TransportAddress) -> list[Element]:
        """A place was dialled: those who waited for that."""
        return [*self._now.pop(place, ())]

    def next(self, awaits: Callable[[Element], bool]) -> tuple[TransportAddress, list[Element]] | None:
        """The place whose turn it is, and those who are still to be asked there; None if nobody may be dialled."""
        while self._later and len(self._now) < MOST_DIALS:
            place = next(iter(self._later))
            waiting = {element: None for element in self._later.pop(place) if awaits(element)}
            if waiting:
                self._now[place] = waiting
                return place, [*waiting]
        return None

    def forget(self, element: Element) -> None:
        """An element waits no more to be dialled."""
        if self._later and (place := element.asap_address()) in self._later:
            self._later[place].pop(element, None)
