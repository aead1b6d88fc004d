"""What the SCTP backends share: limits, payload protocol identifiers, how a handler is called (RFC 9260, RFC 6951)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.addresses import REGISTRAR_ENCAPSULATION_PORTS as REGISTRAR_ENCAPSULATION_PORTS
from rserpool.sctp.interfaces import ISctpAssociation, ISctpHandler
from rserpool.sctp.log import LimitedLog

PPID_ASAP = 11
"""Payload protocol identifier of ASAP (RFC 5352 section 8.3)."""
PPID_ENRP = 12
"""Payload protocol identifier of ENRP (RFC 5353 section 5.3)."""
MAX_MESSAGE = 65536
"""The longest message that an association sends or accepts, in bytes."""
STREAMS = 10
"""How many streams an association has in each direction."""
HIGH_WATER = 256 * 1024
"""More bytes than this in an association's own buffer: C{associationPaused}."""
LOW_WATER = 64 * 1024
"""So many bytes or fewer, after a pause: C{associationResumed}."""
A_TURN = 128
"""So many messages or datagrams are read, and so many messages served, before the loop looks at others."""
PIECE = 128
"""A message that waits somewhere counts as so many bytes at least: it may have one."""
SEND_LIMIT = 16 * 1024 * 1024
"""More bytes than this in an association's own buffer, with L{PIECE} for each message at least: the peer reads nothing,
and the association is aborted."""


def check_message(data: bytes, stream: int) -> None:
    """Refuse what no backend can send.

    @raise ValueError: if C{data} is empty (RFC 9260 section 6.2: a DATA chunk carries at least one byte) or longer
        than L{MAX_MESSAGE}, or if there is no such stream.
    """
    if not 0 < len(data) <= MAX_MESSAGE:
        raise ValueError(f"an SCTP message holds 1 to {MAX_MESSAGE} bytes, not {len(data)}")
    if not 0 <= stream < STREAMS:
        raise ValueError(f"stream {stream}: an association has the streams 0 to {STREAMS - 1}")


def check_messages(several: Iterable[bytes]) -> None:
    """The same for several that go together, on stream 0: all or none of them.

    @raise ValueError: as L{check_message}.
    @raise TypeError: if one is no bytes.
    """
    for data in several:
        if type(data) is not bytes:
            raise TypeError(f"an SCTP message is bytes, not {type(data).__name__}")
        check_message(data, 0)


def tell(log: Logger | LimitedLog, report: Callable[..., Any], *arguments: Any) -> None:
    """Call a method of a handler; what it raises is logged and goes no further."""
    try:
        report(*arguments)
    except Exception:
        log.failure("{report} failed", report=getattr(report, "__qualname__", repr(report)))


@implementer(ISctpHandler)
class SctpHandler:
    """An L{ISctpHandler} that ignores everything; override what matters."""

    def associationUp(self, association: ISctpAssociation) -> None:
        """See L{ISctpHandler.associationUp}."""

    def messageReceived(
        self, association: ISctpAssociation, data: bytes, ppid: int, stream: int, unordered: bool
    ) -> None:
        """See L{ISctpHandler.messageReceived}."""

    def sendFailed(self, association: ISctpAssociation, data: bytes, ppid: int) -> None:
        """See L{ISctpHandler.sendFailed}."""

    def associationPaused(self, association: ISctpAssociation) -> None:
        """See L{ISctpHandler.associationPaused}."""

    def associationResumed(self, association: ISctpAssociation) -> None:
        """See L{ISctpHandler.associationResumed}."""

    def addressChanged(self, association: ISctpAssociation, host: str, reachable: bool) -> None:
        """See L{ISctpHandler.addressChanged}."""

    def peerAddressesChanged(self, association: ISctpAssociation) -> None:
        """See L{ISctpHandler.peerAddressesChanged}."""

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        """See L{ISctpHandler.associationLost}."""
