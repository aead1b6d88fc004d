"""A registrar that is to end hands its elements over to its peers (draft-dreibholz-rserpool-enrp-takeover).

It suggests to each peer in turn, the least busy one first, to become the home of some elements; who registers meanwhile
is handed over, too. What is not taken is suggested to another peer.
"""

from __future__ import annotations

from itertools import islice
from math import inf
from typing import Final

from rserpool.core.deadlines import Timers
from rserpool.core.effects import Effect, Notify
from rserpool.core.errors import CannotAct
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.peering import Peering
from rserpool.core.peering.peers import Peer
from rserpool.core.profiles import Profile
from rserpool.core.registrar.events import Retired

RETIRE: Final = "retire"
"""The key of the next step."""
STEP: Final = 0.1
"""Seconds between two steps."""
AT_ONCE: Final = 100
"""So many elements are suggested in a step: peers tell them one after the other."""
PATIENCE: Final = 30.0
"""Seconds without an element that was taken, after which it is given up."""


class Retiring:
    """What is suggested, and what is left.

    @ivar active: whether it hands its elements over.
    """

    def __init__(
        self, server: int, handlespace: Handlespace, peering: Peering, timers: Timers, profile: Profile
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._peering = peering
        self._timers = timers
        self._again = 2 * profile.keep_alive_timeout + 2 * profile.max_time_no_response
        self._suggested: dict[Element, tuple[int, float]] = {}
        self._left = self._number = 0
        self._progress = inf
        self.active = self._told = False

    def begin(self, now: float) -> list[Effect]:
        """Begin to hand over; L{Retired} says when that is done.

        @raise CannotAct: if there is no other registrar to take them.
        """
        elements = len(self._handlespace.owned_by(self._server))
        if not self._takers():
            raise CannotAct(
                f"no other registrar is here to take {elements} elements over: this one is the last of its scope "
                "(start another one with --peer first, or stop this one)"
            )
        self.active, self._told, self._peering.takes = True, False, False
        self._progress, self._left, self._number = now, elements, elements
        return self.step(now)

    def step(self, now: float) -> list[Effect]:
        """L{RETIRE} is due: what is left, and whom to suggest it to."""
        if not self.active:
            return []
        owned = self._handlespace.owned_by(self._server)
        self._suggested = {each: told for each, told in self._suggested.items() if each in owned}
        if len(owned) != self._left:
            self._left, self._progress = len(owned), now
        self._timers.set((RETIRE,), now + STEP)
        if not owned:
            # Who registers from now on is handed over as well.
            told, self._told = self._told, True
            # Nobody need look for us when we end.
            ourselves = self._peering.ourselves
            ourselves.leaving = True
            leave = ourselves.presences(self._peering.peers.associations)
            return [] if told else [*leave, Notify(Retired(self._number))]
        if now >= self._progress + PATIENCE and not self._told:
            self.active, self._peering.takes = False, True
            return [Notify(Retired(self._number - len(owned), self._failure(len(owned))))]
        return self._suggest(now)

    def _suggest(self, now: float) -> list[Effect]:
        takers = self._takers()
        if not takers:
            return []
        effects: list[Effect] = []
        load = {peer.identifier: len(self._handlespace.owned_by(peer.identifier)) for peer in takers}
        for taker, _ in self._suggested.values():
            if taker in load:
                load[taker] += 1
        waiting = (each for each in self._handlespace.owned_by(self._server) if self._is_due(each, now))
        for element in list(islice(waiting, AT_ONCE)):
            before = self._suggested.get(element, (0, now))[0]
            others = [peer for peer in takers if peer.identifier != before] or takers
            peer = min(others, key=lambda each: (load[each.identifier], each.identifier))
            load[peer.identifier] += 1
            self._suggested[element] = peer.identifier, now
            effects += self._peering.updates.suggest(element, peer)
        return effects

    def _is_due(self, element: Element, now: float) -> bool:
        told = self._suggested.get(element)
        return told is None or now >= told[1] + self._again

    def _takers(self) -> list[Peer]:
        return [peer for peer in self._peering.peers if peer.association is not None and peer.monitored]

    def _failure(self, left: int) -> str:
        return (
            f"{left} elements were not taken over within {PATIENCE:g} s, and this registrar serves on: the others may"
            " not reach them, or do not know suggestions; when it is stopped, they find another registrar by themselves"
        )
