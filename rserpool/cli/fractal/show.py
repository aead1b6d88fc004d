"""What C{rserpool fractal} shows: the picture on a terminal, lines anywhere else."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import TextIO

from rserpool.cli.fractal.picture import Picture, of_256, palette_of
from rserpool.cli.terminal import DrawnOver, too_small

PICTURE = 76, 18
"""Columns and lines of the picture."""
EVENTS = 3


class Show:
    """Shows a picture in the making."""

    def __init__(self, out: TextIO, picture: Picture, tiles: int) -> None:
        self._shown = DrawnOver(out)
        self._picture = picture
        self._tiles = tiles
        self._live = out.isatty() and not too_small(out)
        self._began = time.monotonic()
        self._events: list[str] = []
        self._told = -1

    @property
    def error(self) -> OSError | None:
        """Why nothing can be shown any more."""
        return self._shown.error

    def event(self, text: str) -> None:
        """Something happened."""
        line = f"{time.monotonic() - self._began:6.2f} s  {text}"
        self._events.append(line)
        del self._events[:-EVENTS]
        if not self._live:
            self._shown.print(line)

    def draw(self, workers: Iterable[int]) -> None:
        """How far it is now."""
        made = len(self._picture.made)
        if not self._live:
            tenth = 10 * made // self._tiles
            if tenth > max(self._told, 0):
                self.event(f"{made} of {self._tiles} tiles are there")
            self._told = tenth
            return
        by = Counter(worker for _, worker in self._picture.made.values())
        alive = set(workers)
        counts = "  ".join(
            f"{_block(worker)} {worker}{'' if worker in alive else ' killed'}: {by[worker]}"
            for worker in sorted({*by, *alive})
        )
        lines = [
            *self._picture.lines(*PICTURE),
            f"{made} of {self._tiles} tiles. Tiles by worker:  {counts}",
            *self._events,
        ]
        self._shown.draw(lines)

    def close(self, workers: Iterable[int], lines: Iterable[str]) -> None:
        """The picture for the last time, and what came of it."""
        if self._live:
            self.draw(workers)
        self._shown.print("", *lines)


def _block(worker: int) -> str:
    return f"\x1b[38;5;{of_256(palette_of(worker)[120])}m██\x1b[0m"
