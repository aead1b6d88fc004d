"""What a check found."""

from __future__ import annotations

from enum import IntEnum

from rserpool.core.frozen import frozen


class Level(IntEnum):
    """How bad it is; the words are printed."""

    OK = 0
    NOTE = 1
    WARNING = 2
    PROBLEM = 3


@frozen
class Finding:
    """One thing that was looked at.

    @ivar check: what was looked at, in a word.
    @ivar says: what was found, as a sentence.
    @ivar cure: what to do; empty where there is nothing to do.
    """

    check: str
    level: Level
    says: str
    cure: str = ""


def fine(check: str, says: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, says)


def note(check: str, says: str, cure: str = "") -> Finding:
    """Something that need not be wrong, or could not be looked at."""
    return Finding(check, Level.NOTE, says, cure)


def warning(check: str, says: str, cure: str) -> Finding:
    """Something that may hurt, or will."""
    return Finding(check, Level.WARNING, says, cure)


def problem(check: str, says: str, cure: str) -> Finding:
    """Something that does not work."""
    return Finding(check, Level.PROBLEM, says, cure)
