"""What TLS over SCTP is like for one protocol: who is its server, how messages are told apart, who is expected."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from twisted.logger import Logger

from rserpool.core.identity import Identity
from rserpool.sctp.tls.framing import Framing
from rserpool.sctp.tls.handshakes import Handshakes, Turn
from rserpool.security.engine import TlsSide
from rserpool.security.failure import TlsFailure
from rserpool.security.telling import Suspects, Telling

PATIENCE: Final = 10.0
"""Seconds that a handshake may take, from when the association is up."""


class Rule(Enum):
    """Who is the TLS server: both ends may have dialled, so that SCTP does not tell."""

    SERVER = "we are, whoever dialled"
    CLIENT = "the peer is, whoever dialled"
    DIALLER = "who was dialled; where both dialled, who sent the smaller ClientHello random begins again as server"


class Ended(Protocol):
    """An association or connection that is up."""

    def __hash__(self) -> int: ...
    def abort(self) -> None:
        """End it at once."""


@dataclass
class Sides:
    """Our ends of TLS; they may be changed, and count for handshakes that begin afterwards.

    @ivar server: None where we are never one.
    @ivar client: None where we are never one.
    @ivar learned: who a peer has to be that was not named by us: the scope's name. A key needs none of this.
    """

    server: TlsSide | None = None
    client: TlsSide | None = None
    learned: Collection[Identity] = ()


@dataclass(frozen=True)
class TlsChannel:
    """
    @ivar sides: our ends.
    @ivar rule: who is the server.
    @ivar framing: where messages end.
    @ivar patience: seconds for a handshake.
    @ivar handshakes: the limits of those under way.
    @ivar suspects: tells the log of those that failed.
    @ivar by_key: those that are up by a key of the peer's, and which one that is.
    """

    sides: Sides
    rule: Rule
    framing: Framing
    patience: float = PATIENCE
    handshakes: Handshakes[Turn] = field(default_factory=Handshakes)
    by_key: dict[Ended, str] = field(default_factory=dict)
    suspects: Telling = field(default_factory=lambda: Suspects(Logger()))

    def up(self, carrier: Ended, key: str | None) -> None:
        """A handshake is over, and who dialled has used this key.

        @raise TlsFailure: if the key is known no more: it was taken away meanwhile.
        """
        if key is not None:
            if not self._known(key):
                raise TlsFailure(f"no key {key!r} is known here any more")
            self.by_key[carrier] = key
        self.handshakes.completed += 1

    def gone(self, carrier: Ended) -> None:
        """It is up no more."""
        self.by_key.pop(carrier, None)

    def cut_off(self) -> int:
        """Abort those whose key is known no more, and return how many that were."""
        cut = [carrier for carrier, key in self.by_key.items() if not self._known(key)]
        for carrier in cut:
            carrier.abort()
        return len(cut)

    def _known(self, key: str) -> bool:
        find = self.sides.server.find if self.sides.server is not None else None
        return find is not None and find(key) is not None
