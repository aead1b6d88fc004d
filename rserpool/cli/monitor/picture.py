"""The text of what somebody looks at, line by line, with how each part is marked. Marks are colours, and say nothing
that a word does not say, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from typing import TypeAlias

from rserpool.cli.monitor.components import short_time
from rserpool.cli.monitor.entries import POOLS, REGISTRARS, USERS, Entry, Mood
from rserpool.cli.monitor.view import INDENT, RANK, Row, Rows, View
from rserpool.cli.terminal import cut, width
from rserpool.core.frozen import frozen

KINDS = ("tcp", "udp", "sctp")
CHROME = 4
"""Lines that are no rows: two of a header, the headings of columns, and one below."""
LEFT = "  {name:<11} {state:<11} {load:>4} {heard:>6} {uptime:>6}  "
NAMES = 27
"""Columns up to the load."""
HEADINGS = LEFT.format(name="  ELEMENT", state=" STATE", load="LOAD", heard="HEARD", uptime="UP") + "WHERE, AND MORE"
KEYS = "? help  q quit  / filter  s sort  Enter fold"
HELP = """\
up down k j            one line                   Home End g G   first, last
PgUp PgDn b Space      one page
Enter                  fold or unfold a pool; all that is known of an element
left right h l         fold, unfold
- +                    fold all, unfold all
a                      all that is known of everybody, associations too
s S                    sort by the next, the one before: name, state, load,
                       heard, uptime, where; the worst and largest come first
r                      the other way round
/                      show only those in whose line a text stands; Enter keeps
                       it, Esc ends it
q                      quit

STATE   of elements: registered, registering, reported (by users, as
        unreachable), draining, evicted, removed, refused; silent (no report
        comes any more), gone (it said goodbye)
HEARD   since it answered the registrar, or reported to this monitor
UP      since it started, or was registered
MORE    5.0 ms: so long its last answer took; home: its home registrar;
        what has no room in a line is seen with Enter
