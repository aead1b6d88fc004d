"""Pools and pool elements, as people and programs read them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, TextIO

from rserpool.core.described import element_json as element_json
from rserpool.core.described import identifier_text as identifier_text
from rserpool.core.described import policy_name as policy_name
from rserpool.core.described import policy_text as policy_text
from rserpool.core.described import policy_values as policy_values
from rserpool.core.user.places import place
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL, PoolElementParameter


class Lines:
    """A line for each thing that happens, with its time: for people, or a JSON object.

    @param clock: seconds since 1970.
    """

    def __init__(self, out: TextIO, as_json: bool, clock: Callable[[], float]) -> None:
        self._out = out
        self._json = as_json
        self._clock = clock

    def show(self, text: str, **fields: Any) -> None:
        """Print it.

        @param text: for people.
        @param fields: for JSON.
        """
        now = datetime.fromtimestamp(self._clock()).astimezone()
        if self._json:
            line = json.dumps({"time": now.isoformat(timespec="milliseconds"), **fields})
        else:
            line = f"{now:%H:%M:%S}.{now.microsecond // 1000:03d} {text}"
        print(line, file=self._out, flush=True)


HEADING = ("ELEMENT", "TRANSPORT", "POLICY", "HOME")


def row(element: PoolElementParameter) -> tuple[str, ...]:
    """The cells of an element, under L{HEADING}."""
    where = place(element)
    if element.user_transport.use == DATA_PLUS_CONTROL:
        where += " +control"
    return identifier_text(element.identifier), where, policy_text(element.policy), identifier_text(element.home)


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Rows as lines with aligned columns; all rows have as many cells."""
    rows = list(rows)
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip() for cells in rows]
