"""An operator's orders about elements of other registrars: they go to the element's home, over ENRP (docs/interop.md).

Whom no registrar has in its handlespace may drain, and then its home alone knows it: so all are asked. Nothing is
passed on twice: who is asked by a registrar answers from what it knows itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from rserpool.core.deadlines import Timers
from rserpool.core.effects import Effect, Notify
from rserpool.core.errors import CannotAct, UnknownPool
from rserpool.core.handles import handle_text
from rserpool.core.handlespace.changes import Outcome
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.peering import Peering
from rserpool.core.peering.peers import Peer
from rserpool.core.profiles import Profile
from rserpool.core.registrar.draining import DrainingElements
from rserpool.core.registrar.events import DrainAnswered
from rserpool.core.registrar.evictions import Evictions
from rserpool.core.wire.orders import Order, OrderAnswer, Ordering, Result

ORDERED: Final = "ordered"
"""The key of an order that was passed on: with its number."""
MOST: Final = 1_000
"""So many are under way at once."""

Wanted: TypeAlias = tuple[bytes, int, bool]
"""A pool handle, an identifier, and whether the element is to drain."""


@dataclass(slots=True)
class _Asked:
    wanted: Wanted
    waiting: set[int]
    pool: bool
    refused: str = ""


class Orders:
    """What we asked other registrars for, and what they asked of us.

    @param draining: carries out what concerns elements of ours.
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        peering: Peering,
        draining: DrainingElements,
        evictions: Evictions,
        timers: Timers,
        profile: Profile,
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._peering = peering
        self._draining = draining
        self._evictions = evictions
        self._timers = timers
        self._patience = draining.patience + profile.max_time_no_response
        self._number = 0
        self._ours: dict[int, _Asked] = {}
        self._theirs: dict[Wanted, dict[int, int]] = {}
        draining.answered, draining.changed = self.carried_out, self._tell_drainers
        peering.ourselves.drainers = draining.drainers

    # What we ask for

    def pass_on(self, handle: bytes, identifier: int, drains: bool, now: float, by: str) -> tuple[list[Effect], str]:
        """Ask the element's home, or all registrars where none is known to be it.

        L{DrainAnswered} follows.

        @return: what goes out, and to whom, in words.
        @raise CannotAct: if nobody can be asked.
        @raise UnknownPool: if there is nobody to be asked, and no such pool.
        """
        key = handle, identifier
        element, name = self._handlespace.find(*key), _named(*key)
        able = [each for each in self._peering.peers if each.association is not None and each.private]
        told = [each for each in self.drains_at(*key) if each in able]
        if told:
            asked = told
        elif element is not None:
            home = self._peering.peers.get(element.home)
            if home is None or home.association is None:
                raise CannotAct(
                    f"{name}: its home, registrar 0x{element.home:08x}, cannot be told just now: again when that is"
                    " back, or when another registrar has taken its elements over"
                )
            if not home.private:
                raise CannotAct(
                    f"{name}: its home, registrar 0x{element.home:08x}{at(home)}, cannot tell it (it is rsplib's, or"
                    " of an older release): ask there, or stop the element itself"
                )
            asked = [home]
        else:
            asked = able
        if not asked and not self.knows(handle):
            raise UnknownPool(handle)
        if not asked or len(self._ours) >= MOST:
            raise CannotAct(f"{name} is not here: it is gone, or never was")
        self._number += 1
        order = Order(self._number, drains, handle, identifier, by)
        waiting = {each.identifier for each in asked}
        self._ours[order.number] = _Asked((handle, identifier, drains), waiting, self.knows(handle))
        self._timers.set((ORDERED, order.number), now + self._patience)
        whom = f"registrar 0x{asked[0].identifier:08x}" if len(asked) == 1 else "all registrars"
        return [effect for each in asked for effect in self._to(each, order)], whom

    def told(self, peer: Peer, answer: OrderAnswer, now: float) -> list[Outcome]:
        """A registrar says what came of an order of ours."""
        asked = self._ours.get(answer.number)
        if asked is None or peer.identifier not in asked.waiting:
            return []
        asked.waiting.discard(peer.identifier)
        asked.pool = asked.pool or answer.result is Result.NO_ELEMENT
        if answer.result is Result.DONE:
            return self._over(answer.number, DrainAnswered(*asked.wanted, connections=answer.connections))
        if answer.result is Result.REFUSED:
            # Another may have it by now, and do it.
            asked.refused = answer.why or "its home refuses it"
        return [] if asked.waiting else self._nobody(answer.number)

    def late(self, number: int, now: float) -> list[Outcome]:
        """L{ORDERED} is due: who has not answered does not know the question, or is gone."""
        return self._nobody(number) if number in self._ours else []

    def _nobody(self, number: int) -> list[Outcome]:
        asked = self._ours[number]
        handle, identifier, _ = asked.wanted
        name = _named(handle, identifier)
        if asked.refused:
            return self._over(number, DrainAnswered(*asked.wanted, asked.refused))
        if asked.waiting:
            silent = ", ".join(f"0x{each:08x}{at(self._peering.peers.get(each))}" for each in sorted(asked.waiting))
            one = len(asked.waiting) == 1
            why = (
                f"{name}: registrar{'' if one else 's'} {silent} {'does' if one else 'do'} not answer to that (gone,"
                f" busy, or of an older release): ask {'that one' if one else 'each of them'} itself, by --admin"
            )
            return self._over(number, DrainAnswered(*asked.wanted, why))
        if not asked.pool:
            return self._over(
                number, DrainAnswered(*asked.wanted, f"no pool is named {handle_text(handle)}", pool=False)
            )
        return self._over(number, DrainAnswered(*asked.wanted, f"{name} is not there: it is gone, or never was"))

    def _over(self, number: int, answered: DrainAnswered) -> list[Outcome]:
        del self._ours[number]
        self._timers.cancel((ORDERED, number))
        return [Notify(answered)]

    # What we are asked for

    def asked(self, peer: Peer, order: Order, now: float) -> list[Outcome]:
        """A registrar that may do so passes an order on; what comes of it is answered."""
        wanted = order.handle, order.identifier, order.drains
        element = self._handlespace.find(order.handle, order.identifier)
        held = (order.handle, order.identifier) in self._draining.held
        if element is None and not held:
            result = Result.NO_ELEMENT if self.knows(order.handle) else Result.NO_POOL
            return [*self._to(peer, OrderAnswer(order.number, result))]
        if element is not None and element.home != self._server and not held:
            why = f"{_named(*wanted[:2])}: its home is registrar 0x{element.home:08x} by now: ask again"
            return [*self.refuse(peer, order, why)]
        self._theirs.setdefault(wanted, {})[peer.identifier] = order.number
        try:
            return self._draining.order(*wanted, now)
        except CannotAct as error:
            del self._theirs[wanted][peer.identifier]
            return [*self.refuse(peer, order, str(error))]

    def refuse(self, peer: Peer, order: Order, why: str) -> list[Effect]:
        """It is not done."""
        return self._to(peer, OrderAnswer(order.number, Result.REFUSED, None, why))

    def carried_out(self, event: DrainAnswered) -> list[Outcome]:
        """What an element of ours has answered, for everybody who asked."""
        askers = self._theirs.pop((event.handle, event.identifier, event.drains), {})
        result = Result.REFUSED if event.refused else Result.DONE
        told: list[Outcome] = [Notify(event)]
        for identifier, number in askers.items():
            peer = self._peering.peers.get(identifier)
            if peer is not None:
                told += self._to(peer, OrderAnswer(number, result, event.connections, event.refused))
        return told

    def knows(self, handle: bytes) -> bool:
        """Whether there is such a pool, or was, with an element that drains, or is evicted."""
        there = self._handlespace.pool(handle) is not None or any(key[0] == handle for key in self._draining.held)
        elsewhere = any(each.handle == handle for peer in self._peering.peers for each in peer.drainers)
        return there or elsewhere or self._evictions.some_of(handle)

    def drains_at(self, handle: bytes, identifier: int) -> list[Peer]:
        """The peers that say that an element drains there; one, but for a moment."""
        return [
            peer
            for peer in self._peering.peers
            if any((each.handle, each.identifier) == (handle, identifier) for each in peer.drainers)
        ]

    def _tell_drainers(self) -> list[Effect]:
        knowing = [each.association for each in self._peering.peers if each.private and each.association is not None]
        return self._peering.ourselves.presences(knowing)

    def _to(self, peer: Peer, order: Ordering) -> list[Effect]:
        if peer.association is None:
            return []
        return [self._peering.ourselves.presence(peer.association, peer.identifier, order=order)]


def _named(handle: bytes, identifier: int) -> str:
    return f"element 0x{identifier:08x} of {handle_text(handle)}"


def at(peer: Peer | None) -> str:
    """Where a registrar speaks ENRP, for a sentence that names it."""
    return "" if peer is None or peer.address is None else f" (ENRP at {peer.address})"
