"""A model of many elements under many registrars: what passes, what is stored, what breaks first, and how far it errs.

Its rules are few, and count messages. C{PREDICTIONS} says each as a number of elements and registrars; the simulation
says how right they are at sizes that it can play; what a message costs was measured (C{bench.growth.measure}).
"""

from __future__ import annotations

from collections.abc import Callable
from math import log10
from typing import Any

from bench.growth.fit import line
from bench.report import Figures
from rserpool.core.handlespace.limits import Limits
from rserpool.core.peering.table import LARGER, PAUSE
from rserpool.core.profiles import DEFAULT, RFC
from rserpool.core.registrar.shares import COST, SHARE

ELEMENTS, REGISTRARS = 1_000_000, 30
"""What is predicted."""
CHECKED = ((1000, 30), (10_000, 10), (30_000, 3))
"""Elements and registrars of the simulations."""
DETECTED = 0.02
"""Seconds until a registrar that was killed is taken over."""
DOWNLOADED = 64.25
"""Bytes of a table for each element."""
RESTING, SHARED = "associations at rest (heartbeats of SCTP)", "keep-alives"
IP, SCTP = 28, 28
"""Bytes of a packet around a message: IPv4 and UDP, and SCTP with one chunk."""


def interval(elements: float, registrars: float, cost: float) -> float:
    """Mean seconds between two keep-alives to one element.

    @param cost: processor time of a keep-alive and its answer, in seconds.
    """
    return float(max(DEFAULT.keep_alive_interval, elements / registrars * cost / SHARE))


Rule = Callable[[float, float, float], float]
PREDICTIONS: dict[str, tuple[Rule, Callable[[Figures], float], str]] = {
    "re-registrations a second, in all": (
        lambda e, r, c: e / DEFAULT.t4_reregistration,
        lambda found: found["steady"]["ASAP 1"],
        "elements / T4",
    ),
    "updates a second, in all": (
        lambda e, r, c: e / DEFAULT.t4_reregistration * (r - 1),
        lambda found: found["steady"]["ENRP 4"],
        "elements / T4 * (registrars - 1): each tells all others",
    ),
    "answers to keep-alives a second, in all": (
        lambda e, r, c: e / interval(e, r, c),
        lambda found: found["steady"]["ASAP 8"],
        "elements / max(interval, elements of one registrar * cost / share)",
    ),
    "presences a second, in all": (
        lambda e, r, c: r * (r - 1) / DEFAULT.peer_heartbeat_cycle,
        lambda found: found["steady"]["ENRP 1"],
        "registrars * (registrars - 1) / heartbeat cycle",
    ),
    "seconds until all elements of a killed registrar know their next home": (
        lambda e, r, c: DETECTED + e / r * c / SHARE,
        lambda found: found["told_s"],
        f"{DETECTED} s, and elements of one registrar * cost / share, since one registrar takes all, in turn",
    ),
    "claims of a takeover": (
        lambda e, r, c: (r - 1) * (r - 2),
        lambda found: found["takeover"].get("ENRP 7", 0),
        "(registrars - 1) * (registrars - 2): all claim at once, when they see it die at once",
    ),
    "bytes of a download": (
        lambda e, r, c: DOWNLOADED * e,
        lambda found: found["table"]["bytes"],
        f"{DOWNLOADED} for an element at an IPv4 address, in a pool of 100",
    ),
}
"""What is predicted: its rule, where the simulation has it, and the rule in words."""


def checks(simulated: list[Figures], cost: float) -> list[Figures]:
    """Each prediction: beside the simulations, and for what no simulation can play, with its error.

    @param cost: of a keep-alive and its answer, as measured, in seconds; simulated registrars take it to be C{COST}.
    """
    found = []
    for name, (rule, read, words) in PREDICTIONS.items():
        points = []
        for each in simulated:
            elements, registrars = each["elements"], each["registrars"]
            points.append(
                {
                    "elements": elements,
                    "registrars": registrars,
                    "predicted": rule(elements, registrars, COST),
                    "simulated": read(each),
                }
            )
        ratios = [one["simulated"] / one["predicted"] for one in points if one["predicted"]]
        where = [log10(one["elements"]) for one in points if one["predicted"]]
        found.append(
            {
                "name": name,
                "words": words,
                "points": points,
                "predicted": rule(ELEMENTS, REGISTRARS, cost),
                "error": _error(where, ratios),
            }
        )
    return found


def _error(where: list[float], ratios: list[float]) -> float:
    """How far the prediction may be off at L{ELEMENTS}: the trend of the ratios there, and what is off the trend."""
    if len(ratios) < 2:
        return abs(ratios[0] - 1) if ratios else 0.0
    slope, begin = line(where, ratios)
    trend = abs(begin + slope * log10(ELEMENTS) - 1)
    return max(trend, max(abs(ratio - 1) for ratio in ratios))


def costs(series: Figures) -> dict[str, float]:
    """What one message costs, in us, and one element, in bytes: as measured, at the largest size."""
    elements, registrars = _last(series, "elements"), series["registrars"]["points"]
    few, many = registrars[0], registrars[-1]
    fewest = series["elements"]["points"][0]
    rest = _last(series, "associations at rest")
    # A registration of the load is followed by its end: two updates to each peer.
    told = 2 * (many["size"] - 1)
    more = max(1, 2 * (many["size"] - few["size"]))
    home = "registration us, home"
    return {
        "re-registration us": elements["re-registration us"],
        "resolution us": elements["resolution us"],
        "update received us": many["registration us, all peers"] / told,
        "update sent us": max(0.0, (many[home] - few[home]) / more),
        "association us a second": 1e4 * rest["% of a core"] / rest["size"],
        "keep-alive us": 1e6 * _keep_alive(series),
        "element bytes": (elements["bytes"] - fewest["bytes"]) / (elements["size"] - fewest["size"]),
        "download us": _last(series, "elements that are downloaded")["joining us, each element"],
    }


