"""What a driver runs: a role, and what speaks one protocol for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, TypeVar

from rserpool.core.addresses import TransportAddress
from rserpool.core.effects import Association, Effect
from rserpool.core.errors import Unproved
from rserpool.core.identity import Credentials
from rserpool.core.wire import asap
from rserpool.core.wire.tlv import Decoded

M = TypeVar("M", contravariant=True)


class Speaker(Protocol[M]):
    """What a role shows to those who speak one protocol with it; C{now} is monotonic, in seconds.

    Each method returns the effects that are to be performed, in order. Who knows some messages by their bytes may have
    an L{AtOnce}, too, as C{at_once}.
    """

    def association_up(
        self,
        association: Association,
        peer: TransportAddress,
        now: float,
        outbound: bool = False,
        credentials: Credentials = None,
    ) -> list[Effect]:
        """An association is up; outbound, if a L{Connect<rserpool.core.effects.Connect>} asked for it.

        @param credentials: what the peer has proved to be.
        """

    def connect_failed(self, peer: TransportAddress, now: float, failure: Unproved | None = None, /) -> list[Effect]:
        """What a L{Connect<rserpool.core.effects.Connect>} asked for could not be opened.

        @param failure: what TLS said of it.
        """

    def association_lost(
        self, association: Association, now: float, failure: Unproved | None = None, /
    ) -> list[Effect]:
        """It is gone.

        @param failure: what TLS said of it.
        """

    def association_paused(self, association: Association, now: float) -> list[Effect]:
        """Its peer reads too slowly."""

    def association_resumed(self, association: Association, now: float) -> list[Effect]:
        """Its peer reads again."""

    def receive(self, association: Association, message: M, now: float) -> list[Effect]:
        """A message came in."""

    def announcement(self, message: M, source: str, now: float) -> list[Effect]:
        """A message came in at the multicast group, from the IP address C{source}."""


AtOnce: TypeAlias = Callable[[Any, bytes, float], bytes | list[Effect] | None]
"""C{at_once(association, data, now)}: what answers a message, if nothing else follows from it; or the effects of one
that need not be decoded for them; or None, for one that is to be decoded and received."""


class Role(Speaker[asap.Message], Protocol):
    """Registrar, PoolElement or PoolUser: it speaks ASAP."""

    def tick(self, now: float) -> list[Effect]:
        """Do what is due."""

    def next_deadline(self) -> float | None:
        """When L{tick} is to be called next, or None."""


class Codec(Protocol):
    """One protocol's messages and their bytes: C{rserpool.core.wire.asap} or C{enrp}."""

    @property
    def Error(self) -> Any:
        """The message that tells of an error."""

    def encode(self, message: Any, /) -> bytes:
        """See L{asap.encode}."""

    def decode(self, data: bytes, /) -> Decoded[Any]:
        """See L{asap.decode}."""
