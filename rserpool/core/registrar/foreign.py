"""Reports about elements of other registrars (RFC 5352 section 3.5): we ask them, and only their homes remove them."""

from __future__ import annotations

from typing import Final

from rserpool.core import authority
from rserpool.core.deadlines import Timers
from rserpool.core.effects import Abort, Close, Send
from rserpool.core.handlespace.changes import Doubted, Outcome
from rserpool.core.handlespace.element import Element
from rserpool.core.registrar.clients import Client
from rserpool.core.ruling import Ruling
from rserpool.core.wire import asap

FOREIGN: Final = "foreign"
"""The key of what a question waits for: with the element."""


class Foreign:
    """The questions under way; one answers all reports that come meanwhile, and for a while after it.

    @param patience: seconds that an answer may take.
    @param quiet: at least so many seconds lie between two questions to one element.
    """

    def __init__(self, server: int, timers: Timers, patience: float, quiet: float) -> None:
        self._server = server
        self._timers = timers
        self._patience = patience
        self._quiet = quiet
        self._asked: dict[Element, Client | None] = {}

    def doubt(self, element: Element, now: float) -> bool:
        """Somebody could not reach it; whether it is to be asked now."""
        key = (FOREIGN, element)
        if key in self._timers:
            return False
        if now < element.asked + self._quiet:
            self._timers.set(key, element.asked + self._quiet)
            return False
        self._asked[element] = None
        self._timers.set(key, now + self._patience)
        return True

    def asks(self, element: Element) -> bool:
        """Whether an answer of it is awaited."""
        return element in self._asked

    def over(self, client: Client, element: Element, now: float) -> list[Outcome]:
        """There is an association to it: the H flag is 0, since we are not its home."""
        if element not in self._asked:
            return []
        self._asked[element] = client
        element.asked = now
        question = asap.EndpointKeepAlive(self._server, element.handle, False, element.identifier)
        return [Send(client.association, question)]

    def answered(self, client: Client, element: Element) -> list[Outcome]:
        """It lives."""
        if self._asked.get(element) is not client:
            return []
        self.forget(element)
        return [] if self._needs(client) else [Close(client.association)]

    def late(self, element: Element) -> tuple[bool, list[Outcome]]:
        """L{FOREIGN} is due; whether it is to be asked again, and what else."""
        if element not in self._asked:
            return True, []
        client = self._asked[element]
        outcomes = self.failed(element)
        if client is not None and not self._needs(client):
            outcomes.append(Abort(client.association))
        return False, outcomes

    def failed(self, element: Element) -> list[Outcome]:
        """It cannot be asked, or does not answer: its home must hear of that, once."""
        if element not in self._asked:
            return []
        self.forget(element)
        told = authority.doubts().ruling is Ruling.PASSED_ON
        return [Doubted(element, element.home)] if told else []

    def lost(self, client: Client) -> list[Outcome]:
        """An association is gone, perhaps with questions under way."""
        waiting = [element for element, asked in self._asked.items() if asked is client]
        return [outcome for element in waiting for outcome in self.failed(element)]

    def forget(self, element: Element) -> None:
        """It is gone, or ours."""
        if element in self._asked:
            del self._asked[element]
            self._timers.cancel((FOREIGN, element))

    def _needs(self, client: Client) -> bool:
        return not client.outbound or bool(client.elements) or client in self._asked.values()