Any key goes back.
"""


class Mark(Enum):
    """How a part of a line is shown."""

    PLAIN = auto()
    BOLD = auto()
    REVERSE = auto()
    GOOD = auto()
    DOUBTFUL = auto()
    BAD = auto()


MOODS = {Mood.GOOD: Mark.GOOD, Mood.DOUBTFUL: Mark.DOUBTFUL, Mood.BAD: Mark.BAD}
Line: TypeAlias = Sequence[tuple[str, Mark]]


@frozen
class Header:
    """What stands above the list.

    @ivar sources: where it comes from.
    @ivar trouble: what is wrong with that; empty if nothing is.
    """

    sources: str
    trouble: str = ""


def picture(view: View, header: Header, everybody: Sequence[Entry], rows: Rows, size: tuple[int, int]) -> list[Line]:
    """The whole screen.

    @param everybody: all entries, whatever is filtered.
    @param rows: those of L{laid<rserpool.cli.monitor.view.laid>}, for which the view is settled.
    @param size: columns and lines.
    @return: no more lines than that, and none with more columns.
    """
    columns, height = size
    room = room_of(height)
    lines: list[Line] = [
        [("rserpool monitor  ", Mark.BOLD), *counts(everybody)],
        [(header.trouble, Mark.BAD)] if header.trouble else [(header.sources, Mark.PLAIN)],
    ]
    if view.help:
        body = [[(line, Mark.PLAIN)] for line in HELP.splitlines()]
        lines = [*lines, [("KEYS".ljust(columns), Mark.REVERSE)], *body]
    else:
        lines.append([(HEADINGS.ljust(columns), Mark.REVERSE)])
        there = rows[view.top : view.top + room]
        for number, row in enumerate(there, view.top):
            on_it = [(" " * columns, Mark.REVERSE)] if number == view.place else []
            lines.append([*line(row, view, number == view.place, columns), *on_it])
        if not rows:
            lines.append([(nobody(view, everybody), Mark.PLAIN)])
        lines += [[]] * (room - max(1, len(there)))
        lines.append(_footer(view, rows, room))
    return [fitted(each, columns) for each in lines[:height]]


def room_of(height: int) -> int:
    """How many rows fit on so many lines."""
    return max(1, height - CHROME)


def counts(everybody: Iterable[Entry]) -> Line:
    """How many there are of each kind, and how many of them are not well."""
    kinds: Counter[str] = Counter()
    moods: Counter[Mood] = Counter()
    pools = set()
    for entry in everybody:
        group = entry.group
        kinds[group.title if group in (REGISTRARS, USERS) else "others" if group.rank > USERS.rank else "elements"] += 1
        if group.rank == POOLS:
            pools.add(group)
            moods[entry.mood] += 1
    number = {"registrars": kinds["registrars"], "pools": len(pools), "elements": kinds["elements"]}
    text = "  ".join(f"{many:,} {what if many != 1 else what[:-1]}" for what, many in number.items())
    parts: list[tuple[str, Mark]] = [(text, Mark.PLAIN)]
    for mood in (Mood.BAD, Mood.DOUBTFUL):
        if moods[mood]:
            parts.append((f", {moods[mood]:,} {mood.value}", MOODS[mood]))
    for what in ("users", "others"):
        if kinds[what]:
            parts.append((f"  {kinds[what]:,} {what if kinds[what] != 1 else what[:-1]}", Mark.PLAIN))
    return parts


def line(row: Row, view: View, cursor: bool = False, columns: int | None = None) -> Line:
    """One row; the cursor is a sign at its beginning, and reversed.

    @param columns: what has no room there is left out as a whole, and stands in the details; None for no end.
    """
    sign, plain = (">", Mark.REVERSE) if cursor else (" ", Mark.PLAIN)
    entry = row.entry
    if row.detail is not None:
        return [(sign + " " * (INDENT - 1) + row.detail, plain)]
    if entry is None:
        return _heading(row, view, sign, cursor)
    cells = LEFT.format(
        name="",
        state="",
        load="-" if entry.load is None else f"{entry.load:.0%}",
        heard="-" if entry.heard is None else short_time(entry.heard),
        uptime="-" if entry.uptime is None else short_time(entry.uptime),
    )[NAMES - 2 :]
    room = None if columns is None else columns - NAMES + 2 - len(cells)
    name = f"{sign}   {entry.name:<10} "
    return [
        (name, plain),
        (entry.state.ljust(NAMES - 2 - len(name)), Mark.REVERSE if cursor else MOODS[entry.mood]),
        (cells + _more(entry, room), plain),
    ]


def _more(entry: Entry, room: int | None) -> str:
    """Where it is, and what else there is to say, in so many columns: each of them whole, but for the first."""
    says = entry.says.split(", ") if entry.says else []
    where = [entry.where] if entry.where else []
    pooled = entry.group.rank in (POOLS, POOLS + 1)

    def laid() -> list[str]:
        return [*where, *says] if pooled else [*says, *where]

    def fits(parts: list[str]) -> bool:
        return room is None or width(", ".join(parts)) <= room

    if pooled and not fits(laid()):
        # What is least looked for goes first: how long an answer took, and the transport, as it is that of the pool.
        says = [part for part in says if not part.endswith(" ms")]
        if where and not fits(laid()):
            kind, _, address = where[0].partition(" ")
            where = [address if kind in KINDS else where[0]]
    parts = laid()
    while len(parts) > 1 and not fits(parts):
        parts.pop()
    return ", ".join(parts)


def _heading(row: Row, view: View, sign: str, cursor: bool) -> Line:
    worst_first = sorted(row.members, key=lambda entry: -RANK[entry.mood])
    worst = worst_first[0].mood
    states = Counter(entry.state for entry in worst_first if entry.mood is not Mood.GOOD)
    number = len(row.members)
    many = f"{number:,}" if row.group.rank != POOLS else f"{number:,} element{'' if number == 1 else 's'}"
    many += next((f", {entry.policy}" for entry in row.members if entry.policy), "")
    fold = "+" if row.group in view.folded else "-"
    bad = "".join(f", {count:,} {state}" for state, count in states.items())
    mark = Mark.REVERSE if cursor else Mark.BOLD
    return [(f"{sign} {fold} {row.group.title}  {many}", mark), (bad, Mark.REVERSE if cursor else MOODS[worst])]


def nobody(view: View, everybody: Sequence[Entry]) -> str:
    """Why there are no rows."""
    text = view.text if view.typing is None else view.typing
    if everybody:
        return f"{text!r} is in the line of none of {len(everybody):,}."
    return "Nobody has reported yet: start registrars, elements and users with --csp-server, or name --admin."


def _footer(view: View, rows: Rows, room: int) -> Line:
    if view.typing is not None:
        return [("/" + view.typing, Mark.BOLD), ("_", Mark.REVERSE), ("  Enter keeps it, Esc ends it", Mark.PLAIN)]
    last = min(len(rows), view.top + room)
    order = f"by {view.sort}{', backwards' if view.backwards else ''}"
    text = f"{view.top + 1 if rows else 0}-{last} of {len(rows)}  {order}  "
    filtered = [(f"filter: {view.text}  ", Mark.DOUBTFUL)] if view.text else []
    return [(text, Mark.BOLD), *filtered, (KEYS, Mark.PLAIN)]


def fitted(parts: Line, columns: int) -> Line:
    """As much of a line as fits."""
    left, result = columns, []
    for text, mark in parts:
        text = cut(text, left)
        left -= width(text)
        if text:
            result.append((text, mark))
    return result


def plain_lines(view: View, rows: Rows) -> list[str]:
    """All of it without marks, as a table."""
    return [HEADINGS.rstrip(), *("".join(text for text, _ in line(row, view)).rstrip() for row in rows)]
