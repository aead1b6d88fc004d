"""The page of growth, from its figures (C{docs/growth.json}) alone, and its picture."""

from __future__ import annotations

from math import log10
from pathlib import Path
from typing import Any

from bench.growth import model
from bench.growth.fit import exponent
from bench.report import Figures, when
from rserpool.core.registrar.shares import COST
from tests.docs.drawings import label, svg

ROOT = Path(__file__).resolve().parent.parent.parent
FIGURES = ROOT / "docs" / "growth.json"
PAGE = ROOT / "docs" / "growth.md"
PICTURE = ROOT / "docs" / "pictures" / "growth.svg"

HEAD = """# Growth

How processor time, memory and the time until a fault is noticed grow, from 10 to as far as one machine goes in a
bounded time; and a model for {elements:,} elements under {registrars} registrars. `python -m bench.growth` has
measured, played and reckoned it, and has written this page.

{when}

![Processor time, memory and times, each against what grows, on logarithmic scales.](pictures/growth.svg)

An exponent of 0 says that a value does not grow with the size, 1 that it grows as the size does, 2 as its square. It
is the slope of a line through the logarithms: of all sizes, and of the three largest, where what is always there (a
process, a timer) weighs less. Processor time is that of the registrar. Memory is what it grew by, unless it says
otherwise.

"""

TAIL = """
## Again

<!-- not run: takes minutes -->
```sh
python -m bench.growth                  # all: about 11 minutes; writes this page and its picture
python -m bench.growth --quick          # two minutes, to see that it works; it writes nothing without --write
python -m bench.growth --part model     # the simulations alone; what was measured stays
python -m bench.growth --part page      # the page and the picture again, from docs/growth.json
```

Everything runs on loopback, or in memory.
"""

SHOWN = {
    "elements": ("bytes", "resolution us"),
    "pools": ("bytes", "resolution us"),
    "users": ("bytes", "resolution us"),
    "registrars": ("registration us, all peers", "registration us, home"),
    "elements that are downloaded": ("seconds until ready",),
    "watchers": ("change us", "ms until the last was told"),
    "message rate": ("resolution us", "p99 ms"),
    "associations at rest": ("% of a core", "bytes"),
    "supervised elements": ("% of a core", "silent: seconds until gone"),
}
"""What the picture has of each series."""
COLUMNS, PANEL, HEIGHT = 2, 372, 150


def page(figures: Figures) -> str:
    """The page."""
    text = HEAD.format(elements=model.ELEMENTS, registrars=model.REGISTRARS, when=when(figures["about"]["series"]))
    for name, series in figures["series"].items():
        text += f"## {name[0].upper()}{name[1:]}\n\n{series['about']} The series ended: {series['ended']}.\n\n"
        text += _series(series["points"]) + "\n"
    return text + _model(figures) + TAIL


