"""What can be asked of a pool element: its home, its pools, and how far it is in each."""

from __future__ import annotations

from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import Association
from rserpool.core.element import registration
from rserpool.core.element.membership import Membership
from rserpool.core.server_hunt import ServerHunt
from rserpool.core.wire.parameters import PoolElementParameter


class Facts:
    """The part of L{PoolElement<rserpool.core.element.pool_element.PoolElement>} that changes nothing."""

    _hunt: ServerHunt
    _memberships: dict[bytes, Membership]
    _said: tuple[Association, int] | None

    @property
    def home(self) -> TransportAddress | None:
        """Where the home registrar is."""
        return self._hunt.address

    @property
    def home_identifier(self) -> int:
        """The server identifier of the home registrar; 0 until a keep-alive has told it."""
        return self._said[1] if self._said is not None and self._said[0] == self._hunt.home else 0

    def guess_ports(self, wanted: bool) -> None:
        """Whether registrars that are announced without a UDP port are looked for at those that registrars take."""
        self._hunt.guesses = wanted

    @property
    def known_registrars(self) -> list[TransportAddress]:
        """Every registrar that a hunt would try."""
        return self._hunt.known

    @property
    def pools(self) -> list[bytes]:
        """The pools that it serves in, or has not left yet."""
        return list(self._memberships)

    def identifier(self, handle: bytes) -> int:
        """The PE identifier in the pool C{handle}.

        @raise KeyError: if the element does not serve in this pool.
        """
        return self._memberships[handle].element.identifier

    def element(self, handle: bytes) -> PoolElementParameter:
        """What is registered, or to be registered, in the pool C{handle}.

        @raise KeyError: if the element does not serve in this pool.
        """
        return self._memberships[handle].element

    def state_of(self, handle: bytes) -> registration.State:
        """How far the registration in the pool C{handle} is.

        @raise KeyError: if the element does not serve in this pool.
        """
        return self._memberships[handle].state

    def is_registered(self, handle: bytes) -> bool:
        """Whether the element is registered in the pool C{handle}, as far as it knows."""
        membership = self._memberships.get(handle)
        state = registration.Gone() if membership is None else membership.state
        return isinstance(state, registration.Registering) or registration.stands(state)

    def drains(self, handle: bytes) -> bool:
        """Whether it drains in the pool C{handle}: it is not registered, by an operator's will."""
        membership = self._memberships.get(handle)
        return membership is not None and registration.drains(membership.state)
