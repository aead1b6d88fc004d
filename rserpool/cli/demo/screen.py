"""What the demonstration shows: a picture that is redrawn on a terminal, and lines anywhere else."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from rserpool.cli.demo.traffic import DEADLINE, Requests
from rserpool.cli.terminal import COLUMNS, DrawnOver, too_small

WIDTH = 20
"""The longest bar: a line has less than 80 columns."""
EVENTS = 5
"""So many events are shown: the picture has less than 24 lines."""
LEGEND = (
    "  ns-: registrars, who know who serves.  web-: servers.  home: the registrar",
    "  that watches over a server.  in pool: users are told of it.  repeated: asked",
    f"  again at another server.  lost: no answer in {DEADLINE:g} s.  wait: for the next page.",
)


@dataclass
class Row:
    """One process of the demonstration, a registrar or a server.

    @ivar state: C{"starting"}, C{"serves"}, C{"draining"}, C{"killed"}, C{"frozen"}, C{"stopped"}.
    @ivar home: a server's home registrar.
    @ivar listed: whether a server is in the pool.
    """

    name: str
    identifier: int
    pid: int = 0
    state: str = "starting"
    home: str = ""
    listed: bool = False

    @property
    def serves(self) -> bool:
        """Whether it is a server."""
        return self.name.startswith("web")


class Screen:
    """Shows servers, requests and events."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._shown = DrawnOver(out)
        self._terminal = out.isatty()
        self._small = bool(too_small(out))
        self._start = time.monotonic()
        self._now = "Everything is being started."
        self._events: list[str] = []
        self._last = 0.0
        self._before: dict[int, int] = {}
        self._legend = False

    @property
    def error(self) -> OSError | None:
        """Why nothing can be shown any more."""
        return self._shown.error

    @property
    def _live(self) -> bool:
        """Whether there is a picture."""
        return self._terminal and not self._small

    def tell(self, sentence: str) -> None:
        """Say what happens next."""
        self._now = sentence
        if not self._live:
            self._shown.print("", *textwrap.wrap(f"NOW: {sentence}", COLUMNS - 1))

    def event(self, text: str) -> None:
        """Tell of something that happened, with the seconds since the start."""
        line = f"{time.monotonic() - self._start:6.2f} s  {text}"
        self._events.append(line)
        del self._events[:-EVENTS]
        if not self._live:
            self._shown.print(line)

    def draw(self, rows: Sequence[Row], requests: Requests) -> None:
        """Show how things stand: redrawn on a terminal, one line a second elsewhere."""
        now = time.monotonic()
        small = too_small(self._out) if self._terminal else ""
        if small and not self._small:
            self._shown.print("", small)
        self._small = bool(small)
        if not self._live:
            if not self._legend:
                self._legend = True
                self._shown.print(*LEGEND)
            if now - self._last >= 1.0 and requests.answered:
                self._last = now
                self._shown.print(f"{now - self._start:6.2f} s  {self._line(rows, requests)}")
            return
        lines = [line[: COLUMNS - 1] for line in self._picture(rows, requests)]
        self._shown.draw(lines)

    def close(self, rows: Sequence[Row], requests: Requests, lines: Sequence[str]) -> None:
        """The table for the last time, and what came of it all."""
        if self._live:
            self.draw(rows, requests)
        else:
            self._shown.print("", *self._table(rows, requests), self._totals(requests))
        self._shown.print("", *lines)

    def _line(self, rows: Sequence[Row], requests: Requests) -> str:
        parts = []
        for row in filter(lambda row: row.serves, rows):
            served = requests.served.get(row.identifier, 0)
            if row.listed or served > self._before.get(row.identifier, 0):
                parts.append(f"{row.name} {served}")
        self._before = dict(requests.served)
        return f"served: {', '.join(parts) or '-'}; {self._totals(requests).strip()}"

    def _picture(self, rows: Sequence[Row], requests: Requests) -> list[str]:
        seconds = time.monotonic() - self._start
        title = f"The pool www after {seconds:.0f} s: {sum(row.listed for row in rows)} servers in it"
        sentence = textwrap.wrap(f"NOW: {self._now}", COLUMNS - 1)[:2]
        return [
            f"{title:<62}Ctrl-C ends this",
            *self._table(rows, requests),
            self._totals(requests),
            *LEGEND,
            "",
            *(sentence + ["", ""])[:2],
            "",
            *(self._events + [""] * EVENTS)[:EVENTS],
        ]

    @staticmethod
    def _totals(requests: Requests) -> str:
        return (
            f"  answered {requests.answered}   repeated {requests.repeated}   lost {requests.lost}   "
            f"longest wait {requests.gap * 1000:.0f} ms"
        )

    @staticmethod
    def _table(rows: Sequence[Row], requests: Requests) -> list[str]:
        most = max([1, *requests.served.values()])
        lines = [f"  {'':<8}{'process':<9}{'state':<10}{'home':<7}{'in pool':<9}answered"]
        for row in rows:
            line = f"  {row.name:<8}{row.pid or '-':<9}{row.state:<10}"
            if row.serves:
                served = requests.served.get(row.identifier, 0)
                bar = "#" * round(WIDTH * served / most)
                home = row.home if row.state in ("serves", "draining") else ""
                line += f"{home or '-':<7}{'yes' if row.listed else 'no':<9}{served:>8} {bar}"
            lines.append(line.rstrip())
        return lines
