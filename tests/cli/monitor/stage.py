"""A screen of 80 columns and 24 lines, or of another size, without a terminal: entries and keys in, text out."""

from __future__ import annotations

from collections.abc import Iterable

from rserpool.cli.monitor.entries import POOLS, REGISTRARS, Entry, Group, Mood
from rserpool.cli.monitor.looking import Looking
from rserpool.cli.monitor.picture import Header
from rserpool.cli.monitor.view import View

HEADER = Header("registrar 0x000000aa at /run/rserpool/registrar.sock; reports at 127.0.0.1:2960")


def element(pool: str, number: int, state: str = "registered", mood: Mood = Mood.GOOD, **more: object) -> Entry:
    """An element of a pool."""
    return Entry(Group(POOLS, pool), f"0x{number:08x}", state, mood, **more)  # type: ignore[arg-type]


def registrar(number: int) -> Entry:
    """A registrar that is ready."""
    return Entry(REGISTRARS, f"0x{number:08x}", "ready", Mood.GOOD, where="127.0.0.1:3863")


class Seen:
    """What somebody sees."""

    def __init__(self, entries: Iterable[Entry], columns: int = 80, lines: int = 24, view: View | None = None) -> None:
        self.size = columns, lines
        self.looking = Looking(view or View())
        self.now(entries)

    @property
    def view(self) -> View:
        """What is looked at."""
        assert self.looking.view is not None
        return self.looking.view

    def now(self, entries: Iterable[Entry], header: Header = HEADER) -> list[str]:
        """Other entries are there."""
        self.looking.see(list(entries), header)
        return self.lines()

    def keys(self, *keys: str) -> list[str]:
        """Keys are pressed; what is seen then."""
        for key in keys:
            self.looking.press(key, self.size)
            self.looking.lines(self.size)
        return self.lines()

    def lines(self) -> list[str]:
        """The text of all lines."""
        return ["".join(text for text, _ in line).rstrip() for line in self.looking.lines(self.size)]

    @property
    def rows(self) -> list[str]:
        """The list alone: the first word of each line, behind the signs of the cursor and of folding."""
        return [line.strip("> +-").split("  ")[0].split(" ")[0] for line in self.lines()[3:-1] if line.strip()]

    @property
    def cursor(self) -> str:
        """The line with the cursor."""
        (line,) = (line for line in self.lines()[3:-1] if line.startswith(">"))
        return line
