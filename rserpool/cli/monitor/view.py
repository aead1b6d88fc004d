"""What somebody looks at, and what keys change of it: what is sorted, filtered, folded, and where the cursor stands.

Nothing here touches a terminal: keys and entries go in, rows come out. L{rserpool.cli.monitor.picture} has their text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import field, replace
from typing import Any, TypeAlias

from rserpool.cli.monitor.entries import Entry, Group, Key, Mood
from rserpool.core.frozen import frozen

RANK = {Mood.GOOD: 0, Mood.DOUBTFUL: 1, Mood.BAD: 2}
SORTS: dict[str, Callable[[Entry], Any]] = {
    "name": lambda entry: 0,
    "state": lambda entry: (-RANK[entry.mood], entry.state),
    "load": lambda entry: 1.0 if entry.load is None else -entry.load,
    "heard": lambda entry: 1.0 if entry.heard is None else -entry.heard,
    "uptime": lambda entry: 1.0 if entry.uptime is None else -entry.uptime,
    "where": lambda entry: entry.where,
}
"""What the entries of a group are sorted by: the worst and largest first, and those that are equal by their names."""
INDENT = 6
"""Columns before what is told of an entry below it."""


@frozen
class View:
    """What somebody looks at.

    @ivar sort: a key of L{SORTS}.
    @ivar text: what has to stand in an entry.
    @ivar typing: what is typed as the next such text; None while nothing is.
    @ivar folded: groups of which the headings alone are seen.
    @ivar opened: entries of which all is seen.
    @ivar all_opened: whether all is seen of all.
    @ivar cursor: the row with the cursor, and its place among the rows; the place is what counts where the row is gone.
    @ivar top: the place of the first row on the screen.
    @ivar help: whether the keys are explained instead.
    """

    sort: str = "name"
    backwards: bool = False
    text: str = ""
    typing: str | None = None
    folded: frozenset[Group] = frozenset()
    opened: frozenset[Key] = frozenset()
    all_opened: bool = False
    cursor: RowKey | None = None
    place: int = 0
    top: int = 0
    help: bool = False


@frozen
class Row:
    """A line of the list: the heading of a group, an entry, or something that is told of it.

    @ivar members: those of a group that are seen, in its heading.
    @ivar entry: None in a heading.
    @ivar detail: what is told; None in the line of an entry.
    @ivar number: which of the lines about an entry it is.
    """

    group: Group
    members: Sequence[Entry] = ()
    entry: Entry | None = None
    detail: str | None = None
    number: int = 0

    @property
    def key(self) -> RowKey:
        """Which row it is."""
        return self.group, "" if self.entry is None else self.entry.name, self.number


RowKey: TypeAlias = tuple[Group, str, int]
Rows: TypeAlias = Sequence[Row]


def laid(view: View, entries: Iterable[Entry], columns: int = 80) -> list[Row]:
    """The rows that there are, from the first to the last."""
    text = (view.text if view.typing is None else view.typing).casefold()
    groups: dict[Group, list[Entry]] = {}
    for entry in entries:
        if not text or entry.has(text):
            groups.setdefault(entry.group, []).append(entry)
    order = sorted(groups)
    if view.sort == "state":
        order.sort(key=lambda group: (group.rank, -max(RANK[entry.mood] for entry in groups[group])))
    rows: list[Row] = []
    for group in order:
        members = sorted(groups[group], key=lambda entry: entry.name)
        members.sort(key=SORTS[view.sort])
        if view.backwards:
            members.reverse()
        rows.append(Row(group, members))
        if group not in view.folded:
            rows += [row for entry in members for row in _of_entry(view, group, entry, columns)]
    return rows


def _of_entry(view: View, group: Group, entry: Entry, columns: int) -> list[Row]:
    rows = [Row(group, entry=entry)]
    if view.all_opened or entry.key in view.opened:
        lines = (line for each in entry.details() for line in _wrapped(each, max(20, columns - INDENT)))
        rows += [Row(group, (), entry, line, number) for number, line in enumerate(lines, 1)]
    return rows


def _wrapped(text: str, columns: int) -> list[str]:
    return [text] if len(text) <= columns else textwrap.wrap(text, columns)


def settled(view: View, rows: Rows, room: int) -> View:
    """The same, with its cursor on a row that there is, and that row on the screen.

    The row with the cursor stays where it is on the screen when others come and go before it.

    @param room: so many rows are on the screen.
    """
    last = len(rows) - 1
    place = min(view.place, max(0, last))
    if view.cursor is not None:
        place = next((number for number, row in enumerate(rows) if row.key == view.cursor), place)
    top = view.top + place - view.place
    top = min(max(top, place - room + 1), place)
    top = max(0, min(top, last + 1 - room))
    # Who has not moved sees what comes first.
    cursor = rows[place].key if rows and (place or view.cursor) else None
    return replace(view, cursor=cursor, place=place, top=top)


@frozen
class Pressed:
    """A key, and on what it was pressed.

    @ivar rows: those of L{laid}, for which the view is L{settled}.
    """

    view: View
    rows: Rows
    room: int = field(default=20)

    @property
    def row(self) -> Row | None:
        """The one with the cursor."""
        return self.rows[self.view.place] if self.rows else None

    def to(self, place: int) -> View:
        """The cursor on another row."""
        place = max(0, min(place, len(self.rows) - 1))
        view = replace(self.view, cursor=self.rows[place].key if self.rows else None, place=place)
        return settled(replace(view, top=self.view.top), self.rows, self.room)

    def by(self, step: int) -> View:
        """The cursor so many rows further."""
        return self.to(self.view.place + step)

    def fold(self) -> View:
        """Close what the cursor is in: an entry, or else its group."""
        view, row = self.view, self.row
        if row is None:
            return view
        if row.entry is not None and row.entry.key in view.opened:
            closed = replace(view, opened=view.opened - {row.entry.key}, cursor=(row.group, row.entry.name, 0))
            return replace(closed, place=view.place - row.number, top=view.top)
        heading = next(number for number, each in enumerate(self.rows) if each.key == (row.group, "", 0))
        return replace(self.to(heading), folded=view.folded | {row.group})

    def unfold(self) -> View:
        """Open what the cursor is on."""
        view, row = self.view, self.row
        if row is None:
            return view
        if row.entry is None:
            return replace(view, folded=view.folded - {row.group})
        return replace(view, opened=view.opened | {row.entry.key})

    def turn(self) -> View:
        """Open it if it is closed, and the other way round."""
        row, view = self.row, self.view
        if row is None:
            return view
        opened = row.group not in view.folded if row.entry is None else row.entry.key in view.opened
        return self.fold() if opened else self.unfold()

    def fold_all(self) -> View:
        """Headings alone; the cursor on that of its group."""
        row, view = self.row, self.view
        cursor = None if row is None else (row.group, "", 0)
        return replace(view, folded=frozenset(each.group for each in self.rows), opened=frozenset(), cursor=cursor)

    def sort(self, step: int) -> View:
        """By what comes next."""
        names = list(SORTS)
        return replace(self.view, sort=names[(names.index(self.view.sort) + step) % len(names)])


KEYS: dict[str, Callable[[Pressed], View]] = {
    "up": lambda on: on.by(-1),
    "down": lambda on: on.by(1),
    "pageup": lambda on: on.by(1 - on.room),
    "pagedown": lambda on: on.by(on.room - 1),
    "home": lambda on: on.to(0),
    "end": lambda on: on.to(len(on.rows) - 1),
    "left": Pressed.fold,
    "right": Pressed.unfold,
    "enter": Pressed.turn,
    "-": Pressed.fold_all,
    "+": lambda on: replace(on.view, folded=frozenset()),
    "a": lambda on: replace(on.view, all_opened=not on.view.all_opened),
    "s": lambda on: on.sort(1),
    "S": lambda on: on.sort(-1),
    "r": lambda on: replace(on.view, backwards=not on.view.backwards),
    "/": lambda on: replace(on.view, typing=on.view.text, folded=frozenset()),
    "escape": lambda on: replace(on.view, text=""),
    "?": lambda on: replace(on.view, help=True),
}
ALIASES = {
    "k": "up", "j": "down", "h": "left", "l": "right", "g": "home", "G": "end", " ": "pagedown", "b": "pageup",
    "f1": "?", "f3": "/", "f4": "/", "f6": "s", "f10": "q",
}  # fmt: skip
"""Keys that do the same: those of vi and less, and of htop."""
QUIT = "q"


def pressed(view: View, key: str, rows: Rows, room: int) -> View | None:
    """What is looked at after a key.

    @param key: a character, or a name of L{KEYS}, C{backspace} too.
    @param rows: what is looked at, for which the view is L{settled}.
    @return: None where that is the end.
    """
    if view.typing is not None:
        return _typed(view, key)
    key = ALIASES.get(key, key)
    if view.help:
        return replace(view, help=False)
    if key == QUIT:
        return None
    does = KEYS.get(key)
    return view if does is None else does(Pressed(view, rows, room))


def _typed(view: View, key: str) -> View:
    typing = view.typing or ""
    if key == "enter":
        return replace(view, text=typing, typing=None)
    if key == "escape":
        return replace(view, text="", typing=None)
    if key == "backspace":
        # As in less: once more than there are characters, and it is over.
        return replace(view, typing=typing[:-1]) if typing else replace(view, text="", typing=None)
    if key == "clear":
        return replace(view, typing="")
    return replace(view, typing=typing + key) if len(key) == 1 and key.isprintable() else view
