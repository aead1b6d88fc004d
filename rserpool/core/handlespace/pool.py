"""One pool: elements that agree on policy type, transport and transport use (RFC 5352 section 3.1)."""

from __future__ import annotations

from typing import Final

from rserpool.core.dice import Dice
from rserpool.core.errors import CauseCode, Rejected
from rserpool.core.handlespace.checksum import handle_sum
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.view import View
from rserpool.core.policies import Asker, Policy, Selection
from rserpool.core.wire import parameters
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.core.wire.transports import encode_transport

NOWHERE: Final[frozenset[str]] = frozenset()


class Pool:
    """The elements of one handle, and what they must agree on.

    @ivar policy_wire: the Policy parameter of a handle resolution response: it gives the overall policy type; its
        values are 0. RFC 5352 section 3.3 asks for it unless it is round robin, and rsplib's users always, and whole.
    @ivar scopes: how far the addresses of its elements reach, and how many elements have one of that scope.
    @ivar elements: the elements by identifier.
    @ivar handle_sum: what the handle adds to a checksum for each element.
    @ivar ending: whether it is going to be one of another policy or transport: nobody joins it any more.
    @ivar state: another object whenever what it answers has changed.
    @ivar views: the pool as those see it who cannot use all its addresses, by the scopes that they can.
    """

    __slots__ = (
        "elements",
        "ending",
        "handle",
        "handle_sum",
        "_random",
        "policy",
        "policy_wire",
        "scopes",
        "selection",
        "state",
        "transport_type",
        "transport_use",
        "views",
    )

    def __init__(self, handle: bytes, policy: Policy, transport_type: int, transport_use: int, random: Dice) -> None:
        self.handle = handle
        self.policy = policy
        self.policy_wire = overall_policy(policy)
        self.transport_type = transport_type
        self.transport_use = transport_use
        self.elements: dict[int, Element] = {}
        self.ending = False
        self.selection: Selection[Element] = policy.selection(random)
        self.handle_sum = handle_sum(handle)
        self.scopes: dict[str, int] = {}
        self.state = object()
        self.views: dict[frozenset[str], View] = {}
        self._random = random

    def __len__(self) -> int:
        return len(self.elements)

    def select(self, items: int | None = None, asker: Asker = None) -> list[Element]:
        """Choose elements for one handle resolution, at most C{items} if it is given; moves heads and counters.

        @param asker: where the user who asks is seen from.
        """
        return self.selection.select(len(self.elements) if items is None else items, asker)

    def peek(self, items: int | None = None, asker: Asker = None) -> list[Element]:
        """The same without moving anything: for subscriptions, and for those who look on."""
        return self.selection.peek(len(self.elements) if items is None else items, asker)

    def wires(self, sees: frozenset[str], items: int, asker: Asker, *, moving: bool) -> list[bytes]:
        """What is chosen for who can use addresses of the scopes C{sees}, as encoded parameters.

        @param moving: whether this is a resolution, which moves heads and counters.
        """
        if sees.issuperset(self.scopes):
            choose = self.selection.select if moving else self.selection.peek
            return [element.wire for element in choose(items, asker)]
        view = self.views.get(sees)
        if view is None:
            view = self.views[sees] = View(self.policy, self._random, sees, self.elements.values())
        return view.choose(self.elements, items, asker, moving=moving)

    def add(self, element: Element) -> None:
        """It is new."""
        self.state = object()
        self.elements[element.identifier] = element
        self.selection.add(element)
        for view in self.views.values():
            view.put(element)

    def update(self, element: Element, same: bool = False) -> None:
        """It registered again.

        @param same: whether in the same bytes.
        """
        if not same:
            self.state = object()
        self.selection.update(element)
        for view in self.views.values():
            view.put(element)

    def moved(self, element: Element) -> None:
        """It has another home."""
        self.state = object()
        for view in self.views.values():
            view.moved(element)

    def remove(self, element: Element) -> None:
        """It leaves."""
        self.state = object()
        del self.elements[element.identifier]
        self.selection.remove(element)
        for view in self.views.values():
            view.drop(element.identifier)
        self.rescope(element, NOWHERE)

    def rescope(self, element: Element, scopes: frozenset[str]) -> None:
        """Note how far the addresses of an element reach now; nowhere, when it goes."""
        if scopes == element.scopes:
            return
        for scope in element.scopes:
            self.scopes[scope] -= 1
            if not self.scopes[scope]:
                del self.scopes[scope]
        for scope in scopes:
            self.scopes[scope] = self.scopes.get(scope, 0) + 1
        element.scopes = scopes

    def check(self, parameter: PoolElementParameter) -> None:
        """Whether an element agrees with the pool (RFC 5352 section 3.1, rules 2 and 3).

        @raise Rejected: with cause 0x5, 0x7 or 0x8, and what the pool has.
        """
        if parameter.policy.type != self.policy.number or self.ending:
            raise Rejected(CauseCode.INCONSISTENT_POOLING_POLICY, self.policy_wire)
        if parameter.user_transport.TYPE != self.transport_type:
            raise Rejected(CauseCode.INCONSISTENT_TRANSPORT_TYPE, self._transport())
        if parameter.user_transport.use != self.transport_use:
            raise Rejected(CauseCode.INCONSISTENT_DATA_CONTROL_CONFIGURATION)

    def simply(self, policy_type: int, transport_type: int, transport_use: int) -> bool:
        """Whether an element with these agrees, and its values are taken as they stand there."""
        policy = self.policy
        return (
            policy_type == policy.number
            and transport_type == self.transport_type
            and transport_use == self.transport_use
            and not self.ending
            and "distance" not in policy.fields
        )

    def _transport(self) -> bytes:
        """A transport parameter of the pool's type: that of any of its elements."""
        for element in self.elements.values():
            return encode_transport(element.parameter().user_transport)
        return b""


def overall_policy(policy: Policy) -> bytes:
    """A Policy parameter that gives the policy type, and nothing of any element."""
    return parameters.encode_policy(parameters.PolicyParameter(policy.number, bytes(4 * len(policy.fields))))
