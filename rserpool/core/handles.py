"""Pool handles as people write and read them: text stands for its UTF-8 bytes (RFC 5354 section 3.9 knows bytes)."""

from __future__ import annotations

from functools import lru_cache


def handle_of(pool: bytes | str) -> bytes:
    """The pool handle that a pool is named by; bytes of a command line that are not UTF-8 stand for themselves."""
    return pool.encode("utf-8", "surrogateescape") if isinstance(pool, str) else pool


@lru_cache(maxsize=256)  # each event of an element names its pool
def handle_text(handle: bytes) -> str:
    """A pool handle; what is not UTF-8 is escaped by backslashes."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in handle.decode("utf-8", "backslashreplace")
    )
