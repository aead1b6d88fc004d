"""Elements that an operator has drain: they are told so, looked after while they do, and told to serve again.

Such an element deregisters, as one that stops: so no user gets it, whichever registrar that asks. But it stays in touch
with its home, which asks it in keep-alives how many connections it has yet. That it drains it knows itself: where its
home dies, it tells the next one. None of that is in the handlespace, and so in no checksum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from rserpool.core import authority
from rserpool.core.deadlines import Timers
from rserpool.core.effects import Abort, Effect, Notify, Send
from rserpool.core.errors import CannotAct
from rserpool.core.handles import handle_text
from rserpool.core.handlespace.changes import Outcome
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.profiles import Profile
from rserpool.core.registrar.clients import Client, Clients
from rserpool.core.registrar.events import DrainAnswered, DrainingEnded
from rserpool.core.ruling import Who
from rserpool.core.wire import asap
from rserpool.core.wire.orders import Drainer
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.core.wire.private import Draining

DRAIN: Final = "drain"
"""The key of an order that is not carried out yet: with handle and identifier."""
HELD: Final = "held"
"""The key of the next question to those that drain."""
MOST: Final = 10_000
"""So many are looked after."""

Key: TypeAlias = tuple[bytes, int]


@dataclass(slots=True)
class Held:
    """An element that drains.

    @ivar client: over whose association it speaks.
    @ivar element: as it was registered; None where it came, draining, from another registrar.
    @ivar since: since when it is known here to drain (monotonic seconds).
    @ivar connections: how many connections it has yet; None where it does not say.
    @ivar answer_by: when the question that is under way counts as failed, or None.
    """

    handle: bytes
    identifier: int
    client: Client
    element: PoolElementParameter | None
    since: float
    connections: int | None = None
    answer_by: float | None = None


@dataclass(slots=True)
class _Order:
    client: Client
    drains: bool
    element: PoolElementParameter | None = None
    told: bool = False
    connections: int | None = None


class DrainingElements:
    """What was ordered, and who drains.

    @ivar held: those that drain, by handle and identifier.
    @ivar changed: what follows when it is another one who drains, or has another number of connections.
    @ivar answered: what follows when an element has answered; the operator is told, by default.
    @ivar patience: seconds within which it is known whether an order is carried out.
    """

    def __init__(
        self, server: int, handlespace: Handlespace, clients: Clients, timers: Timers, profile: Profile
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._clients = clients
        self._timers = timers
        self._interval = profile.keep_alive_interval
        self._patience = profile.keep_alive_timeout
        self.patience = profile.keep_alive_timeout + max(profile.t2_registration, profile.t3_deregistration)
        self._orders: dict[Key, _Order] = {}
        self.held: dict[Key, Held] = {}
        self.changed: Callable[[], list[Effect]] = list
        self.answered: Callable[[DrainAnswered], list[Outcome]] = lambda event: [Notify(event)]

    @property
    def idle(self) -> bool:
        """Whether nobody drains, nor is to."""
        return not self._orders and not self.held

    def order(self, handle: bytes, identifier: int, drains: bool, now: float) -> list[Outcome]:
        """An operator wants an element of ours to drain, or to serve again; L{DrainAnswered} says what came of it.

        @raise CannotAct: if that cannot be.
        """
        key = handle, identifier
        held, element = self.held.get(key), self._handlespace.find(handle, identifier)
        name, pending = _named(*key), self._orders.get(key)
        if pending is not None and pending.drains is drains:
            return []  # whoever asked before hears the same
        if held is not None:
            if drains and pending is None:
                return self.answered(DrainAnswered(handle, identifier, True, "", held.connections))
            order = _Order(held.client, drains, held.element)
        elif element is None:
            raise CannotAct(f"{name} is not here: it is gone, or never was")
        else:
            client = self._clients.get(element.association)
            if client is None:
                raise CannotAct(
                    f"{name} cannot be told just now, its association is gone: again in a moment, or evict it"
                )
            order = _Order(client, drains, element.parameter())
        superseded = self._refused(key, "does not do it: an operator wants it otherwise by now")
        self._orders[key] = order
        self._timers.set((DRAIN, *key), now + self.patience)
        # Whether it knows what it is to be told, it says in its answer; who drains does.
        return [*superseded, self._question(key, order.client, None if held is None else Draining(True))]

    def acknowledged(self, client: Client, message: asap.EndpointKeepAliveAck, now: float) -> list[Outcome]:
        """An element answered a keep-alive."""
        key = message.handle, message.identifier
        held, order = self.held.get(key), self._orders.get(key)
        if held is not None and held.client is client:
            held.answer_by = None
            if message.draining is not None:
                held.connections = message.draining.connections
        if order is None or order.client is not client:
            return []
        serves = order.told and message.draining is not None and not message.draining.drains
        if not order.drains and held is None and (serves or not message.private):
            # It says so itself: that it is in our handlespace is no proof, where we do not hear its other home.
            return self._refused(key, "serves already")
        if not message.private:
            return self._refused(key, _UNKNOWN)
        if order.told:
            order.connections = None if message.draining is None else message.draining.connections
            return [] if serves or held is None else self._answered(key, True)
        order.told = True
        return [self._question(key, client, Draining(order.drains))]

    def left(self, client: Client, message: asap.Deregistration, now: float) -> list[Outcome]:
        """An element deregistered."""
        key = message.handle, message.identifier
        if self._handlespace.find(*key) is not None:
            return []
        held = self.held.get(key)
        if not message.drains:
            over = [] if held is None or held.client is not client else self._end(held, "it has left")
            order = self._orders.get(key)
            return over if order is None or order.client is not client else [*over, *self._refused(key, _ELSEWHERE)]
        if not authority.speaks_for_elements(client, message.handle).allowed:
            return []
        if held is None and len(self.held) >= MOST:
            return []
        order = self._orders.get(key)
        if held is not None:
            held.client, held.answer_by = client, None
        elif order is not None:
            self.held[key] = Held(*key, client, order.element, now, order.connections)
        else:
            self.held[key] = Held(*key, client, None, now)
        if (HELD,) not in self._timers:
            self._timers.set((HELD,), now)
        return [*self._answered(key, True), *self.changed()]

    def drainers(self) -> tuple[Drainer, ...]:
        """Those that drain, as other registrars are told."""
        return tuple(Drainer(held.handle, held.identifier, held.connections) for held in self.held.values())

    def registered(self, handle: bytes, identifier: int) -> list[Outcome]:
        """An element has registered, and is ours."""
        held = self.held.get((handle, identifier))
        if held is None:
            return []
        answered = self._answered((handle, identifier), False)
        return [*answered, *self._end(held, "")]

    def taken(self, element: Element) -> list[Outcome]:
        """An element is ours by a takeover; if it drains here, that other home did not know it, and it is removed."""
        if (element.handle, element.identifier) not in self.held:
            return []
        return [self._handlespace.deregister(element, authority.removes(Who.DRAINING))]

    def client_lost(self, client: Client) -> list[Outcome]:
        """An association is gone."""
        gone = [held for held in self.held.values() if held.client is client]
        outcomes = [outcome for held in gone for outcome in self._end(held, "its association is gone")]
        for key in [key for key, order in self._orders.items() if order.client is client]:
            outcomes += self.late(*key)
        return outcomes

    def late(self, handle: bytes, identifier: int, now: float = 0.0) -> list[Outcome]:
        """L{DRAIN} is due: what was ordered is not carried out."""
        return self._refused((handle, identifier), "does not do it: it did not answer in time, or is gone")

    def look(self, now: float) -> list[Outcome]:
        """L{HELD} is due: ask all who drain; who does not answer is gone."""
        outcomes: list[Outcome] = []
        for key, held in list(self.held.items()):
            if held.answer_by is None:
                held.answer_by = now + self._patience
                order = self._orders.get(key)
                # Who was told just now to serve again is not to hear the opposite.
                drains = order is None or order.drains or not order.told
                outcomes.append(self._question(key, held.client, Draining(drains)))
            elif now >= held.answer_by:
                outcomes += [*self._end(held, "it does not answer"), Abort(held.client.association)]
        if self.held:
            self._timers.set((HELD,), now + self._interval)
        return outcomes

    def _end(self, held: Held, why: str) -> list[Outcome]:
        key = held.handle, held.identifier
        del self.held[key]
        order = self._orders.get(key)
        refused = order is not None and not order.drains and order.client is held.client
        answered = self._refused(key, f"does not serve again: {why}") if refused else []
        return [*answered, Notify(DrainingEnded(*key, why)), *self.changed()]

    def _answered(self, key: Key, drains: bool) -> list[Outcome]:
        order = self._orders.get(key)
        if order is None or order.drains is not drains:
            return []
        del self._orders[key]
        self._timers.cancel((DRAIN, *key))
        return self.answered(DrainAnswered(*key, drains, connections=order.connections))

    def _refused(self, key: Key, why: str) -> list[Outcome]:
        """Nothing comes of what was ordered."""
        order = self._orders.pop(key, None)
        self._timers.cancel((DRAIN, *key))
        if order is None:
            return []
        return self.answered(DrainAnswered(*key, order.drains, f"{_named(*key)} {why}"))

    def _question(self, key: Key, client: Client, draining: Draining | None) -> Send:
        return Send(client.association, asap.EndpointKeepAlive(self._server, key[0], False, key[1], draining))


def _named(handle: bytes, identifier: int) -> str:
    return f"element 0x{identifier:08x} of {handle_text(handle)}"


_UNKNOWN: Final = (
    "does not know how to drain (it is of an older release, or another implementation): evict it, or stop it"
)
_ELSEWHERE: Final = "is not registered here any more: it has left, or another registrar is its home: again in a moment"
