"""What peers say about elements, and what becomes of it in our handlespace (RFC 5353 section 3.3).

The RFC leaves open who is right when two registrars say different things. Our rules, which make handlespaces equal:

 - Only its home speaks for an element: others' news about it, and our own element in somebody's table, change nothing.
 - A registration that a peer announces is newer than ours: we give the element up.
 - If a peer's table claims an element that is ours too, we announce it again if it registered over an association that
   is up; else we give it up.
 - Whenever we give an element up, we tell it that its registration with us has ended: if we were its home after all, it
   registers again at once, and that is announced.
 - A pool that two halves created differently keeps the attributes that are smaller (policy type, transport type,
   transport use, in this order); elements that do not agree are removed by their homes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

from rserpool.core.effects import Effect, Send
from rserpool.core.errors import CauseCode, Rejected
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.handlespace.pool import Pool
from rserpool.core.policies.distance import at_distance
from rserpool.core.wire import asap
from rserpool.core.wire.enrp import PoolEntry
from rserpool.core.wire.parameters import ErrorCause, PoolElementParameter


class Replica:
    """Our copy of what the peers own.

    @param changed: C{changed(handle, now)} is called after each change of a pool.
    @param release: C{release(element)} is called for an element of ours that is ours no more, but stays.
    @param remove: C{remove(element, why, now)} removes an element, and announces that if it is ours.
    @param doubt: C{doubt(element, now)} is called for an element of ours that a peer could not reach.
    @param confirmed: whether an element of ours registered over an association that is still up.
    @param insist: C{insist(element)} announces an element of ours again.
    """

    def __init__(
        self,
        server: int,
        handlespace: Handlespace,
        *,
        changed: Callable[[bytes, float], list[Effect]],
        release: Callable[[Element], None],
        remove: Callable[[Element, str, float], list[Effect]],
        doubt: Callable[[Element, float], list[Effect]],
        confirmed: Callable[[Element], bool],
        insist: Callable[[Element], list[Effect]],
    ) -> None:
        self._server = server
        self._handlespace = handlespace
        self._changed = changed
        self._release = release
        self._remove = remove
        self._doubt = doubt
        self._confirmed = confirmed
        self._insist = insist

    def added(
        self,
        sender: int,
        handle: bytes,
        parameter: PoolElementParameter,
        now: float,
        *,
        announced: bool,
        far: Callable[[], float | None] = lambda: None,
    ) -> tuple[Element | None, list[Effect]]:
        """3.3.1: a peer has this element.

        @param announced: whether it comes from an ENRP_HANDLE_UPDATE, not from a table.
        @param far: how far away the peer is (seconds there and back; None if that is not known).
        @return: the element in our handlespace, if it is there now, and the effects.
        """
        home = parameter.home or sender
        present = self._handlespace.find(handle, parameter.identifier)
        if home == self._server or (present is not None and sender != home):
            return present, []
        effects: list[Effect] = []
        pool = self._handlespace.pools.get(handle)
        if pool is not None and not _agrees(pool, parameter):
            if _attributes_of(parameter) > _attributes(pool):
                return None, []
            effects = self._dissolve(pool, now)
            present = None
        if present is not None and present.home == self._server:
            if not announced and self._confirmed(present):
                return present, effects + self._insist(present)
            effects += _ask_to_register_again(present)
            self._release(present)
        try:
            element, _ = self._handlespace.register(handle, _as_seen_here(parameter, home, far), any_policy=True)
        except Rejected:
            return None, effects
        return element, effects + self._changed(handle, now)

    def take(
        self,
        sender: int,
        entries: Iterable[PoolEntry],
        now: float,
        mentioned: Callable[[Element | None], None] = lambda element: None,
        far: Callable[[], float | None] = lambda: None,
    ) -> list[Effect]:
        """3.2.3 step 4: a peer's table has these elements; C{mentioned} is called for each, C{far} as in L{added}."""
        effects: list[Effect] = []
        for entry in entries:
            for parameter in entry.elements:
                element, more = self.added(sender, entry.handle, parameter, now, announced=False, far=far)
                effects += more
                mentioned(element)
        return effects

    def restored(self, entries: Iterable[PoolEntry]) -> list[Element]:
        """Elements of ours that a peer's table has and we had forgotten; they are in our handlespace from now on."""
        elements: list[Element] = []
        for entry in entries:
            for parameter in entry.elements:
                if parameter.home == self._server and not self._handlespace.find(entry.handle, parameter.identifier):
                    with suppress(Rejected):
                        elements.append(self._handlespace.register(entry.handle, parameter)[0])
        return elements

    def deleted(self, sender: int, handle: bytes, identifier: int, now: float) -> list[Effect]:
        """3.3.2: a peer removed this element; if it is ours, that is a report that it cannot be reached."""
        element = self._handlespace.find(handle, identifier)
        if element is None:
            return []
        if element.home == self._server:
            return self._doubt(element, now)
        return self._remove(element, "removed by its home", now) if element.home == sender else []

    def unmentioned(self, elements: Iterable[Element], now: float) -> list[Effect]:
        """3.6.3 (5): a peer does not have these any more."""
        return [effect for element in elements for effect in self._remove(element, "unknown to its home", now)]

    def handed_over(self, target: int, to: int) -> int:
        """3.5.2: the elements of C{target} have another home now; returns how many these are."""
        elements = list(self._handlespace.owned_by(target))
        for element in elements:
            self._handlespace.adopt(element, to)
        return len(elements)

    def taken_from_us(self, by: int) -> list[Effect]:
        """3.5.2, and we were the target, but live: our elements belong to C{by}, unless they tell otherwise."""
        effects: list[Effect] = []
        for element in list(self._handlespace.owned_by(self._server)):
            effects += _ask_to_register_again(element)
            self._release(element)
            self._handlespace.adopt(element, by)
        return effects

    def _dissolve(self, pool: Pool, now: float) -> list[Effect]:
        """Remove every element of a pool whose attributes lose."""
        effects: list[Effect] = []
        cause = (ErrorCause(CauseCode.INCONSISTENT_POOLING_POLICY),)
        for element in list(pool.elements.values()):
            if element.association is not None and element.home == self._server:
                response = asap.DeregistrationResponse(element.handle, element.identifier, cause)
                effects.append(Send(element.association, response))
            effects += self._remove(element, "of another policy than its pool", now)
        return effects


def _ask_to_register_again(element: Element) -> list[Effect]:
    if element.association is None:
        return []
    return [Send(element.association, asap.DeregistrationResponse(element.handle, element.identifier))]


def _attributes(pool: Pool) -> tuple[int, int, int]:
    return pool.policy.number, pool.transport_type, pool.transport_use


def _attributes_of(parameter: PoolElementParameter) -> tuple[int, int, int]:
    return parameter.policy.type, parameter.user_transport.TYPE, parameter.user_transport.use


def _agrees(pool: Pool, parameter: PoolElementParameter) -> bool:
    return _attributes(pool) == _attributes_of(parameter)


def _as_seen_here(parameter: PoolElementParameter, home: int, far: Callable[[], float | None]) -> PoolElementParameter:
    policy = at_distance(parameter.policy, far, add=True)
    if parameter.home == home and policy is parameter.policy:
        return parameter
    return PoolElementParameter(
        parameter.identifier,
        home,
        parameter.life,
        parameter.user_transport,
        policy,
        parameter.asap_transport,
        parameter.encapsulation,
        parameter.framing,
    )
