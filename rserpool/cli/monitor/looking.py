"""Somebody who looks at a monitor and presses keys: entries, keys and the size of the terminal in, lines out."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.cli.monitor.entries import Entry
from rserpool.cli.monitor.picture import Header, Line, picture, room_of
from rserpool.cli.monitor.view import View, laid, pressed, settled


class Looking:
    """What is seen, from one picture to the next.

    @ivar view: what somebody looks at; None when that is over.
    """

    def __init__(self, view: View) -> None:
        self.view: View | None = view
        self._entries: Sequence[Entry] = ()
        self._header = Header("")

    def see(self, entries: Sequence[Entry], header: Header) -> None:
        """This is how things are now."""
        self._entries, self._header = entries, header

    def press(self, key: str, size: tuple[int, int]) -> None:
        """A key, see L{pressed}."""
        if self.view is not None:
            columns, height = size
            self.view = pressed(self.view, key, laid(self.view, self._entries, columns), room_of(height))

    def lines(self, size: tuple[int, int]) -> list[Line]:
        """The whole screen.

        @param size: columns and lines.
        """
        if self.view is None:
            return []
        columns, height = size
        rows = laid(self.view, self._entries, columns)
        self.view = settled(self.view, rows, room_of(height))
        return picture(self.view, self._header, self._entries, rows, size)
