"""What a registrar tells about itself to others (RFC 5353 sections 2.1 and 3.4.2)."""

from __future__ import annotations

from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import Announce, Effect, Notify
from rserpool.core.handlespace.handlespace import Handlespace
from rserpool.core.peering.events import Namesake
from rserpool.core.wire import enrp
from rserpool.core.wire.parameters import ServerInformation


class Ourselves:
    """Our own presence.

    @ivar server: our server identifier.
    """

    def __init__(self, server: int, handlespace: Handlespace) -> None:
        self.server = server
        self._handlespace = handlespace
        self._information: ServerInformation | None = None
        self._discover = False
        self._namesake = False

    def settle(self, information: ServerInformation, discover: bool) -> None:
        """Where we are, and whether to look for others by multicast."""
        self._information = information
        self._discover = discover

    def presence(self, receiver: int = 0, *, reply_required: bool = False) -> enrp.Presence:
        """ENRP_PRESENCE, with our checksum as it is now."""
        checksum = self._handlespace.checksum_of(self.server)
        return enrp.Presence(self.server, receiver, checksum, self._information, reply_required)

    def announced(self) -> list[Effect]:
        """The same by multicast, if that is wanted."""
        return [Announce(self.presence(), "enrp")] if self._discover else []

    def mirrored(self, message: enrp.Message) -> list[Effect]:
        """Somebody speaks as us: another registrar with our identifier, unless we dialled ourselves."""
        theirs = message.information if isinstance(message, enrp.Presence) else None
        ours = self._information
        if theirs is None or ours is None or self._namesake:
            return []
        hosts = theirs.transport.addresses
        place = theirs.transport.port, theirs.encapsulation
        if place == (ours.transport.port, ours.encapsulation) and not set(hosts).isdisjoint(ours.transport.addresses):
            return []
        # It dials for ever: once said is enough.
        self._namesake = True
        return [Notify(Namesake(TransportAddress(hosts, *place)))]
