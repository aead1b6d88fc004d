"""What the demonstration shows: a picture that is redrawn on a terminal, and lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TextIO

from rserpool.cli.demo.traffic import Requests

WIDTH = 15
"""The longest bar: a line has less than 80 columns."""
EVENTS = 10
"""So many events are shown: the picture has less than 24 lines."""


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
    """Shows servers, requests and events.

    @ivar error: why nothing can be shown any more: whoever read it had enough, or the disk is full.
    @ivar lost: called when that is so.
    """

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._live = out.isatty()
        self._start = time.monotonic()
        self._events: list[str] = []
        self._drawn = 0
        self._last = 0.0
        self._before: dict[int, int] = {}
        self.error: OSError | None = None
        self.lost: Callable[[], object] = lambda: None

    def event(self, text: str) -> None:
        """Tell of something that happened, with the seconds since the start."""
        line = f"{time.monotonic() - self._start:6.2f} s  {text}"
        if self._live:
            self._events.append(line)
        else:
            self._print(line)

    def _print(self, *lines: str, end: str = "\n") -> None:
        if self.error is not None:
            return
        try:
            print(*lines, sep="\n", end=end, file=self._out, flush=True)
        except OSError as error:
            self.error = error
            self.lost()

    def draw(self, rows: Sequence[Row], requests: Requests) -> None:
        """Show how things stand: redrawn on a terminal, one line a second elsewhere."""
        now = time.monotonic()
        if not self._live:
            if now - self._last >= 1.0:
                self._last = now
                self._print(f"{now - self._start:6.2f} s  {self._line(rows, requests)}")
            return
        lines = [*self._picture(rows, requests), "", *self._events[-EVENTS:]]
        if self._drawn:
            self._print(f"\x1b[{self._drawn}F\x1b[J", end="")
        self._print(*lines)
        self._drawn = len(lines)

    def summary(self, rows: Sequence[Row], requests: Requests, figures: Sequence[tuple[str, str]]) -> None:
        """The table for the last time, and the figures, each a name and a value."""
        self._print("", *self._table(rows, requests), "", *(f"  {name:<52}{value}" for name, value in figures))

    def _line(self, rows: Sequence[Row], requests: Requests) -> str:
        parts = []
        for row in filter(lambda row: row.serves, rows):
            served = requests.served.get(row.identifier, 0)
            if row.listed or served > self._before.get(row.identifier, 0):
                parts.append(f"{row.name} {served}")
        self._before = dict(requests.served)
        return (
            f"served: {', '.join(parts) or '-'}; answered {requests.answered}, repeated {requests.repeated}, "
            f"lost {requests.lost}, longest gap {requests.gap * 1000:.0f} ms"
        )

    def _picture(self, rows: Sequence[Row], requests: Requests) -> list[str]:
        seconds = time.monotonic() - self._start
        return [
            f"pool www, {seconds:.1f} s: {sum(row.listed for row in rows)} elements registered",
            *self._table(rows, requests),
            f"  answered {requests.answered}   repeated {requests.repeated}   lost {requests.lost}   "
            f"longest gap {requests.gap * 1000:.0f} ms",
        ]

    @staticmethod
    def _table(rows: Sequence[Row], requests: Requests) -> list[str]:
        most = max([1, *requests.served.values()])
        lines = [f"  {'':<8}{'identifier':<12}{'process':<9}{'state':<10}{'home':<7}{'in pool':<9}requests"]
        for row in rows:
            if not row.serves:
                lines.append(f"  {row.name:<8}0x{row.identifier:08x}  {row.pid or '-':<9}{row.state:<10}")
                continue
            served = requests.served.get(row.identifier, 0)
            bar = "#" * round(WIDTH * served / most)
            lines.append(
                f"  {row.name:<8}0x{row.identifier:08x}  {row.pid or '-':<9}{row.state:<10}"
                f"{row.home or '-':<7}{'yes' if row.listed else 'no':<9}{served:>6} {bar}"
            )
        return lines
