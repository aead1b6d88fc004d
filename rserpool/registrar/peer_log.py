"""What a registrar tells its operator about other registrars, as log lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rserpool.core.errors import CauseCode
from rserpool.core.peering import events as peering
from rserpool.core.wire.causes import ErrorCause
from rserpool.node.counting import CountedLog, LimitedLog

MOST_CAUSES = 5
"""So many causes of one error, and addresses of one element, are named."""
_SECURITY: Final = CauseCode.REJECTED_FOR_SECURITY


class PeerLog:
    """Logs events of the registrar with this server identifier that are about its peers."""

    def __init__(self, limited: LimitedLog, counted: CountedLog, identifier: int) -> None:
        self._limited = limited
        self._counted = counted
        self._identifier = identifier

    def tell(self, event: Any) -> None:
        """Something happened."""
        match event:
            case peering.Initialized(mentor=mentor, elements=elements):
                self._limited.info(
                    "ready: {elements} elements {source}",
                    event="ready",
                    elements=elements,
                    source=f"from registrar 0x{mentor:08x}" if mentor else "(no other registrar was ready)",
                )
            case peering.PeerFound(identifier=identifier, address=address):
                self._limited.info(
                    "peer 0x{identifier:08x} at {address}",
                    event="peer-found",
                    identifier=identifier,
                    address=str(address),
                )
            case peering.Namesake(address=address):
                self._limited.error(
                    "another registrar, at {address}, has our identifier 0x{identifier:08x}, and can be no peer: "
                    "give each its own, or none",
                    event="namesake",
                    address=str(address),
                    identifier=self._identifier,
                )
            case peering.PeerUnreachable(address=address, attempts=attempts):
                self._limited.warn(
                    "cannot reach the peer {address} ({attempts} attempts): is it there, and does it speak ENRP?",
                    event="peer-unreachable",
                    address=str(address),
                    attempts=attempts,
                )
            case peering.PeerSilent(address=address):
                self._limited.warn(
                    "the peer {address} accepts us, and says nothing", event="peer-silent", address=str(address)
                )
            case peering.PeerLost(identifier=identifier):
                self._limited.warn("peer 0x{identifier:08x} is silent", event="peer-lost", identifier=identifier)
            case peering.PeerRetired(identifier=identifier):
                self._limited.info(
                    "peer 0x{identifier:08x} has retired: its elements have other homes, and it has ended",
                    event="peer-retired",
                    identifier=identifier,
                )
            case _:
                self._tell_of_tables(event)

    def _tell_of_tables(self, event: Any) -> None:
        match event:
            case peering.TakenOver(target=target, by=by, elements=elements):
                self._limited.warn(
                    "registrar 0x{target:08x} is gone: {elements} elements belong to {by} now",
                    event="taken-over",
                    target=target,
                    elements=elements,
                    by="us" if by == self._identifier else f"0x{by:08x}",
                )
            case peering.Audited(peer=number, removed=removed) if removed:
                self._limited.info(
                    "{removed} elements removed that registrar 0x{peer:08x} does not have",
                    event="audited",
                    removed=removed,
                    peer=number,
                )
            case peering.PeerError(peer=number, causes=causes) if any(each.code == _SECURITY for each in causes):
                self._limited.warn(
                    "registrar 0x{peer:08x} does not take us for a registrar (cause 0xa): is our key in its files?",
                    event="refused-by-peer",
                    peer=number,
                )
            case peering.PeerError(peer=number, causes=causes):
                self._limited.warn(
                    "registrar 0x{peer:08x} reports an error: {causes}",
                    event="peer-error",
                    peer=number,
                    causes=causes_text(causes),
                )
            case peering.OutOfPlace(peer=number, message=message):
                self._counted.debug(
                    "messages out of place",
                    "registrar 0x{peer:08x}: {message} where none is expected, ignored",
                    event="out-of-place",
                    peer=number,
                    message=message,
                )


def causes_text(causes: Iterable[ErrorCause]) -> str:
    """The causes of an error, a few of them."""
    causes = list(causes)
    more = f" and {len(causes) - MOST_CAUSES} more" if len(causes) > MOST_CAUSES else ""
    return ", ".join(f"cause 0x{cause.code:x}" for cause in causes[:MOST_CAUSES]) + more