def _played(part: Figures) -> str:
    """No figure of a simulation depends on the machine."""
    rest = "; a quick run played one size alone." if part["quick"] else "."
    return f"{part['machine']['date']}, in {part['seconds']:.0f} s{rest}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float) -> str:
    """Three digits, as people read them."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _series(points: list[Figures]) -> str:
    sizes = [point["size"] for point in points]
    rows = []
    for key in [key for key in points[0] if key != "size"]:
        values = [point[key] for point in points]
        power, late = exponent(sizes, values), exponent(sizes[-3:], values[-3:])
        rows.append([key, *map(number, values), *("" if each is None else f"{each:+.2f}" for each in (power, late))])
    return _table(["", *(f"{size:,}" for size in sizes), "exponent", "of the last three"], rows)


def _model(figures: Figures) -> str:
    cost = model.costs(figures["series"])
    text = f"## {model.ELEMENTS:,} elements under {model.REGISTRARS} registrars\n\n"
    text += (
        "A model of a few rules counts messages. The simulation (real registrars, light elements with an association"
        " each, a network in memory, a clock of its own) says how right they are; the error is the trend of its"
        " deviations, drawn on to that size, or the largest of them if that is more. Profile `default`. Simulated"
        f" registrars take a keep-alive to cost {1e6 * COST:.0f} us; the prediction has what was measured."
        f" Played: {_played(figures['about']['simulated'])}\n\n"
    )
    rows = []
    for one in model.checks(figures["simulated"], cost["keep-alive us"] / 1e6):
        row = [one["name"], one["words"]]
        row += [f"{number(point['predicted'])} / {number(point['simulated'])}" for point in one["points"]]
        rows.append([*row, f"**{number(one['predicted'])}** ± {100 * one['error']:.0f} %"])
    played = [f"{one['elements']:,} under {one['registrars']}: model / played" for one in figures["simulated"]]
    text += _table(["", "rule", *played, f"{model.ELEMENTS:,} under {model.REGISTRARS}"], rows)
    text += "\nWhat a message costs, as measured above at the largest sizes: " + ", ".join(
        f"{name.removesuffix(' us')} {number(value)} us" if name.endswith(" us") else f"{number(value)} {name}"
        for name, value in cost.items()
    )
    text += ". So each registrar needs, of a core:\n\n"
    rows = [[name, f"{value:.2f}"] for name, value in model.burdens(cost).items()]
    text += _table(["", "cores"], rows)
    text += f"\nWith one core each, and the timers as they are, {model.REGISTRARS} registrars bear about"
    text += f" {model.most(cost):,.0f} elements.\n\n### What breaks first, and what would be changed\n\n"
    text += "How often over what is there would be needed; above 1 it breaks.\n\n"
    rows = [[one["what"], number(one["used"]), one["change"]] for one in model.breaks(cost)]
    return text + _table(["", "of what is there", ""], rows)


def picture(figures: Figures) -> str:
    """A panel for each series: values against sizes, both logarithmic."""
    body: list[str] = []
    for place, (name, series) in enumerate(figures["series"].items()):
        x, y = 14 + place % COLUMNS * PANEL, 14 + place // COLUMNS * HEIGHT
        body += _panel(x, y, name, series["points"])
    rows = -(-len(figures["series"]) // COLUMNS)
    return svg("Growth: values against sizes, on logarithmic scales.", 14 + rows * HEIGHT, body)


def _panel(x: float, y: float, name: str, points: list[Figures]) -> list[str]:
    found = [label(x + 4, y + 18, name)]
    left, top, width, height = x + 8, y + 30, PANEL - 150, HEIGHT - 62
    found.append(f'  <path class="group" d="M{left:g} {top:g} V{top + height:g} H{left + width:g}"/>')
    sizes = [log10(point["size"]) for point in points]
    span = max(sizes) - min(sizes) or 1.0
    first = 0.0
    for turn, key in enumerate(SHOWN[name]):
        values = [log10(max(point[key], 1e-9)) for point in points]
        low, high = min(values), max(values)
        # At least a decade, so that what does not grow looks so.
        middle, room = (low + high) / 2, max(high - low, 1.0)
        places = [
            f"{left + (size - sizes[0]) / span * width:.0f} "
            f"{top + height / 2 - (value - middle) / room * (height - 8):.0f}"
            for size, value in zip(sizes, values, strict=True)
        ]
        style = "line" if turn == 0 else "good"
        found.append(f'  <path class="{style}" d="M{" L".join(places)}"/>')
        end = float(places[-1].split()[1])
        power = exponent([point["size"] for point in points], [point[key] for point in points])
        short = key.split(":")[0].replace("registration us, ", "us, ").replace("ms until the last was told", "ms, last")
        short = short.replace("seconds until ready", "s until ready")
        text = f"{short} {power:+.2f}" if power is not None else short
        # Not upon the first.
        at = end + 4 if turn == 0 or abs(end - first) >= 16 else first + (20 if end >= first else -12)
        first = end
        found.append(label(left + width + 6, at, text, "note" if turn == 0 else "note said-good"))
    found.append(label(left, top + height + 16, f"{points[0]['size']:,}", "note"))
    found.append(label(left + width - 40, top + height + 16, f"{points[-1]['size']:,}", "note"))
    return found


def write(figures: Figures) -> dict[Path, str]:
    """The page and the picture, and where they are."""
    return {PAGE: page(figures), PICTURE: picture(figures)}


def table(figures: dict[str, Any]) -> str:
    """The exponents, for a terminal."""
    from bench.report import columns

    rows = []
    for name, series in figures["series"].items():
        points = series["points"]
        for key in [key for key in points[0] if key != "size"]:
            power = exponent([point["size"] for point in points], [point[key] for point in points])
            last = f"{points[-1]['size']:,}: {number(points[-1][key])}"
            rows.append([name, key, last, "" if power is None else f"{power:+.2f}"])
    return columns(["", "", "at the largest size", "exponent"], rows)
