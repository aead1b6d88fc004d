"""Objects in the order of their names, as SNMP walks them (RFC 2741 section 7.2.3): tables of one moment."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Final

from rserpool.admin.agentx.wire import Oid, SearchRange, Syntax, Value

NO_OBJECT: Final = Value(Syntax.NO_SUCH_OBJECT)
NO_INSTANCE: Final = Value(Syntax.NO_SUCH_INSTANCE)
END: Final = Value(Syntax.END_OF_MIB)


class Table:
    """Rows of one kind.

    @param entry: the name of its entry: a column and an index come behind it.
    @param first: its first column.
    @param rows: for each index the values from this column on; None where a row has none.
    """

    def __init__(self, entry: Oid, first: int, columns: int, rows: Mapping[Oid, tuple[Value | None, ...]]) -> None:
        self.entry = entry
        self._first = first
        self._columns = columns
        self._rows = rows
        self._order = sorted(rows)

    def get(self, column: int, index: Oid) -> Value:
        """What has exactly this name behind that of the entry."""
        if not 0 <= column - self._first < self._columns:
            return NO_OBJECT
        row = self._rows.get(index)
        return (row and row[column - self._first]) or NO_INSTANCE

    def next(self, start: Oid, include: bool) -> tuple[Oid, Value] | None:
        """The first object from C{start} on, or behind it; None if there is none here."""
        size = len(self.entry)
        for number in range(self._columns):
            column = (*self.entry, self._first + number)
            if column < start[: size + 1]:
                continue
            at = 0
            if column == start[: size + 1]:
                at = (bisect_left if include else bisect_right)(self._order, start[size + 1 :])
            for place in range(at, len(self._order)):
                index = self._order[place]
                value = self._rows[index][number]
                if value is not None:
                    return column + index, value
        return None


class View:
    """All objects of one moment."""

    def __init__(self, tables: Iterable[Table]) -> None:
        self._tables = sorted(tables, key=attrgetter("entry"))

    def get(self, oid: Oid) -> Value:
        """The object of this name, or which exception there is instead."""
        for table in self._tables:
            size = len(table.entry)
            if oid[:size] == table.entry and len(oid) > size:
                return table.get(oid[size], oid[size + 1 :])
        return NO_OBJECT

    def next(self, wanted: SearchRange) -> tuple[Oid, Value]:
        """The first object in a range; C{start} and that it ends if there is none."""
        for table in self._tables:
            found = table.next(wanted.start, wanted.include)
            if found is not None:
                if wanted.end and found[0] >= wanted.end:
                    break
                return found
        return wanted.start, END


EMPTY: Final = View(())
