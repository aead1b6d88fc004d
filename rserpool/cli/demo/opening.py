"""What is shown at once, before anything large is imported: what this is, and whether the terminal is large enough."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TextIO

COLUMNS, LINES = 80, 24
"""So large is the picture."""
OPENING = """\
A pool of servers that survives. Three registrars and five web servers begin on
this machine and fail, one after the other, while two users fetch their pages.
It takes about a minute. Ctrl-C ends it at any time, and nothing is left.
"""
HELP = {"-h", "--help"}


def begin(words: Sequence[str], out: TextIO) -> None:
    """Say what begins, unless it is help that is asked for.

    @param words: those of the command line, after C{demo}.
    """
    if HELP.isdisjoint(words):
        small = too_small(out)
        print(OPENING + (f"{small}\n" if small else ""), file=out, flush=True)


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
