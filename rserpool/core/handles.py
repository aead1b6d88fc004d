"""Pool handles, and what else peers say, as people write and read them: the text of a handle stands for its UTF-8 bytes
(RFC 5354 section 3.9 knows bytes)."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rserpool.core.errors import ConfigurationError

NOBODY: Final = b"\0is anybody there?"
"""A pool that is never there: whoever answers to it lives."""
LONGEST: Final = 65_000
"""Bytes of a pool handle for which there is room in a request, with an element beside it. A registrar may take less."""


def handle_of(pool: bytes | str) -> bytes:
    """The pool handle that a pool is named by; bytes of a command line that are not UTF-8 stand for themselves.

    @raise ConfigurationError: if no message holds it.
    """
    handle = pool.encode("utf-8", "surrogateescape") if isinstance(pool, str) else pool
    if len(handle) > LONGEST:
        raise ConfigurationError(f"a pool's name of {len(handle)} bytes fits no message: {LONGEST} at most")
    return handle


def printable(text: str, most: int | None = 1000) -> str:
    """What a peer says, without what a terminal would obey: control characters are escaped, and a long text is cut.

    @param most: characters; None for any number.
    """
    text = text if most is None or len(text) <= most else text[:most] + "..."
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


@lru_cache(maxsize=256)  # each event of an element names its pool
def handle_text(handle: bytes) -> str:
    """A pool handle; what is not UTF-8 is escaped by backslashes."""
    return printable(handle.decode("utf-8", "backslashreplace"), None)
