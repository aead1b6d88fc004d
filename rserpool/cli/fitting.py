"""Tables that fit so many columns: what has a shorter form takes that first, and then what is longest is cut."""

from __future__ import annotations

from collections.abc import Sequence

SHORTEST = 12
"""A column is not made narrower than this by cutting."""
BETWEEN = 2
"""Columns between two cells."""


class Cell(str):
    """A cell that says how it is made shorter.

    @ivar short: what may stand instead.
    @ivar kept: so many characters at its end are kept where it is cut: a port, for example.
    """

    short: str
    kept: int

    def __new__(cls, text: str, short: str | None = None, kept: int = 0) -> Cell:
        cell = super().__new__(cls, text)
        cell.short, cell.kept = text if short is None else short, kept
        return cell


def fitted(rows: Sequence[Sequence[str]], width: int) -> list[list[str]]:
    """The same cells, so that a row fits: whole columns in their short forms, and then the longest of them cut."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    while _width(columns) > width:
        gains = [_longest(column) - _longest(_shortened(column)) for column in columns]
        if max(gains, default=0) <= 0:
            break
        most = gains.index(max(gains))
        columns[most] = _shortened(columns[most])
    widths = list(map(_longest, columns))
    while sum(widths) + BETWEEN * (len(widths) - 1) > width and max(widths) > SHORTEST:
        widths[widths.index(max(widths))] -= 1
    cut = [[_cut(cell, most) for cell in column] for column, most in zip(columns, widths, strict=True)]
    return [list(row) for row in zip(*cut, strict=True)]


def _width(columns: Sequence[Sequence[str]]) -> int:
    return sum(map(_longest, columns)) + BETWEEN * (len(columns) - 1)


def _longest(column: Sequence[str]) -> int:
    return max(map(len, column))


def _shortened(column: Sequence[str]) -> list[str]:
    return [Cell(cell.short, kept=cell.kept) if isinstance(cell, Cell) else cell for cell in column]


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    kept = min(text.kept, most - 2) if isinstance(text, Cell) else 0
    return f"{text[: most - 2 - kept]}..{text[len(text) - kept :]}"
