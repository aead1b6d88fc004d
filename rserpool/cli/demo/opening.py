"""What is shown at once, before anything large is imported: what this is, and whether the terminal is large enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TextIO

from rserpool.cli.terminal import too_small

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
