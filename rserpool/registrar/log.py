"""What a registrar tells its operator: its events as log lines."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted.logger import Logger

from rserpool.core.errors import CauseCode
from rserpool.core.handles import handle_text
from rserpool.core.peering import events as peering
from rserpool.core.registrar import events
from rserpool.core.trail import Acted
from rserpool.core.wire.causes import ErrorCause
from rserpool.node.counting import CountedLog, LimitedLog
from rserpool.node.reactor import clock_of
from rserpool.registrar.trail import Trail

MOST_CAUSES = 5
"""So many causes of one error, and addresses of one element, are named."""
LONGEST = 100
"""So many characters of a pool handle are shown."""


class OperatorLog:
    """Logs events of the registrar with this server identifier; those that a peer or element can cause at will are
    counted up, or limited (L{CountedLog}, L{LimitedLog})."""

    def __init__(self, reactor: Any, log: Logger, identifier: int) -> None:
        self._log = log
        self._identifier = identifier
        self._counted = CountedLog(reactor, log)
        self._trail = Trail(clock_of(reactor))
        self._limited = LimitedLog(log, clock_of(reactor))

    def tell(self, event: Any) -> None:
        """Something happened."""
        match event:
            case events.ElementRegistered(handle=handle, identifier=identifier):
                self._counted.info(
                    "elements registered",
                    "{pool}: element 0x{identifier:08x} registered",
                    pool=_short(handle_text(handle)),
                    identifier=identifier,
                )
            case events.ElementRemoved(handle=handle, identifier=identifier, why=why):
                self._counted.info(
                    f"elements removed ({why})",
                    "{pool}: element 0x{identifier:08x} removed: {why}",
                    pool=_short(handle_text(handle)),
                    identifier=identifier,
                    why=why,
                )
            case events.AddressesRefused(handle=handle, identifier=identifier, wanted=wanted, seen=seen):
                self._limited.warn(
                    "{pool}: element 0x{identifier:08x} is refused: it names {wanted}, and comes from {seen}"
                    " (a translator, NAT, between us?)",
                    pool=_short(handle_text(handle)),
                    identifier=identifier,
                    wanted=_some(wanted),
                    seen=_some(seen),
                )
            case events.DrainAnswered(handle=handle, identifier=identifier, refused=refused) if refused:
                self._limited.warn("{why}", why=refused)
            case events.DrainAnswered(handle=handle, identifier=identifier, drains=True):
                self._limited.info(
                    "{pool}: element 0x{identifier:08x} drains", pool=_short(handle_text(handle)), identifier=identifier
                )
            case events.DrainingEnded(handle=handle, identifier=identifier, why=why):
                self._limited.info(
                    "{pool}: element 0x{identifier:08x} drains no longer: {why}",
                    pool=_short(handle_text(handle)),
                    identifier=identifier,
                    why=why or "it serves again",
                )
            case events.Retired(refused=refused) if refused:
                self._log.error("cannot retire: {why}", why=refused)
            case events.Retired(elements=elements):
                self._log.info("{elements} elements are handed over: this registrar may end", elements=elements)
            case events.SupervisionStretched(interval=interval, elements=elements):
                self._log.warn(
                    "{elements} elements: each is asked every {interval:.1f} s now",
                    interval=interval,
                    elements=elements,
                )
            case events.ErrorReported(association=association, causes=causes):
                peer = str(getattr(association, "peer", "?"))
                self._limited.warn("{peer} reports an error: {causes}", peer=peer, causes=_causes(causes))
            case Acted():
                self._trail.tell(event)
            case events.NotYetRequired():
                self._log.error("TLS is not required yet, but will be without them: {what}", what=str(event))
            case _:
                self._tell_of_peers(event)

    def stop(self) -> None:
        """Tell what is left."""
        self._counted.stop()

    def _tell_of_peers(self, event: Any) -> None:
        match event:
            case peering.Initialized(mentor=mentor, elements=elements):
                self._limited.info(
                    "ready: {elements} elements {source}",
                    elements=elements,
                    source=f"from registrar 0x{mentor:08x}" if mentor else "(no other registrar was ready)",
                )
            case peering.PeerFound(identifier=identifier, address=address):
                self._limited.info("peer 0x{identifier:08x} at {address}", identifier=identifier, address=str(address))
            case peering.Namesake(address=address):
                self._limited.error(
                    "another registrar, at {address}, has our identifier 0x{identifier:08x}, and can be no peer: "
                    "give each its own, or none",
                    address=str(address),
                    identifier=self._identifier,
                )
            case peering.PeerUnreachable(address=address, attempts=attempts):
                self._limited.warn(
                    "cannot reach the peer {address} ({attempts} attempts): is it there, and does it speak ENRP?",
                    address=str(address),
                    attempts=attempts,
                )
            case peering.PeerSilent(address=address):
                self._limited.warn("the peer {address} accepts us, and says nothing", address=str(address))
            case peering.PeerLost(identifier=identifier):
                self._limited.warn("peer 0x{identifier:08x} is silent", identifier=identifier)
            case peering.TakenOver(target=target, by=by, elements=elements):
                self._limited.warn(
                    "registrar 0x{target:08x} is gone: {elements} elements belong to {by} now",
                    target=target,
                    elements=elements,
                    by="us" if by == self._identifier else f"0x{by:08x}",
                )
            case peering.Audited(peer=number, removed=removed) if removed:
                self._limited.info(
                    "{removed} elements removed that registrar 0x{peer:08x} does not have", removed=removed, peer=number
                )
            case peering.PeerError(peer=number, causes=causes) if any(each.code == _SECURITY for each in causes):
                self._limited.warn(
                    "registrar 0x{peer:08x} does not take us for a registrar (cause 0xa): is our key in its files?",
                    peer=number,
                )
            case peering.PeerError(peer=number, causes=causes):
                self._limited.warn(
                    "registrar 0x{peer:08x} reports an error: {causes}", peer=number, causes=_causes(causes)
                )
            case peering.OutOfPlace(peer=number, message=message):
                self._counted.debug(
                    "messages out of place",
                    "registrar 0x{peer:08x}: {message} where none is expected, ignored",
                    peer=number,
                    message=message,
                )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _some(hosts: Iterable[str]) -> str:
    hosts = list(hosts)
    more = f" and {len(hosts) - MOST_CAUSES} more" if len(hosts) > MOST_CAUSES else ""
    return ", ".join(hosts[:MOST_CAUSES]) + more


def _causes(causes: Iterable[ErrorCause]) -> str:
    causes = list(causes)
    more = f" and {len(causes) - MOST_CAUSES} more" if len(causes) > MOST_CAUSES else ""
    return ", ".join(f"cause 0x{cause.code:x}" for cause in causes[:MOST_CAUSES]) + more


_SECURITY: Final = CauseCode.REJECTED_FOR_SECURITY
