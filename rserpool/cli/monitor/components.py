"""Components that report their status, as people and programs read them."""

from __future__ import annotations

from typing import Any

from rserpool.core.monitoring.components import Change, Known
from rserpool.core.monitoring.report import AssociationReport, Component, Kind
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP

KINDS = {Kind.REGISTRAR: "registrar", Kind.POOL_ELEMENT: "element", Kind.POOL_USER: "user"}
PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}
PPIDS = {PPID_ASAP: "ASAP", PPID_ENRP: "ENRP"}


def kind_text(component: Component) -> str:
    """The kind of a component: C{"registrar"}, C{"element"}, C{"user"}, or its number."""
    return KINDS.get(component.kind, f"kind {component.kind}")  # type: ignore[call-overload, no-any-return]


def component_text(component: Component) -> str:
    """Its identifier; that of a user has 56 bits."""
    if component.kind in (Kind.REGISTRAR, Kind.POOL_ELEMENT) and component.identifier < 2**32:
        return f"0x{component.identifier:08x}"
    return f"0x{component.identifier:014x}"


def state(known: Known) -> str:
    """C{"up"}, C{"gone"} (it said goodbye) or C{"silent"} (it did not)."""
    return "up" if known.gone is None else "gone" if known.farewell else "silent"


def association_text(association: AssociationReport) -> str:
    """C{registrar 0x00000001, ENRP over sctp, 0:01:23}."""
    peer = association.peer
    identifier = component_text(peer) if peer.identifier else "not known"
    ppid = PPIDS.get(association.ppid, "data" if not association.ppid else f"PPID {association.ppid}")
    protocol = PROTOCOLS.get(association.protocol, f"IP protocol {association.protocol}")
    text = f"{kind_text(peer)} {identifier}, {ppid} over {protocol}"
    return text if association.duration is None else f"{text}, {time_text(association.duration)}"


def change_text(change: Change) -> str:
    """One line about a component that came, changed or went."""
    known = change.known
    who = f"{change.what} {kind_text(known.report.sender)} {component_text(known.report.sender)}"
    if known.gone is not None:
        why = "said goodbye" if known.farewell else f"silent for {known.gone - known.heard:.1f} s"
        return f"{who}  gone: {why}"
    load = "" if known.report.workload is None else f"  load {known.report.workload:.0%}"
    return f"{who}  {plain(known.report.status) or '-'}{load}  {plain(known.report.location) or known.source}"


def component_json(known: Known, now: float) -> dict[str, Any]:
    """A component for C{json.dumps}; times in seconds."""
    report = known.report
    return {
        "kind": kind_text(report.sender),
        "identifier": component_text(report.sender),
        "state": state(known),
        "status": report.status,
        "location": report.location,
        "source": known.source,
        "workload": None if report.workload is None else round(report.workload, 4),
        "uptime": round(known.uptime(now), 3),
        "age": round(max(0.0, now - known.heard), 3),
        "interval": round(report.interval, 3),
        "associations": known.count,
        "peers": [
            {
                "kind": kind_text(one.peer),
                "identifier": component_text(one.peer) if one.peer.identifier else None,
                "protocol": PROTOCOLS.get(one.protocol, str(one.protocol)),
                "ppid": one.ppid,
                "duration": None if one.duration is None else round(one.duration, 3),
            }
            for one in report.associations
        ],
    }


def time_text(seconds: float) -> str:
    """Seconds as hours, minutes and seconds (C{0:01:23}), from 100 hours on as days and hours."""
    whole = max(0, int(seconds))
    if whole >= 100 * 3600:
        return f"{whole // 86400} d {whole // 3600 % 24:02} h"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def short_time(seconds: float) -> str:
    """The same in six columns: C{4.2s}, C{42s}, C{12m30s}, C{12h05m}, C{12d05h}."""
    whole = max(0, int(seconds))
    if seconds < 10:
        return f"{max(0.0, seconds):.1f}s"
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 100 * 3600:
        return f"{whole // 3600}h{whole // 60 % 60:02}m"
    return f"{whole // 86400}d{whole // 3600 % 24:02}h" if whole < 100 * 86400 else f"{whole // 86400}d"


def plain(text: str) -> str:
    """A text of a stranger without what a terminal would obey."""
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
