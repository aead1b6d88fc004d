"""What an operator does to a scope by one of its registrars: drain, evict, retire."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rserpool.core import authority
from rserpool.core.effects import Effect, Notify, Send
from rserpool.core.errors import CannotAct, ConfigurationError, RSerPoolError, UnknownPool
from rserpool.core.handles import handle_text
from rserpool.core.handlespace.changes import Outcome
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.peering import Peering
from rserpool.core.peering.peers import Peer
from rserpool.core.registrar.draining import DrainingElements
from rserpool.core.registrar.evictions import LONGEST, Evicted, Evictions
from rserpool.core.registrar.orders import Orders, at
from rserpool.core.registrar.retiring import Retiring
from rserpool.core.ruling import Rule, What
from rserpool.core.trail import Act, Acted
from rserpool.core.wire import enrp
from rserpool.core.wire.enrp import UpdateAction
from rserpool.core.wire.orders import OrderAnswer, Ordering

OPERATOR = "an operator"
"""Who it is that acts, where nothing else is said."""


class Operating:
    """Whoever asks has proved to be an operator: L{authority.operates} says who is.

    Each method returns the effects that the caller must perform, and leaves a trail.

    @param follow: follows changes.
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        peering: Peering,
        draining: DrainingElements,
        evictions: Evictions,
        retiring: Retiring,
        orders: Orders,
        follow: Callable[[Iterable[Outcome], float], list[Effect]],
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._peering = peering
        self._evictions = evictions
        self._draining = draining
        self._retiring = retiring
        self._orders = orders
        self._follow = follow

    def drain(self, handle: bytes, identifier: int, drains: bool, now: float, by: str = OPERATOR) -> list[Effect]:
        """Have an element drain, or serve again: one of another registrar, by its home.

        L{DrainAnswered<rserpool.core.registrar.events.DrainAnswered>} follows.

        @param by: who wants it, as the trail has it.
        @raise CannotAct: if that cannot be.
        @raise UnknownPool: if there is no such pool.
        """
        why = ""
        ours = self._ours(handle, identifier)
        if not (ours and drains):
            self._demand_taken(handle, identifier, now)
        if ours:
            outcomes = self._draining.order(handle, identifier, drains, now)
        else:
            asked, whom = self._orders.pass_on(handle, identifier, drains, now, by)
            outcomes, why = [*asked], f"passed on to {whom}"
        return [_acted(Act.DRAINS if drains else Act.SERVES, by, handle, identifier, why), *self._follow(outcomes, now)]

    def _ours(self, handle: bytes, identifier: int) -> bool:
        # Who drains here has said so over its association; that another has it as its own is older.
        element = self._handlespace.find(handle, identifier)
        return (handle, identifier) in self._draining.held or (element is not None and element.home == self._server)

    def _demand_taken(self, handle: bytes, identifier: int, now: float) -> None:
        """
        @raise CannotAct: if the element is in no pool, since it is evicted.
        """
        evicted = self._evictions.find(handle, identifier, now)
        if evicted is not None and self._handlespace.find(handle, identifier) is None:
            seconds = max(1, round(evicted.until - now))
            raise CannotAct(
                f"element 0x{identifier:08x} of {handle_text(handle)} is evicted, for {seconds} s yet: no user gets it"
                " (rserpool evict --for 1s ends that)",
                evicted=seconds,
            )

    def evict(self, handle: bytes, identifier: int, seconds: int, now: float, by: str = OPERATOR) -> list[Effect]:
        """Remove an element, and refuse it, here and at every peer that knows evictions, for a while.

        Of an element that is evicted already, that becomes so long from now on: one second ends it.

        @param seconds: 1 to L{LONGEST}.
        @raise CannotAct: if it is not there, or its home does not know evictions.
        @raise UnknownPool: if there is no such pool.
        @raise ConfigurationError: if C{seconds} cannot be.
        """
        if not 1 <= seconds <= LONGEST:
            raise ConfigurationError(f"an element is evicted for 1 second to 7 days, not for {seconds} seconds")
        element = self._handlespace.find(handle, identifier)
        name = f"element 0x{identifier:08x} of {handle_text(handle)}"
        held = self._draining.held.get((handle, identifier))
        evicted = self._evictions.find(handle, identifier, now)
        if element is not None:
            parameter, home = element.parameter(), self._peering.peers.get(element.home)
            if element.home != self._server and (home is None or home.association is None):
                raise CannotAct(
                    f"{name}: its home, registrar 0x{element.home:08x}, cannot be told just now: again when that is"
                    " back, or when another registrar has taken its elements over"
                )
            if home is not None and not home.private:
                raise CannotAct(
                    f"{name}: its home, registrar 0x{element.home:08x}, knows no evictions (it is rsplib's, or of an"
                    " older release): stop the element itself"
                )
        elif held is not None and held.element is not None:
            parameter = held.element
        elif evicted is not None:
            parameter = evicted.element
        else:
            raise self._nobody(handle, identifier)
        self._evictions.evict(handle, parameter, seconds, now)
        effects = [_acted(Act.EVICTED, by, handle, identifier, f"for {seconds} s")]
        for peer in self._peering.peers:
            effects += self._told(peer, Evicted(handle, parameter, 0.0), seconds)
        if element is not None and element.home == self._server:
            why = authority.operates(What.EVICT, True).why
            effects += self._follow([self._handlespace.deregister(element, why)], now)
        return effects

    def _nobody(self, handle: bytes, identifier: int) -> RSerPoolError:
        """Why an element cannot be evicted of which it is not known where it serves."""
        name = f"element 0x{identifier:08x} of {handle_text(handle)}"
        if (handle, identifier) in self._draining.held:
            return CannotAct(f"{name} drains, and did so when it came here: undrain it first, or stop it")
        for peer in self._orders.drains_at(handle, identifier):
            return CannotAct(f"{name} drains at registrar 0x{peer.identifier:08x}{at(peer)}: ask that one, by --admin")
        if self._orders.knows(handle):
            return CannotAct(f"{name} is not here: it is gone, or never was")
        return UnknownPool(handle)

    def retire(self, now: float, by: str = OPERATOR) -> list[Effect]:
        """Hand all elements over; L{Retired<rserpool.core.registrar.events.Retired>} follows.

        @raise CannotAct: if nobody is there to take them.
        """
        effects = self._retiring.begin(now)
        about = f"registrar 0x{self._server:08x}"
        return [Notify(Acted(Act.RETIRED, by, None, about)), *effects]

    # What other registrars say

    def evicted(self, message: enrp.HandleUpdate, now: float) -> list[Outcome]:
        """Another registrar has evicted an element, and we may believe that."""
        self._evictions.evict(message.handle, message.element, message.evicted, now)
        element = self._handlespace.find(message.handle, message.element.identifier)
        if element is None or element.home != self._server:
            return []
        why = authority.operates(What.EVICT, True).why
        acted = _acted(Act.EVICTED, f"registrar 0x{message.sender:08x}", element.handle, element.identifier)
        return [acted, self._handlespace.deregister(element, why)]

    def ordered(self, peer: Peer, ordering: Ordering, rule: Rule, now: float) -> list[Outcome]:
        """Another registrar passes on what an operator wants of an element of ours, or says what came of it.

        @param rule: whether it may.
        """
        if isinstance(ordering, OrderAnswer):
            return self._orders.told(peer, ordering, now)
        by = f"registrar 0x{peer.identifier:08x}"
        if not rule.allowed:
            why = "its home does not believe a registrar that has proved nothing: one that speaks TLS has to ask"
            about = f"{handle_text(ordering.handle)} 0x{ordering.identifier:08x}"
            refused = Notify(Acted(Act.REFUSED, by, None, about, "a registrar that has proved nothing"))
            return [refused, *self._orders.refuse(peer, ordering, why)]
        if not self._ours(ordering.handle, ordering.identifier):
            return self._orders.asked(peer, ordering, now)
        act = Act.DRAINS if ordering.drains else Act.SERVES
        acted = _acted(act, f"{by}, for {ordering.by}" if ordering.by else by, ordering.handle, ordering.identifier)
        return [acted, *self._orders.asked(peer, ordering, now)]

    def met(self, peer: Peer, now: float) -> list[Effect]:
        """A peer is new: it has to know who is evicted."""
        return [effect for each, seconds in self._evictions.left(now) for effect in self._told(peer, each, seconds)]

    def _told(self, peer: Peer, evicted: Evicted, seconds: int) -> list[Effect]:
        if peer.association is None or not peer.private:
            return []
        update = enrp.HandleUpdate(
            self._server,
            peer.identifier,
            UpdateAction.DEL_PE,
            evicted.handle,
            evicted.element,
            evicted=seconds,
        )
        return [Send(peer.association, update)]


def _acted(act: Act, by: str, handle: bytes, identifier: int, why: str = "") -> Effect:
    return Notify(Acted(act, by, None, f"{handle_text(handle)} 0x{identifier:08x}", why))
