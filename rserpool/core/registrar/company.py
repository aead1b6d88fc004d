"""Whether a registrar hears of others while one element does not answer: who hears nobody is cut off itself.

An element that does not answer a keep-alive is gone (RFC 5352 section 3.5): soon, where the others are heard meanwhile.
Where most of them are not, the registrar has no network, or far too little of the processor; its elements live, as a
rule, and its peers will miss it and take them over. So it is patient then.
"""

from __future__ import annotations

from bisect import bisect_right
from heapq import nlargest
from itertools import islice
from math import inf
from typing import Final

from rserpool.core.effects import Effect
from rserpool.core.handlespace.distances import Distances
from rserpool.core.handlespace.element import Element
from rserpool.core.peering.peering import Peering
from rserpool.core.peering.peers import Peer
from rserpool.core.profiles import Profile
from rserpool.core.registrar.clients import Clients
from rserpool.core.registrar.shares import Shares

CHECK: Final = 0.3
"""So many seconds before its time is over an element is asked again, and some others are asked, too."""
ASKED: Final = 4
"""So many others. Half of them, and of all that should be heard, suffice."""
SETTLED: Final = 0.15
"""What is heard so soon after an element was asked may have been on its way when we were cut off."""
FEW: Final = 3
"""Where there are elements at fewer other machines, as many peers as may be asked count, too."""
FAR: Final = 20.0
"""An element may take so many round trips: within these SCTP sends again three times what is lost, as a rule."""
BUSY: Final = 4.0
"""So many times as long as at most an element of our own machine may take, while that has too much to do."""
MANY: Final = 64
"""Among more machines than this, who was heard is looked up every L{STALE} seconds, and not for each element."""
STALE: Final = 0.05


class Company:
    """When somebody was heard last at each machine but our own, which is heard without any network.

    @ivar answer: seconds that an element has for its answer, if it is near and others are heard.
    """

    def __init__(
        self, profile: Profile, clients: Clients, distances: Distances, peering: Peering, shares: Shares
    ) -> None:
        self.answer, self._patience = profile.keep_alive_answer, profile.keep_alive_timeout
        self._clients = clients
        self._distances = distances
        self._peering = peering
        self._shares = shares
        # With the element that was.
        self._heard: dict[str, tuple[float, Element]] = {}
        # As of the last look: when others were, in order; which of them last; and which are peers.
        self._looked = -inf
        self._times: list[float] = []
        self._last: list[str] = []
        self._peers: dict[str, Peer] = {}

    # Who is heard.

    def heard(self, element: Element, now: float) -> None:
        """An element has answered."""
        client = self._clients.get(element.association)
        if client is not None:
            self._heard[client.machine] = now, element

    def left(self, element: Element) -> None:
        """An element is supervised no more. If it was not being asked, nobody is missed where there is no other."""
        client, watch, machines = self._clients.get(element.association), element.watch, self._shares.machines
        if client is not None and watch is not None and watch.answer_by is None:
            if client.machine not in machines:
                self._heard.pop(client.machine, None)
        if len(self._heard) > 2 * len(machines) + MANY:
            self._heard = {where: heard for where, heard in self._heard.items() if where in machines}

    def gone(self, element: Element, answer_by: float) -> None:
        """An element has not answered; if others were heard meanwhile, it is missed for no other one's sake."""
        self._shares.keeping_up.missed(_group(element))
        if answer_by < element.asked + self._patience:
            self._heard.pop(self._machine(element), None)

    # How long an element may take.

    def look_at(self, answer_by: float) -> float:
        """When to look at an element that has to answer until then."""
        return answer_by - CHECK if self.answer < self._patience else answer_by

    def patience(self, element: Element) -> float:
        """Seconds that it may take at most, or one that has to be dialled."""
        return BUSY * self._patience if self._is_busy_here(element) else self._patience

    def until(self, element: Element, answer_by: float, now: float) -> float:
        """It has not answered until C{answer_by}: when its time is over, in the end (monotonic seconds)."""
        if self._settled(element, answer_by):
            return answer_by
        patience = self.patience(element)
        if patience > self._patience or self._cut_off(element, now):
            return element.asked + patience
        over = element.association
        far = 0.0 if over is None else self._distances.round_trip(over) or 0.0
        return element.asked + min(max(self.answer, FAR * far), self._patience)

    def late(self, element: Element, answer_by: float, now: float) -> bool:
        """Whether it might have answered already, and is to be asked again."""
        if now < answer_by - CHECK or self._settled(element, answer_by):
            return False
        return self._shares.keeping_up.late(_group(element))

    def others(self, element: Element, now: float) -> tuple[list[Element], list[Effect]]:
        """An element is late: whom else to ask, so that we know whether anybody is heard; those that were heard last.

        @return: elements, and what goes to peers.
        """
        self._look(element, now)
        ask, heard = self._peering.ourselves.ask, self._heard
        effects = [effect for where in self._last if where in self._peers for effect in ask(self._peers[where])]
        return [heard[where][1] for where in self._last if where in heard], effects

    def _machine(self, element: Element) -> str:
        """Where it speaks from, or has registered from; an empty name if we do not know."""
        client = self._clients.get(element.association)
        return client.machine if client is not None else _group(element)

    def _settled(self, element: Element, answer_by: float) -> bool:
        """Whether it was dialled first, or has as long as it may have."""
        return answer_by > element.asked + self.answer or self.answer >= self._patience

    def _is_busy_here(self, element: Element) -> bool:
        """Whether it is at our own machine, which is never silent, and so many are late that it has too much to do."""
        where = self._machine(element)
        return where in self._peering.ourselves.machines and self._shares.keeping_up.busy(_group(element))

    def _cut_off(self, element: Element, now: float) -> bool:
        """Whether that is why it has not answered."""
        self._look(element, now)
        number, since = len(self._times), element.asked
        due = number * min((self._looked - since) / self._shares.mean, 1.0)
        settled = number - bisect_right(self._times, since + SETTLED)
        return settled < min(number, ASKED) / 2 or number - bisect_right(self._times, since) < due / 2

    def _look(self, element: Element, now: float) -> None:
        many = len(self._heard) > MANY
        if many and now < self._looked + STALE:
            return
        times, self._peers = self._elsewhere(None if many else element, now)
        self._times, self._looked = sorted(times.values()), now
        self._last = nlargest(ASKED, times, key=times.__getitem__)

    def _elsewhere(self, element: Element | None, now: float) -> tuple[dict[str, float], dict[str, Peer]]:
        """When each machine was heard last, but for that of an element, and which peers are there."""
        oldest = now - self._patience - 3 * self._shares.mean
        self._heard = {where: heard for where, heard in self._heard.items() if heard[0] >= oldest}
        its, ours = "" if element is None else self._machine(element), self._peering.ourselves.machines
        if its in ours:
            return {}, {}
        here = {*ours, its}
        times = {where: when for where, (when, _) in self._heard.items() if where not in here}
        peers: dict[str, Peer] = {}
        if len(times) < FEW:
            monitored = (each for each in self._peering.peers if each.monitored and each.origin not in here)
            peers = {each.origin: each for each in islice(monitored, ASKED)}
            for where, peer in peers.items():
                times[where] = max(peer.last_heard, times.get(where, -inf))
        return times, peers


def _group(element: Element) -> str:
    """The machine that it registered from with us, by which elements share: empty if it did not."""
    return "" if element.watch is None else element.watch.group[0]
