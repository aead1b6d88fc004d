"""Somebody who looks at a monitor and presses keys: entries, keys and the size of the terminal in, lines out."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.cli.monitor.entries import Entry
from rserpool.cli.monitor.picture import Header, Line, picture, room_of
from rserpool.cli.monitor.view import Rows, View, laid, pressed, settled


class Looking:
    """What is seen, from one picture to the next.

    @ivar view: what somebody looks at; None when that is over.
    """

    def __init__(self, view: View) -> None:
        self.view: View | None = view
        self._entries: Sequence[Entry] = ()
        self._header = Header("")
        self._rows: Rows = ()

    def see(self, entries: Sequence[Entry], header: Header) -> None:
        """This is how things are now."""
        self._entries, self._header = entries, header

    def press(self, key: str, size: tuple[int, int]) -> None:
        """A key, see L{pressed}; it means what was seen last.

        @param size: columns and lines.
        """
        if self.view is not None:
            self.view = pressed(self.view, key, self._rows, room_of(size[1]))
            self._settle(size)

    def lines(self, size: tuple[int, int]) -> list[Line]:
        """The whole screen.

        @param size: columns and lines.
        """
        self._settle(size)
        return [] if self.view is None else picture(self.view, self._header, self._entries, self._rows, size)

    def _settle(self, size: tuple[int, int]) -> None:
        if self.view is not None:
            columns, height = size
            self._rows = laid(self.view, self._entries, columns)
            self.view = settled(self.view, self._rows, room_of(height))
