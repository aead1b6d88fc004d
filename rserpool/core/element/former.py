"""The home that an element had, while another registrar that wants to be its home has granted it nothing yet.

RFC 5352 section 3.4 (KA2.4) has whoever sends a keep-alive with the H flag be the home at once. So he is; but the one
before him keeps the element registered until he grants what he took, and has it back if he refuses, or says nothing.
"""

from __future__ import annotations

from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import Association, Close, Effect
from rserpool.core.server_hunt import ServerHunt

DISTRUST = 60.0
"""Seconds for which such a one is not believed while there is another home."""
MOST_DISTRUSTED = 64


class FormerHome:
    """At most one; C{association} is None while there is none.

    @ivar association: with the former home.
    """

    def __init__(self) -> None:
        self.association: Association | None = None
        self._address: TransportAddress | None = None
        self._distrusted: dict[TransportAddress, float] = {}

    def replaced(self, hunt: ServerHunt, stands: bool, by: Association) -> list[Effect]:
        """Another one is to be the home: the one until now is kept, if a registration stands there.

        @param by: the association with the new one.
        """
        if by == self.association:
            self.take()
        if hunt.home is None:
            return []
        if self.association is not None or not stands:
            return [Close(hunt.home)]
        self.association, self._address = hunt.home, hunt.address
        return []

    def restored(self, hunt: ServerHunt, lost: bool, now: float) -> list[Effect]:
        """It is the home again, if there is one; nothing otherwise.

        @param lost: whether there is no association with the present one.
        """
        former = self.take()
        if former is None:
            return []
        self._distrust(hunt.address, now)
        effects: list[Effect] = [] if lost or hunt.home is None else [Close(hunt.home)]
        return effects + hunt.adopt(*former, now)

    def take(self) -> tuple[Association, TransportAddress] | None:
        """It is the home again; None if there was none."""
        if self.association is None or self._address is None:
            return None
        found = self.association, self._address
        self.association = self._address = None
        return found

    def granted(self) -> list[Effect]:
        """The new home granted a registration: this one is not needed any more."""
        found = self.take()
        return [] if found is None else [Close(found[0])]

    def _distrust(self, address: TransportAddress | None, now: float) -> None:
        """A registrar wanted to be the home, and granted nothing."""
        if address is not None:
            self._distrusted.pop(address, None)
            self._distrusted[address] = now + DISTRUST
            if len(self._distrusted) > MOST_DISTRUSTED:
                del self._distrusted[next(iter(self._distrusted))]

    def trusts(self, address: TransportAddress, now: float) -> bool:
        """Whether a registrar may be the home in place of another."""
        return now >= self._distrusted.get(address, now)
