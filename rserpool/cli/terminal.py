"""What draws on a terminal needs: its size, how many columns a text takes, and pictures drawn over and over."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from typing import TextIO

COLUMNS, LINES = 80, 24
"""So large is a picture, and a terminal that does not say how large it is."""


def size(out: TextIO) -> tuple[int, int] | None:
    """The columns and lines of a terminal; None if this is none."""
    try:
        found = os.get_terminal_size(out.fileno())
    except (OSError, ValueError):
        return None
    # Terminals that nobody has told their size say 0.
    return found.columns or COLUMNS, found.lines or LINES


def too_small(out: TextIO) -> str:
    """What is wrong with the size of this terminal; nothing if it will do, or is none."""
    found = size(out)
    if found is None or (found[0] >= COLUMNS and found[1] >= LINES):
        return ""
    return (
        f"This terminal has {found[0]} columns and {found[1]} lines; the picture needs {COLUMNS} and {LINES}. "
        "Until it is larger, you read lines instead."
    )


def width(text: str) -> int:
    """How many columns a text takes: characters of East Asia take two, and marks above others none."""
    return len(text) if text.isascii() else sum(map(_width, text))


def cut(text: str, columns: int) -> str:
    """As much of a text as so many columns hold."""
    if text.isascii():
        return text[: max(0, columns)]
    for place, char in enumerate(text):
        columns -= _width(char)
        if columns < 0:
            return text[:place]
    return text


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


class DrawnOver:
    """Lines below those that the terminal shows already; the next ones take their place.

    @ivar error: why nothing can be shown any more: whoever read it had enough, or the disk is full.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._drawn = 0
        self.error: OSError | None = None

    def draw(self, lines: Iterable[str]) -> None:
        """Show this in place of what was drawn last."""
        lines = list(lines)
        if self._drawn:
            self._write(f"\x1b[{self._drawn}F\x1b[J")
        self.print(*lines)
        self._drawn = len(lines)

    def print(self, *lines: str) -> None:
        """Show lines that stay."""
        self._drawn = 0
        self._write("".join(f"{line}\n" for line in lines))

    def _write(self, text: str) -> None:
        if self.error is None:
            try:
                print(text, end="", file=self._out, flush=True)
            except OSError as error:
                self.error = error
