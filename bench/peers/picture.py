"""The picture of what was measured beside the peers: a panel for each question, a bar for each system as it is set."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from math import log10
from typing import Any

from tests.docs.drawings import label, svg

Figures = dict[str, Any]
COLUMNS, PANEL, ROW, LEFT = 2, 372, 20, 136
"""Panels in a row, their width, the height of a bar, and where bars begin within a panel."""


def best(rates: Figures, work: str) -> Figures:
    """The figures of that library which was the fastest."""
    several = [one for name, one in rates.items() if name.startswith(f"{work}, ")]
    found: Figures = max(several, key=lambda one: float(one["per_second"]))
    return found


def median(several: Sequence[float]) -> float | None:
    """The one in the middle; None if there is none."""
    return statistics.median(several) if several else None


def spent(rates: Figures, work: str) -> float:
    """Processor time of all nodes and clients for one answer, in us."""
    one = best(rates, work)
    return float(one["nodes_us"] + one["client_us"])


PANELS: tuple[tuple[str, bool, Callable[[Figures], float | None]], ...] = (
    ("resolutions a second, one node", False, lambda one: best(one["one"]["rates"], "resolve")["per_second"]),
    (
        "registrations a second, two replicas",
        False,
        lambda one: best(one["three"]["rates"], "register")["per_second"],
    ),
    ("processor us of all for a resolution, one node", False, lambda one: spent(one["one"]["rates"], "resolve")),
    ("processor us of all, registration, replicas", False, lambda one: spent(one["three"]["rates"], "register")),
    ("a server is killed: ms until served", True, lambda one: median(one["three"]["killed_ms"])),
    ("a node is killed: ms until served", True, lambda one: median(one["three"]["node_killed_ms"])),
    ("a host falls silent: ms until served", True, lambda one: median(one["three"]["silent_ms"])),
    ("bytes of a node for an entry", False, lambda one: one["one"]["memory"]["shared"]),
)
"""What each panel is called, whether its scale is logarithmic, and its value for one system."""


def picture(systems: Figures) -> str:
    """The whole of it."""
    height = 56 + ROW * len(systems)
    body: list[str] = []
    for number, (title, logarithmic, value) in enumerate(PANELS):
        x, y = 14 + number % COLUMNS * PANEL, 14 + number // COLUMNS * height
        body += _panel(x, y, title, logarithmic, {name: value(one) for name, one in systems.items()})
    rows = -(-len(PANELS) // COLUMNS)
    return svg("Beside the peers: rates, times until a user is served again, memory.", 14 + rows * height, body)


def _panel(x: float, y: float, title: str, logarithmic: bool, values: dict[str, float | None]) -> list[str]:
    found = [label(x + 4, y + 18, title + (" (log)" if logarithmic else ""))]
    room = PANEL - LEFT - 80
    known = [value for value in values.values() if value]
    for number, (name, value) in enumerate(values.items()):
        top = y + 30 + ROW * number
        found.append(label(x + 4, top + 12, name, "note"))
        if value is None:
            found.append(label(x + LEFT, top + 12, "not tried", "note"))
            continue
        if logarithmic:
            most = log10(max(known)) - log10(max(1.0, min(known))) + 0.3
            part = (log10(max(value, 1.0)) - log10(max(1.0, min(known))) + 0.3) / most
        else:
            part = value / max(known)
        style = "box" if not name.startswith("rserpool") else "good"
        width = max(1.0, room * part)
        found.append(f'  <rect class="{style}" x="{x + LEFT:g}" y="{top:g}" width="{width:.0f}" height="14"/>')
        found.append(label(x + LEFT + round(width) + 6, top + 12, number_of(value), "note"))
    return found


def number_of(value: float) -> str:
    """A value as people read it."""
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}"
