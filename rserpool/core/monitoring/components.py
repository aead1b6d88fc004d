"""What a monitor knows: which components report, which are silent or gone, and what changed about them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from rserpool.core.frozen import frozen
from rserpool.core.monitoring.report import AssociationReport, Component, Report

MOST = 10_000
"""So many components are kept at most: their reports are not authenticated."""
ASSOCIATIONS = 20
"""Of so many associations of a component more is kept than their number."""
MISSED = 3
"""A component that owes so many reports is gone."""
SHORTEST, LONGEST = 2.0, 180.0
"""Seconds of silence that every component may have at least, and that none may have."""
CHANGE = 0.05
"""A workload that moved by less is no news."""


@frozen
class Known:
    """One component.

    @ivar report: its latest report, without the associations past L{ASSOCIATIONS}.
    @ivar count: how many associations it has.
    @ivar source: the IP address that the report came from.
    @ivar heard: when it came (monotonic seconds).
    @ivar gone: when the component was found to be gone (monotonic seconds); None while it reports.
    @ivar farewell: whether it said so itself.
    """

    report: Report
    count: int
    source: str
    heard: float
    gone: float | None = None
    farewell: bool = False

    @property
    def silence(self) -> float:
        """Seconds without a report after which it is gone."""
        return min(LONGEST, max(SHORTEST, MISSED * self.report.interval))

    def uptime(self, now: float) -> float:
        """Seconds since its start, as far as it lived."""
        return self.report.uptime + (0.0 if self.farewell else (self.gone or now) - self.heard)


@frozen
class Change:
    """Something happened to a component.

    @ivar what: C{"+"} it is there, C{"~"} it says something else, C{"-"} it is gone.
    """

    what: str
    known: Known


class Components:
    """The components that are there, and for a while those that were.

    @param linger: how many seconds a component that is gone is still listed.
    @ivar ignored: how many reports were ignored because there are more components than L{MOST}.
    """

    def __init__(self, linger: float = 10.0) -> None:
        self._linger = linger
        self._known: dict[Component, Known] = {}
        self.ignored = 0

    def __len__(self) -> int:
        return len(self._known)

    @property
    def known(self) -> Collection[Known]:
        """All of them, by kind and identifier."""
        return [self._known[component] for component in sorted(self._known, key=_number)]

    def heard(self, report: Report, source: str, now: float) -> list[Change]:
        """A report came in from the IP address C{source}."""
        before = self._known.get(report.sender)
        if report.final:
            if before is None or before.gone is not None:
                return []
            return [self._went(before, now, farewell=True)]
        if before is None and len(self._known) >= MOST and not self._make_room():
            self.ignored += 1
            return []
        count = len(report.associations) + report.more
        known = Known(replace(report, associations=report.associations[:ASSOCIATIONS]), count, source, now)
        self._known[report.sender] = known
        if before is None or before.gone is not None:
            return [Change("+", known)]
        return [Change("~", known)] if _news(before, known) else []

    def tick(self, now: float) -> list[Change]:
        """Find out who is silent for too long, and forget who has been gone for a while."""
        changes: list[Change] = []
        for component, known in list(self._known.items()):
            if known.gone is None:
                if now - known.heard >= known.silence:
                    changes.append(self._went(known, now, farewell=False))
            elif now - known.gone >= self._linger:
                del self._known[component]
        return changes

    def _went(self, known: Known, now: float, *, farewell: bool) -> Change:
        gone = self._known[known.report.sender] = replace(known, gone=now, farewell=farewell)
        return Change("-", gone)

    def _make_room(self) -> bool:
        left = min((known for known in self._known.values() if known.gone is not None), key=_gone, default=None)
        if left is None:
            return False
        del self._known[left.report.sender]
        return True


def _number(component: Component) -> int:
    return component.number


def _gone(known: Known) -> float:
    return known.gone or 0.0


def _news(before: Known, after: Known) -> bool:
    old, new = before.report, after.report
    if (old.workload is None) != (new.workload is None) or abs((old.workload or 0) - (new.workload or 0)) >= CHANGE:
        return True
    return (old.status, old.location, before.count, _ends(old.associations)) != (
        new.status, new.location, after.count, _ends(new.associations)
    )  # fmt: skip


def _ends(associations: tuple[AssociationReport, ...]) -> set[tuple[Component, int, int]]:
    return {(one.peer, one.protocol, one.ppid) for one in associations}
