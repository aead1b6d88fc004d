"""What an operator does to a scope by one of its registrars: drain, evict, retire."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rserpool.core import authority
from rserpool.core.effects import Effect, Notify, Send
from rserpool.core.errors import CannotAct, ConfigurationError
from rserpool.core.handles import handle_text
from rserpool.core.handlespace.changes import Outcome
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.peering import Peering
from rserpool.core.peering.peers import Peer
from rserpool.core.registrar.draining import DrainingElements
from rserpool.core.registrar.evictions import LONGEST, Evicted, Evictions
from rserpool.core.registrar.retiring import Retiring
from rserpool.core.ruling import What
from rserpool.core.trail import Act, Acted
from rserpool.core.wire import enrp
from rserpool.core.wire.enrp import UpdateAction

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
        evictions: Evictions,
        draining: DrainingElements,
        retiring: Retiring,
        follow: Callable[[Iterable[Outcome], float], list[Effect]],
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._peering = peering
        self._evictions = evictions
        self._draining = draining
        self._retiring = retiring
        self._follow = follow

    def drain(self, handle: bytes, identifier: int, drains: bool, now: float, by: str = OPERATOR) -> list[Effect]:
        """Have an element of ours drain, or serve again.

        L{DrainAnswered<rserpool.core.registrar.events.DrainAnswered>} follows.

        @param by: who wants it, as the trail has it.
        @raise CannotAct: if that cannot be.
        """
        outcomes = self._draining.order(handle, identifier, drains, now)
        return [_acted(Act.DRAINS if drains else Act.SERVES, by, handle, identifier), *self._follow(outcomes, now)]

    def evict(self, handle: bytes, identifier: int, seconds: int, now: float, by: str = OPERATOR) -> list[Effect]:
        """Remove an element, and refuse it, here and at every peer that knows evictions, for a while.

        Of an element that is evicted already, that becomes so long from now on: one second ends it.

        @param seconds: 1 to L{LONGEST}.
        @raise CannotAct: if it is not there, or its home does not know evictions.
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
            raise CannotAct(f"{name} is not here: it is gone, or never was")
        self._evictions.evict(handle, parameter, seconds, now)
        effects = [_acted(Act.EVICTED, by, handle, identifier, f"for {seconds} s")]
        for peer in self._peering.peers:
            effects += self._told(peer, Evicted(handle, parameter, 0.0), seconds)
        if element is not None and element.home == self._server:
            why = authority.operates(What.EVICT, True).why
            effects += self._follow([self._handlespace.deregister(element, why)], now)
        return effects

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
