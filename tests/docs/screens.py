"""The drawing of C{rserpool monitor}: made from the text that it shows, of a scope that is made up."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

from rserpool.cli.monitor.entries import Entry, told_elements, told_registrars
from rserpool.cli.monitor.looking import Looking
from rserpool.cli.monitor.picture import Header, Line, Mark
from rserpool.cli.monitor.view import View

COLUMNS, LINES = 80, 24
COLUMN, LINE, LEFT, TOP = 8.8, 18, 28, 34
COLOURS = {
    Mark.PLAIN: "#d6dde4",
    Mark.BOLD: "#ffffff",
    Mark.GOOD: "#5fc088",
    Mark.DOUBTFUL: "#e3b341",
    Mark.BAD: "#ff8178",
    Mark.REVERSE: "#161b22",
}
TITLE = "rserpool monitor: pools, and their elements under them; one was killed, one drains."


def _scope() -> Iterator[Entry]:
    """A registrar with a peer, and two pools."""
    yield from told_registrars(
        [
            {"identifier": "0x5e127a01", "own": True, "state": "ready", "elements": 4, "checksum": "0x91e4"},
            {
                "identifier": "0x0b6c33d2",
                "state": "connected",
                "address": "192.0.2.2:9901",
                "elements": 3,
                "heard": 4.1,
            },
        ]
    )
    kept: tuple[dict[str, Any], ...] = {"reports": 1}, {"removed": True}, {"draining": True, "connections": 3}
    pools = {
        "db": ("priority", 5432, (0x1C9A77E1, 0xA0B3F4C8)),
        "www": ("least-used", 8080, (0x0D41E2B7, 0x2F8C90A3, 0x51E6D70C, 0x77C87EE8, 0x9B46F348, 0xD0574F3E)),
    }
    for pool, (policy, port, identifiers) in pools.items():
        for number, identifier in enumerate(identifiers):
            more = kept[number - 2] if number in (2, 3, 4) else {}
            (entry,) = told_elements(
                [
                    {
                        "pool": pool,
                        "identifier": f"0x{identifier:08x}",
                        "transport": {"protocol": "tcp", "addresses": [f"192.0.2.{10 + number}"], "port": port},
                        "policy": {"name": policy} | ({"load": 0.07 + 0.13 * number} if pool == "www" else {}),
                        "home": "0x5e127a01" if number % 2 else "0x0b6c33d2",
                        "age": 5000.0 + 700 * number,
                        "answered": None if more.get("removed") else 0.3 + 0.2 * number,
                        "delay": None if more.get("removed") else 0.0011 + 0.0004 * number,
                        **more,
                    }
                ]
            )
            yield entry


def monitor() -> list[Line]:
    """What somebody sees who has looked closer at an element."""
    looking = Looking(View(sort="load"))
    header = Header("registrar 0x5e127a01 at /run/rserpool/registrar.sock; reports at 127.0.0.1:2960")
    looking.see(list(_scope()), header)
    size = COLUMNS, LINES - 4
    looking.lines(size)
    for key in ("end", "up", "up", "up", "enter"):
        looking.press(key, size)
        looking.lines(size)
    return looking.lines(size)


def drawn() -> str:
    """The drawing."""
    lines = monitor()
    width, height = 2 * LEFT + COLUMNS * COLUMN, TOP + len(lines) * LINE
    body: list[str] = []
    for number, line in enumerate(lines):
        column, y = 0, TOP + number * LINE
        for text, mark in line:
            x = LEFT + column * COLUMN
            column += len(text)
            if mark is Mark.REVERSE:
                box = f'x="{x:g}" y="{y - 14}" width="{len(text) * COLUMN:g}" height="{LINE}"'
                body.append(f'  <rect {box} fill="{COLOURS[Mark.PLAIN]}"/>')
            if text.strip():
                start = len(text) - len(text.lstrip())
                text = text.strip()
                place = f'x="{x + start * COLUMN:g}" y="{y}" textLength="{len(text) * COLUMN:g}"'
                weight = ' font-weight="700"' if mark in (Mark.BOLD, Mark.BAD) else ""
                body.append(f'  <text {place} fill="{COLOURS[mark]}"{weight}>{escape(text, quote=False)}</text>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height}" width="{width:g}"'
            f' height="{height}" role="img" aria-labelledby="title" xml:space="preserve"',
            '  font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">',
            f'  <title id="title">{escape(TITLE)}</title>',
            f'  <rect width="{width:g}" height="{height}" rx="8" fill="#161b22"/>',
            *body,
            "</svg>\n",
        ]
    )
