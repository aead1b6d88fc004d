"""What TLS over SCTP is like for one protocol: who is its server, how messages are told apart, who is expected."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from twisted.logger import Logger

from rserpool.core.identity import Identity
from rserpool.sctp.tls.framing import Framing
from rserpool.sctp.tls.handshakes import Handshakes, Turn
from rserpool.security.engine import TlsSide
from rserpool.security.telling import Suspects, Telling

PATIENCE: Final = 10.0
"""Seconds that a handshake may take, from when the association is up."""


class Rule(Enum):
    """Who is the TLS server: both ends may have dialled, so that SCTP does not tell."""

    SERVER = "we are, whoever dialled"
    CLIENT = "the peer is, whoever dialled"
    DIALLER = "who was dialled; where both dialled, who sent the smaller ClientHello random begins again as server"


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
    """

    sides: Sides
    rule: Rule
    framing: Framing
    patience: float = PATIENCE
    handshakes: Handshakes[Turn] = field(default_factory=Handshakes)
    suspects: Telling = field(default_factory=lambda: Suspects(Logger()))