def _keep_alive(series: Figures) -> float:
    """Processor seconds of one, from the largest size at which each element was asked as often as the profile says."""
    resting = {one["size"]: one["% of a core"] for one in series["associations at rest"]["points"]}
    found = COST
    for one in series["supervised elements"]["points"]:
        share = (one["% of a core"] - resting.get(one["size"], 100.0)) / 100
        if 0 < share < 0.6 * SHARE:
            found = share * DEFAULT.keep_alive_interval / one["size"]
    return found


def _last(series: Figures, name: str) -> Figures:
    found: Figures = series[name]["points"][-1]
    return found


def burdens(cost: dict[str, float], t4: float = DEFAULT.t4_reregistration) -> dict[str, float]:
    """What one registrar of L{REGISTRARS} has to bear with L{ELEMENTS}, in parts of a core."""
    own = ELEMENTS / REGISTRARS / t4
    return {
        "re-registrations of its own elements": own * cost["re-registration us"] / 1e6,
        "updates that it sends": own * (REGISTRARS - 1) * cost["update sent us"] / 1e6,
        "updates that it receives": own * (REGISTRARS - 1) * cost["update received us"] / 1e6,
        # They become rarer as keep-alives do, and cost no more than those.
        RESTING: min(SHARE, ELEMENTS / REGISTRARS * cost["association us a second"] / 1e6),
        SHARED: SHARE,
    }


def breaks(cost: dict[str, float]) -> list[Figures]:
    """What is used more than is there, worst first: how often it would have to be there, and what would be changed."""
    each, limits = ELEMENTS / REGISTRARS, Limits()
    parts, seldom = burdens(cost), burdens(cost, RFC.t4_reregistration)
    every, resting, share = sum(parts.values()), parts[RESTING], parts[SHARED]
    updates, rare = every - resting - share, sum(seldom.values()) - resting - share
    asked = cost["keep-alive us"] / 1e6
    silent = interval(ELEMENTS, REGISTRARS, asked)
    network = ELEMENTS / DEFAULT.t4_reregistration * (REGISTRARS - 1) / REGISTRARS * (92 + IP + SCTP) * 8
    joining, paused = ELEMENTS * cost["download us"] / 1e6, ELEMENTS * DOWNLOADED / LARGER * PAUSE
    found = [
        (
            "one core of each registrar",
            every,
            f"{updates:.1f} cores for re-registrations and their updates with T4 = {DEFAULT.t4_reregistration:g} s."
            f" With T4 = {RFC.t4_reregistration:g} s, as the RFC has it, {rare:.2f}. Else: updates of elements that"
            " only registered again, unchanged, would be one message for many, or none while checksums agree."
            f" {resting:.2f} cores for heartbeats of SCTP: none where keep-alives show the same.",
        ),
        (
            "`associations` of a registrar",
            each / limits.associations,
            f"{each:,.0f} elements with an association each, where {limits.associations:,} are allowed as it is set."
            " It is a setting; libusrsctp and its timers would have to be measured there.",
        ),
        (
            "`associations`, after a takeover",
            2 * each / limits.associations,
            "One registrar takes all elements of a dead one (RFC 5353 section 3.5). They would have to be shared among"
            " all, or handed on afterwards (as takeover suggestions do, one by one).",
        ),
        (
            "`elements` of a registrar",
            ELEMENTS / limits.elements,
            "A setting; the next element is refused.",
        ),
        (
            "silent hosts within 2 s",
            (silent + DEFAULT.keep_alive_answer) / 2,
            f"Each element is asked every {silent:.1f} s, and SCTP's heartbeats are as rare. Several elements of one"
            " host would be asked by one message; users report what does not answer them all the same.",
        ),
        (
            "all elements of a dead registrar know their next home within 1 s",
            DETECTED + each * asked / SHARE,
            "Claims keep to the share of keep-alives. Elements that miss their home look for another by themselves,"
            " sooner than that; the claims would only have to reach those that do not.",
        ),
        (
            "a network of 1 Gbit/s",
            network / 1e9,
            f"{network / 1e6:,.0f} Mbit/s of updates arrive at each registrar.",
        ),
        (
            "16 GiB of memory",
            ELEMENTS * cost["element bytes"] / 2**34,
            f"{ELEMENTS * cost['element bytes'] / 2**20:,.0f} MiB for the handlespace, without associations.",
        ),
        (
            "joining within a minute",
            max(joining, paused) / 60,
            f"{joining:.0f} s of processor time of the one that joins, beside the updates of that time; and"
            f" {paused:.0f} s of pauses, if users keep its mentor busy. Several mentors, for a part each, take less.",
        ),
    ]
    return sorted(({"what": what, "used": used, "change": text} for what, used, text in found), key=_used, reverse=True)


def _used(one: dict[str, Any]) -> float:
    return float(one["used"])


def most(cost: dict[str, float]) -> float:
    """How many elements L{REGISTRARS} registrars bear with one core each, and the timers as they are."""
    parts = burdens(cost)
    free = 1.0 - parts.pop(SHARED)
    return ELEMENTS * free / sum(parts.values())
