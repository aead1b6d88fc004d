"""What a registrar tells its operator: its events as log lines."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from twisted.logger import Logger

from rserpool.core.described import place, policy_text
from rserpool.core.handles import handle_text
from rserpool.core.handlespace.element import Element
from rserpool.core.peering import events as peering
from rserpool.core.registrar import events
from rserpool.core.trail import Acted
from rserpool.node.counting import CountedLog, LimitedLog
from rserpool.node.reactor import clock_of
from rserpool.registrar.peer_log import MOST_CAUSES, PeerLog, causes_text
from rserpool.registrar.trail import Trail

REGISTERED = "elements registered"
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
        self._peers = PeerLog(self._limited, self._counted, identifier)

    def tell(self, event: Any) -> None:
        """Something happened."""
        kind = _kind(event)
        if kind is not None and self._counted.only_counts(kind):
            # There may be thousands a second.
            return
        match event:
            case events.ElementRegistered() | events.ElementRemoved():
                # As most.
                self._tell_of_elements(event)
            case events.SupervisionStretched():
                self._log.warn(
                    "{elements} elements: each is asked every {interval:.1f} s now "
                    "(that takes {cost:.0f} us, and all {percent:.0f} % of a core: associations alone {fixed:.0f} %)",
                    event="supervision-stretched",
                    interval=event.interval,
                    elements=event.elements,
                    cost=1e6 * event.cost,
                    percent=100 * event.part,
                    fixed=100 * event.fixed,
                )
            case events.ErrorReported(association=association, causes=causes):
                where = str(getattr(association, "peer", "?"))
                self._limited.warn(
                    "{peer} reports an error: {causes}",
                    event="error-reported",
                    peer=where,
                    causes=causes_text(causes),
                )
            case Acted():
                self._trail.tell(event)
            case events.NotYetRequired():
                self._log.error(
                    "TLS is not required yet, but will be without them: {what}",
                    event="not-yet-required",
                    what=str(event),
                )
            case _:
                if type(event).__module__ == peering.__name__:
                    self._peers.tell(event)
                else:
                    self._tell_of_elements(event)
                    self._tell_of_actions(event)

    def stop(self) -> None:
        """Tell what is left."""
        self._counted.stop()

    def _tell_of_elements(self, event: Any) -> None:
        match event:
            case events.ElementRegistered(handle=handle, identifier=identifier, element=element):
                self._counted.info(
                    REGISTERED,
                    "{pool}: element 0x{identifier:08x} registered{details}",
                    partial(_described, element),
                    event="element-registered",
                    pool=_short(handle_text(handle)),
                    identifier=identifier,
                )
            case events.ElementRemoved(handle=handle, identifier=identifier, why=why, element=element):
                self._counted.info(
                    _removed(why),
                    "{pool}: element 0x{identifier:08x} removed: {why}{details}",
                    partial(_described, element, event.reporters),
                    event="element-removed",
                    pool=_short(handle_text(handle)),
                    identifier=identifier,
                    why=why,
                )
            case events.RegistrationRefused(evicted=True, handle=handle, identifier=identifier, why=why):
                # It asks again and again; that it is evicted was told.
                self._limited.debug(
                    "{pool}: element 0x{identifier:08x} is refused: {why}",
                    event="registration-refused",
                    pool=_short(handle_text(handle)),
                    identifier=identifier,
                    why=why,
                )
            case events.RegistrationRefused(handle=handle, identifier=identifier, peer=peer, cause=cause, why=why):
                self._limited.warn(
                    "{pool}: element 0x{identifier:08x} from {address} is refused: {why}",
                    event="registration-refused",
                    pool=_short(handle_text(handle)),
                    identifier=identifier,
                    address=str(peer),
                    cause=cause,
                    why=why,
                )
            case events.AddressesRefused(handle=handle, identifier=identifier, wanted=wanted, seen=seen):
                self._limited.warn(
                    "{pool}: element 0x{identifier:08x} is refused: it names {wanted}, and comes from {seen}"
                    " (a translator, NAT, between us?)",
                    event="addresses-refused",
                    pool=_short(handle_text(handle)),
                    identifier=identifier,
                    wanted=_some(wanted),
                    seen=_some(seen),
                )

    def _tell_of_actions(self, event: Any) -> None:
        match event:
            case events.DrainAnswered(handle=handle, identifier=identifier, refused=refused) if refused:
                self._limited.warn("{why}", event="drain-refused", why=refused)
            case events.DrainAnswered(handle=handle, identifier=identifier, drains=True):
                self._limited.info(
                    "{pool}: element 0x{identifier:08x} drains",
                    event="drains",
                    pool=_short(handle_text(handle)),
                    identifier=identifier,
                )
            case events.DrainingEnded(handle=handle, identifier=identifier, why=why):
                self._limited.info(
                    "{pool}: element 0x{identifier:08x} drains no longer: {why}",
                    event="drained",
                    pool=_short(handle_text(handle)),
                    identifier=identifier,
                    why=why or "it serves again",
                )
            case events.Retired(refused=refused) if refused:
                self._log.error("cannot retire: {why}", event="retire-refused", why=refused)
            case events.Retired(elements=elements):
                self._log.info(
                    "{elements} elements are handed over: this registrar may end", event="retired", elements=elements
                )


def _kind(event: Any) -> str | None:
    """As what it is counted, where there are too many."""
    if type(event) is events.ElementRegistered:
        return REGISTERED
    return _removed(event.why) if type(event) is events.ElementRemoved else None


def _removed(why: str) -> str:
    return f"elements removed ({why})"


def _described(element: Element | None, reporters: Iterable[str] = ()) -> dict[str, Any]:
    """Where an element serves, by which policy, and who could not reach it: for people, and by name."""
    if element is None:
        return {"details": ""}
    parameter = element.parameter()
    address, policy = place(parameter), policy_text(parameter.policy)
    owner = "" if element.owner is None else f", of {element.owner}"
    some = ", ".join(sorted(reporters)[:MOST_CAUSES])
    told = f"; not reached by {some}" if some else ""
    found = {"details": f" ({address}, {policy}{owner}{told})", "address": address, "policy": policy}
    found |= {"reporters": some} if some else {}
    return found | ({} if element.owner is None else {"identity": str(element.owner)})


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."


def _some(hosts: Iterable[str]) -> str:
    hosts = list(hosts)
    more = f" and {len(hosts) - MOST_CAUSES} more" if len(hosts) > MOST_CAUSES else ""
    return ", ".join(hosts[:MOST_CAUSES]) + more
