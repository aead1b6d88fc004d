"""Which changes of the home registrar are worth a line in the log: none that is told already, until it has answered."""

from __future__ import annotations

from rserpool.core.addresses import TransportAddress

MOST = 16
"""So many different homes are told, however many there are, before one answers."""


class Homes:
    """What was told since a registrar answered: one that accepts and says nothing is lost and found for ever."""

    def __init__(self) -> None:
        self._told: set[TransportAddress | None] = set()

    def new(self, registrar: TransportAddress | None) -> bool:
        """Whether to tell that this is the home now, or (None) that there is none."""
        if registrar in self._told or len(self._told) > MOST:
            return False
        self._told.add(registrar)
        return True

    def answered(self) -> None:
        """The home gave an answer: what happens from now on is new."""
        self._told.clear()
