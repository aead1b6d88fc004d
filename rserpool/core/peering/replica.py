"""What peers say about elements, and what becomes of it in our handlespace (RFC 5353 section 3.3).

The RFC leaves open who is right when two registrars say different things. Our rules, which make handlespaces equal:

 - Only its home speaks for an element, from the first word on: others' news about it, and our own element in somebody's
   table, change nothing. Our mentor alone tells of everybody's, once; whoever of them we meet, we audit.
 - A registration that a peer announces is newer than ours: we give the element up.
 - If a peer's table claims an element that is ours too, we announce it again if it registered over an association that
   is up; else we give it up.
 - Whenever we give an element up, we tell it that its registration with us has ended: if we were its home after all, it
   registers again at once, and that is announced.
 - A pool that two halves created differently keeps the attributes that are smaller (policy type, transport type,
   transport use, in this order); elements that do not agree are removed by their homes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from rserpool.core import authority
from rserpool.core.access import Access, State
from rserpool.core.effects import Association, Notify
from rserpool.core.errors import Rejected
from rserpool.core.handles import handle_text
from rserpool.core.handlespace.changes import Change, Insisted, Later, Moved, Outcome, Suspected, consumed
from rserpool.core.handlespace.distances import Distances
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.handlespace.pool import Pool
from rserpool.core.ruling import Ruling, What, Who
from rserpool.core.trail import Act, Acted
from rserpool.core.wire.parameters import PoolElementParameter

AT_ONCE = 128
"""So many elements of a pool are removed at once; a larger one goes bit by bit."""


class Replica:
    """Our copy of what the peers own.

    @ivar access: who may be what in this scope.
    @ivar moving: of which registrars elements are being handed over, and how often.
    """

    def __init__(self, server: int, handlespace: Handlespace, distances: Distances, access: Access) -> None:
        self.access = access
        self._server = server
        self._handlespace = handlespace
        self._distances = distances
        self.moving: Counter[int] = Counter()

    def told(
        self,
        what: What,
        sender: int,
        association: Association,
        handle: bytes,
        parameter: PoolElementParameter,
        mentor: bool = False,
    ) -> tuple[Element | None, list[Outcome]]:
        """3.3.1, 3.2.3 step 4: a peer has this element, as it tells over an association.

        @param what: L{What.ANNOUNCE} for an ENRP_HANDLE_UPDATE, L{What.LIST} for a table.
        @param mentor: whether the table is that of our mentor.
        @return: the element in our handlespace, if it is there now, and what happened.
        """
        home = parameter.home or sender
        present = self._handlespace.find(handle, parameter.identifier)
        owner, access = parameter.owner, self.access
        ruling = authority.tells(what, self._server, sender, home, present, mentor, owner=owner, access=access).ruling
        if ruling is Ruling.IGNORED:
            return present, self._ownerless(sender, handle, parameter)
        outcomes: list[Outcome] = []
        pool = self._handlespace.pools.get(handle)
        if pool is not None and _attributes(pool) != _attributes_of(parameter):
            if _attributes_of(parameter) > _attributes(pool):
                return None, []
            if len(pool) > AT_ONCE:
                return None, [] if pool.ending else [Later(self._dissolved(pool))]
            why = authority.removes(Who.POOL)
            outcomes += [self._handlespace.deregister(element, why) for element in list(pool.elements.values())]
        elif present is not None and ruling is Ruling.INSISTED:
            return present, [Insisted(present, self._server)]
        policy = self._distances.of_a_peers(parameter.policy, association)
        if parameter.home != home or policy is not parameter.policy:
            parameter = replace(parameter, home=home, policy=policy)
        try:
            change = self._handlespace.register(handle, parameter, others=True)
        except Rejected:
            return None, outcomes
        return change.element, [*outcomes, change]

    def _ownerless(self, sender: int, handle: bytes, parameter: PoolElementParameter) -> list[Outcome]:
        """A registrar that does not require TLS has an element that nobody proved to own: the operator hears of it."""
        if parameter.owner is not None or self.access.state is not State.REQUIRED:
            return []
        about = f"{handle_text(handle)} 0x{parameter.identifier:08x}"
        return [Notify(Acted(Act.REFUSED, f"registrar 0x{sender:08x}", None, about, "nobody has proved to own it"))]

    def restored(self, handle: bytes, parameter: PoolElementParameter) -> list[Change]:
        """An element of ours that a peer's table has and we had forgotten is ours again, if it lives."""
        if parameter.owner is None and self.access.state is State.REQUIRED:
            return []
        if not self._handlespace.find(handle, parameter.identifier):
            with suppress(Rejected):
                return [Moved(self._handlespace.register(handle, parameter).element, self._server, 0)]
        return []

    def deleted(self, sender: int, handle: bytes, identifier: int, dead: bool = False) -> list[Change]:
        """3.3.2: a peer removed this element, since it was C{dead} if it says so.

        If it is ours, that is a report that it cannot be reached.
        """
        element = self._handlespace.find(handle, identifier)
        if element is None:
            return []
        rule = authority.says(What.DELETE, self._server, sender, element, dead)
        if rule.ruling is Ruling.PROBED:
            return [Suspected(element, self._server)]
        return [self._handlespace.deregister(element, rule.why)] if rule.allowed else []

    def _dissolved(self, pool: Pool) -> Iterator[Outcome]:
        """A pool goes, for one with smaller attributes; whose that is tells of it again, since checksums differ."""
        pool.ending = True
        why = authority.removes(Who.POOL)
        for element in consumed(list(pool.elements.values())):
            if pool.elements.get(element.identifier) is element:
                yield self._handlespace.deregister(element, why)
        pool.ending = False

    def handed_over(self, target: int, to: int) -> tuple[int, list[Outcome]]:
        """3.5.2: the elements of C{target} have another home now.

        @return: how many these are.
        """
        elements = list(self._handlespace.owned_by(target))
        self.moving[target] += 1
        return len(elements), [Later(self._adopted(elements, target, to))]

    def _adopted(self, elements: list[Element], target: int, to: int) -> Iterator[Outcome | None]:
        for element in consumed(elements):
            present = element.home == target and element in self._handlespace
            yield self._handlespace.adopt(element, to) if present else None
        self.moving[target] -= 1


def _attributes(pool: Pool) -> tuple[int, int, int]:
    return pool.policy.number, pool.transport_type, pool.transport_use


def _attributes_of(parameter: PoolElementParameter) -> tuple[int, int, int]:
    return parameter.policy.type, parameter.user_transport.TYPE, parameter.user_transport.use
