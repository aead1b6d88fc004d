"""What follows when an element came, changed, moved or went: for every change here, and in one order."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final

from rserpool.core.deadlines import Timers
from rserpool.core.effects import Abort, Effect, Notify, Send
from rserpool.core.errors import CauseCode
from rserpool.core.handles import handle_text
from rserpool.core.handlespace.changes import (
    Added,
    Change,
    Copied,
    Doubted,
    Insisted,
    Later,
    Moved,
    Outcome,
    Removed,
    Renewed,
    Suspected,
    Why,
)
from rserpool.core.handlespace.element import Element
from rserpool.core.peering.peering import Peering
from rserpool.core.registrar.answers import Answers
from rserpool.core.registrar.clients import Clients
from rserpool.core.registrar.draining import DrainingElements
from rserpool.core.registrar.events import ElementRegistered, ElementRemoved
from rserpool.core.registrar.home import Home
from rserpool.core.registrar.supervision import Supervision
from rserpool.core.trail import Act, Acted
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.enrp import UpdateAction

REST: Final = "rest"
"""The key of what is not done yet."""
STEPS: Final = 128
"""So many steps are done in one turn."""
EFFECTS: Final = 512
"""Or as many as have so many effects."""


class Consequences:
    """Follows the changes that procedures return, from a queue: what follows may change more, and waits at its end.

    What there is a lot of is followed in turns of L{STEPS} steps.
    """

    def __init__(
        self,
        server: int,
        *,
        peering: Peering,
        answers: Answers,
        home: Home,
        supervision: Supervision,
        clients: Clients,
        draining: DrainingElements,
        timers: Timers,
    ) -> None:
        self._server = server
        self._timers = timers
        self._rest: deque[Iterator[Outcome | None]] = deque()
        self._peering, self._peers = peering, peering.peers
        self._answers, self._subscribers = answers, answers.subscribers
        self._home, self._rivals = home, home.rivals
        self._supervision = supervision
        self._clients = clients
        self._draining = draining
        self._counts, self._observer = clients.counts, clients.observer

    def follow(self, outcomes: Iterable[Outcome], now: float) -> list[Effect]:
        """All effects, with those of a change in its place."""
        effects: list[Effect] = []
        begun = self._all(outcomes, now, effects)
        if begun:
            self._some(deque(begun), now, effects)
        return effects

    def rest(self, now: float) -> list[Effect]:
        """L{REST} is due: a few more steps of everything that is not done yet."""
        effects: list[Effect] = []
        begun, self._rest = self._rest, deque()
        self._some(begun, now, effects)
        return effects

    def _all(
        self, outcomes: Iterable[Outcome], now: float, effects: list[Effect]
    ) -> list[Iterator[Outcome | None]] | None:
        """Add their effects, but for what there is a lot of.

        @return: that, if there is any.
        """
        begun: list[Iterator[Outcome | None]] | None = None
        queue = list(outcomes)
        for outcome in queue:
            if type(outcome) is Send:
                # As most are.
                effects.append(outcome)
            elif isinstance(outcome, Change):
                self._follow(outcome, now, effects, queue)
            elif isinstance(outcome, Copied):
                queue += self._copied(outcome.elements, now)
            elif not isinstance(outcome, Later):
                effects.append(outcome)
            elif outcome.now:
                begun = [*(begun or ()), outcome.outcomes]
            else:
                self._rest.append(outcome.outcomes)
                self._timers.set((REST,), now)
        return begun

    def _some(self, begun: deque[Iterator[Outcome | None]], now: float, effects: list[Effect]) -> None:
        """A step of each, in turn, until that is enough; what is left waits."""
        for _ in range(STEPS):
            if not begun or len(effects) >= EFFECTS:
                break
            steps = begun.popleft()
            for outcome in islice(steps, 1):
                more = None if outcome is None else self._all((outcome,), now, effects)
                begun.append(steps)
                begun.extend(more or ())
        self._rest += begun
        if self._rest:
            self._timers.set((REST,), now)

    def _copied(self, elements: list[Element], now: float) -> list[Outcome]:
        """New ones: nothing follows while nobody looks on and nobody has subscribed."""
        if self._observer.on or self._subscribers:
            return [Added(element, element.home) for element in elements]
        for element in elements:
            element.since = now
        return []

    def _follow(self, change: Change, now: float, effects: list[Effect], queue: list[Outcome]) -> None:
        kind, element = type(change), change.element
        if kind is Added:
            element.since = now
        ours = change.home == self._server
        dead = isinstance(change, Removed) and change.why in _DEAD
        # The peers (RFC 5353 section 3.3): what the home tells.
        if ours and kind in _ANNOUNCED and len(self._peers):
            effects += self._peering.announce(_ANNOUNCED[kind], element, dead)
        # The subscribers (RFC 5352 section 2.2.5): what the pool offers.
        seen = kind in _SEEN and not (isinstance(change, Renewed) and not change.other)
        if seen and element.handle in self._subscribers:
            effects += self._answers.changed(element.handle, now, element.identifier if dead else None)
        # The rivals that wait for its identifier.
        if element in self._rivals:
            if kind is Removed:
                queue += self._home.removed(element, now)
            elif kind not in (Suspected, Doubted):
                effects += self._home.settled(element)
        # The element itself.
        reporters: Collection[str] = ()
        if isinstance(change, Removed):
            reporters = (element.watch.reporters if element.watch is not None else None) or ()
            effects += self._dismiss(element, change.why.told, change.why is Why.SILENT)
        elif kind is not Added:
            self._itself(change, now, effects, queue)
        # The operator.
        if self._observer.on:
            effects += self._observer.change(change, reporters)
        if isinstance(change, Removed):
            self._removed(change, reporters, effects)
        elif kind is Added and ours:
            effects.append(Notify(ElementRegistered(element.handle, element.identifier, element)))
        if ours and kind in _REGISTERED and self._draining.held:
            queue += self._draining.registered(element.handle, element.identifier)

    def _itself(self, change: Change, now: float, effects: list[Effect], queue: list[Outcome]) -> None:
        """What follows for an element that was there, and is."""
        kind, element, ours = type(change), change.element, change.home == self._server
        if kind is Suspected and element.watch is not None:
            queue += self._supervision.probe(element, now)
        elif kind is Doubted:
            told = enrp.HandleUpdate(
                self._server, change.home, UpdateAction.DEL_PE, element.handle, element.parameter()
            )
            passed_on = self._peers.to(change.home, told)
            effects += passed_on
            if not passed_on:
                queue += self._home.vacant(element, now)
        elif kind is Moved and ours:
            queue += self._draining.taken(element) or self._supervision.claim(element, now)
        elif isinstance(change, (Renewed, Moved)) and change.before == self._server and not ours:
            # If we are its home after all, it registers again at once, and that is announced.
            effects += self._dismiss(element, ())

    def _removed(self, change: Removed, reporters: Collection[str], effects: list[Effect]) -> None:
        """It is counted, and told."""
        element, why = change.element, change.why
        self._counts.removed[why] += 1
        by = frozenset(reporters) if reporters else _NOBODY
        effects.append(Notify(ElementRemoved(element.handle, element.identifier, why.text, element, by)))
        if change.home == self._server and why is not Why.DEREGISTERED and self._clients.access.secured:
            about = f"{handle_text(element.handle)} 0x{element.identifier:08x}"
            effects.append(Notify(Acted(Act.REMOVED, "this registrar", None, about, why.text)))

    def _dismiss(self, element: Element, told: tuple[CauseCode, ...] | None, silent: bool = False) -> list[Effect]:
        """We look after it no longer, and say so if there is anything to say: what was only slow registers again."""
        client = None if told is None else self._clients.get(element.association)
        self._supervision.forget(element)
        self._clients.release(element)
        if client is None or told is None:
            return []
        if silent and client.outbound and not client.elements:
            return [Abort(client.association)]
        causes = tuple(map(ErrorCause, told))
        return [Send(client.association, asap.DeregistrationResponse(element.handle, element.identifier, causes))]


_ANNOUNCED: Final[dict[type[Change], UpdateAction]] = {
    Added: UpdateAction.ADD_PE,
    Renewed: UpdateAction.ADD_PE,
    Insisted: UpdateAction.ADD_PE,
    Removed: UpdateAction.DEL_PE,
}
_DEAD: Final = frozenset({Why.SILENT, Why.UNREACHABLE, Why.REPORTED, Why.EXPIRED, Why.DIED})
"""Who is gone for these reasons did not leave by itself, and finishes nothing."""
_NOBODY: Final[frozenset[str]] = frozenset()
_REGISTERED: Final = frozenset({Added, Renewed})
"""By itself, if it drained here until now: L{DrainingElements.taken} sees to that."""
_SEEN: Final = frozenset({Added, Renewed, Removed})
