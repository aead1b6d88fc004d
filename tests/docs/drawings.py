"""The drawings of the pages, from text: C{python -m tests.docs.drawings} writes C{docs/pictures/*.svg} anew.

What happens between several is a text of its own (C{docs/pictures/*.txt}): a title, then lines

  - C{who NAME = TITLE / NOTE}: somebody, from left to right
  - C{A -> B: TEXT}: a message; C{=>} one that brings what was wanted, C{-x} one that nobody answers
  - C{A dies: TEXT}, C{A notes: TEXT}

The floors are those of setup.cfg; L{screens} has the text of a terminal.
"""

from __future__ import annotations

import re
from configparser import ConfigParser
from html import escape
from pathlib import Path

from tests.docs import screens
from tests.docs.blocks import ROOT

PICTURES = ROOT / "docs" / "pictures"
WIDTH, STEP, TOP = 760, 36, 100
LABELS = {
    "tap": "programs, tests",
    "compute": "jobs",
    "names": "ways in",
    "session": "sessions",
    "registrar": "services",
    "node": "a role on a loop",
    "sctp": "SCTP",
    "config": "configuration",
    "security": "security",
    "core": "what decides",
}
"""What a floor is called, by its first folder."""
LINE = {"->": ("line", "tip", ""), "=>": ("good", "tip-good", " said-good"), "-x": ("bad", "", " said-bad")}


def _head() -> str:
    """The colours, for light and for dark screens: those of the first drawing, which is made by hand."""
    text = (PICTURES / "pool.svg").read_text("utf-8")
    return text[text.index("  <style>") : text.index('  <rect class="paper"')]


def svg(title: str, height: int, body: list[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
            ' role="img" aria-labelledby="title">',
            f'  <title id="title">{escape(title)}</title>',
            f'{_head()}  <rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
            *body,
            "</svg>\n",
        ]
    )


def label(x: float, y: float, text: str, style: str = "") -> str:
    styled = f' class="{style}"' if style else ""
    return f'  <text{styled} x="{x:g}" y="{y:g}">{escape(text, quote=False)}</text>'


def _cross(x: float, y: float) -> str:
    return f'  <path class="bad" style="stroke-dasharray:none" d="M{x - 8:g} {y - 8:g} l16 16 m0 -16 l-16 16"/>'


def sequence(text: str) -> str:
    """What happens between several, downwards."""
    title, *lines = [line for line in text.splitlines() if line.strip()]
    people = [match.groups() for line in lines if (match := re.match(r"who +(\w+) = (.*) / (.*)", line))]
    place = {name: 90 + index * (WIDTH - 180) / (len(people) - 1) for index, (name, _, _) in enumerate(people)}
    happens = [line for line in lines if not line.startswith("who ")]
    end = dict.fromkeys(place, TOP + STEP * (len(happens) - 1) + 8)
    events: list[str] = []
    for number, line in enumerate(happens):
        y = TOP + STEP * number
        if match := re.fullmatch(r"(\w+) (dies|notes): (.*)", line):
            who, what, said = match.groups()
            events.append(label(place[who] + 18, y + 5, said, "note" if what == "notes" else "said-bad"))
            if what == "dies":
                events.append(_cross(place[who], y))
                end[who] = y
            continue
        match = re.fullmatch(r"(\w+) (->|=>|-x) (\w+): (.*)", line)
        assert match, line
        one, how, other, said = match.groups()
        events += _arrow(place[one], place[other], y, how, said)
    heads = [part for name, called, note in people for part in _person(place[name], end[name], called, note)]
    return svg(title, TOP + STEP * len(happens), heads + events)


def _person(x: float, end: float, called: str, note: str) -> list[str]:
    return [
        f'  <path class="group" d="M{x:g} 66 V{end:g}"/>',
        f'  <rect class="box" x="{x - 70:g}" y="20" width="140" height="46" rx="6"/>',
        label(x, 40, called, "name"),
        label(x, 58, note, "note middle"),
    ]


def _arrow(x: float, to: float, y: float, how: str, said: str) -> list[str]:
    kind, tip, style = LINE[how]
    towards = 1 if to > x else -1
    end = to - towards * (4 if tip else 14)
    marker = f' marker-end="url(#{tip})"' if tip else ""
    return [
        f'  <path class="{kind}"{marker} d="M{x + towards * 4:g} {y:g} H{end:g}"/>',
        label((x + to) / 2, y - 7, said, f"said{style}"),
        *([] if tip else [_cross(to, y)]),
    ]


def floors() -> str:
    """The floors of this package, as C{make layers} checks them."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    layers = setup["importlinter:contract:layers"]["layers"].split("\n")
    body: list[str] = []
    y = 20
    for folders in (re.split(r"\s*\|\s*", line.strip()) for line in layers):
        if folders[0] in ("", "__main__"):
            continue
        if folders == ["core"]:
            body.append(f'  <path class="bad" d="M20 {y + 8} H{WIDTH - 20}"/>')
            body.append(label(WIDTH / 2, y + 28, "no I/O, no clock, no dice below this line", "said-bad middle"))
            y += 40
        body.append(label(24, y + 23, LABELS.get(folders[0], ""), "note"))
        width = (WIDTH - 180) / len(folders)
        for number, folder in enumerate(folders):
            x = 160 + number * width
            body.append(f'  <rect class="box" x="{x:g}" y="{y}" width="{width - 6:g}" height="36" rx="4"/>')
            body.append(label(x + width / 2 - 3, y + 23, folder, "name"))
        y += 42
    return svg("The floors of rserpool: a folder imports from those on floors below its own.", y + 14, body)


def drawings() -> dict[Path, str]:
    """What is drawn from text, and where."""
    made = {text.with_suffix(".svg"): sequence(text.read_text("utf-8")) for text in sorted(PICTURES.glob("*.txt"))}
    return {**made, PICTURES / "floors.svg": floors(), PICTURES / "monitor.svg": screens.drawn()}


if __name__ == "__main__":
    for path, drawn in drawings().items():
        path.write_text(drawn, "utf-8")
