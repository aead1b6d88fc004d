"""One pool: elements that agree on policy type, transport and transport use (RFC 5352 section 3.1)."""

from __future__ import annotations

from rserpool.core.dice import Dice
from rserpool.core.errors import CauseCode, Rejected
from rserpool.core.handlespace.checksum import handle_sum
from rserpool.core.handlespace.element import Element
from rserpool.core.policies import Asker, Policy, Selection
from rserpool.core.wire import parameters
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.core.wire.transports import encode_transport


class Pool:
    """The elements of one handle, and what they must agree on.

    @ivar policy_wire: the Policy parameter of a handle resolution response: it gives the overall policy type; its
        values are 0. RFC 5352 section 3.3 asks for it unless it is round robin, and rsplib's users always, and whole.
    @ivar scopes: how far the addresses of its elements reach, and how many elements have one of that scope.
    @ivar elements: the elements by identifier.
    @ivar handle_sum: what the handle adds to a checksum for each element.
    """

    __slots__ = (
        "elements",
        "handle",
        "handle_sum",
        "policy",
        "policy_wire",
        "scopes",
        "selection",
        "transport_type",
        "transport_use",
    )

    def __init__(self, handle: bytes, policy: Policy, transport_type: int, transport_use: int, random: Dice) -> None:
        self.handle = handle
        self.policy = policy
        self.policy_wire = overall_policy(policy)
        self.transport_type = transport_type
        self.transport_use = transport_use
        self.elements: dict[int, Element] = {}
        self.selection: Selection[Element] = policy.selection(random)
        self.handle_sum = handle_sum(handle)
        self.scopes: dict[str, int] = {}

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
        if parameter.policy.type != self.policy.number:
            raise Rejected(CauseCode.INCONSISTENT_POOLING_POLICY, self.policy_wire)
        if parameter.user_transport.TYPE != self.transport_type:
            raise Rejected(CauseCode.INCONSISTENT_TRANSPORT_TYPE, self._transport())
        if parameter.user_transport.use != self.transport_use:
            raise Rejected(CauseCode.INCONSISTENT_DATA_CONTROL_CONFIGURATION)

    def _transport(self) -> bytes:
        """A transport parameter of the pool's type: that of any of its elements."""
        for element in self.elements.values():
            return encode_transport(element.parameter().user_transport)
        return b""


def overall_policy(policy: Policy) -> bytes:
    """A Policy parameter that gives the policy type, and nothing of any element."""
    return parameters.encode_policy(parameters.PolicyParameter(policy.number, bytes(4 * len(policy.fields))))
