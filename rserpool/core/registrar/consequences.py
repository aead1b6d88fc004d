"""What follows when an element came, changed, moved or went: for every change here, and in one order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from rserpool.core.effects import Abort, Effect, Notify, Send
from rserpool.core.errors import CauseCode
from rserpool.core.handlespace.changes import (
    Added,
    Change,
    Insisted,
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
from rserpool.core.registrar.events import ElementRegistered, ElementRemoved
from rserpool.core.registrar.home import Home
from rserpool.core.registrar.supervision import Supervision
from rserpool.core.wire import asap
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.enrp import UpdateAction


class Consequences:
    """Follows the changes that procedures return, from a queue: what follows may change more, and waits at its end."""

    def __init__(
        self,
        server: int,
        *,
        peering: Peering,
        answers: Answers,
        home: Home,
        supervision: Supervision,
        clients: Clients,
    ) -> None:
        self._server = server
        self._peering = peering
        self._answers = answers
        self._home = home
        self._supervision = supervision
        self._clients = clients

    def follow(self, outcomes: Iterable[Outcome], now: float) -> list[Effect]:
        """All effects, with those of a change in its place."""
        effects: list[Effect] = []
        queue = deque(outcomes)
        while queue:
            outcome = queue.popleft()
            if not isinstance(outcome, Change):
                effects.append(outcome)
                continue
            for consequence in self._of(outcome, now):
                if isinstance(consequence, Change):
                    queue.append(consequence)
                else:
                    effects.append(consequence)
        return effects

    def _of(self, change: Change, now: float) -> list[Outcome]:
        ours = change.home == self._server
        return [
            *self._for_peers(change, ours),
            *self._for_subscribers(change, now),
            *self._for_rivals(change, ours, now),
            *self._for_the_element(change, ours, now),
            *self._for_the_operator(change, ours),
        ]

    def _for_peers(self, change: Change, ours: bool) -> Sequence[Outcome]:
        """RFC 5353 section 3.3: what the home tells."""
        match change:
            case Added() | Renewed() | Insisted() if ours:
                return self._peering.announce(UpdateAction.ADD_PE, change.element)
            case Removed() if ours:
                return self._peering.announce(UpdateAction.DEL_PE, change.element)
        return ()

    def _for_subscribers(self, change: Change, now: float) -> Sequence[Outcome]:
        """RFC 5352 section 2.2.5: who looks on."""
        match change:
            case Added() | Renewed() | Removed():
                return self._answers.changed(change.element.handle, now)
        return ()

    def _for_rivals(self, change: Change, ours: bool, now: float) -> Sequence[Outcome]:
        """Who waits for its identifier, because it may be dead."""
        match change:
            case Removed():
                return self._home.removed(change.element, now)
            case Renewed() | Moved() if not ours:
                return self._home.settled(change.element)
        return ()

    def _for_the_element(self, change: Change, ours: bool, now: float) -> Sequence[Outcome]:
        match change:
            case Removed(element=element, why=why):
                return self._dismiss(element, why.told, why is Why.SILENT)
            case Moved(element=element) if ours:
                return self._supervision.claim(element, now)
            case Renewed(element=element, before=before) | Moved(element=element, before=before) if not ours:
                # If we are its home after all, it registers again at once, and that is announced.
                return self._dismiss(element, ()) if before == self._server else ()
            case Suspected(element=element) if element.watch is not None:
                return self._supervision.probe(element, now)
        return ()

    def _for_the_operator(self, change: Change, ours: bool) -> Sequence[Outcome]:
        match change:
            case Added(element=element) if ours:
                return [Notify(ElementRegistered(element.handle, element.identifier))]
            case Removed(element=element, why=why):
                return [Notify(ElementRemoved(element.handle, element.identifier, why.text))]
        return ()

    def _dismiss(self, element: Element, told: tuple[CauseCode, ...] | None, silent: bool = False) -> list[Outcome]:
        """We look after it no longer, and say so if there is anything to say: what was only slow registers again."""
        client = self._clients.get(element.association)
        self._supervision.forget(element)
        self._clients.release(element)
        if client is None or told is None:
            return []
        if silent and client.outbound and not client.elements:
            return [Abort(client.association)]
        causes = tuple(map(ErrorCause, told))
        return [Send(client.association, asap.DeregistrationResponse(element.handle, element.identifier, causes))]
