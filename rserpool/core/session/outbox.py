"""What waits for an element that takes it, in the order in which it came (RFC 5352 section 6.5.1)."""

from __future__ import annotations

from collections import deque

from rserpool.core.errors import SessionFull
from rserpool.core.session.requests import Request

LONGEST_QUEUE = 16 * 1024 * 1024
"""Bytes that wait for an element, at most."""


class Outbox:
    """Messages (bytes) and requests."""

    def __init__(self) -> None:
        self._entries: deque[bytes | Request] = deque()
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def check(self, size: int) -> None:
        """Whether so many more bytes may wait.

        @raise SessionFull: if not.
        """
        if self._size + size > LONGEST_QUEUE:
            raise SessionFull(f"{self._size} bytes wait for an element already: wait until the session takes more")

    def put(self, entry: bytes | Request) -> None:
        """One more.

        @raise SessionFull: if too much waits.
        """
        size = _size(entry)
        self.check(size)
        self._entries.append(entry)
        self._size += size

    def take(self) -> bytes | Request:
        """The first one."""
        entry = self._entries.popleft()
        self._size -= _size(entry)
        return entry

    def holds(self) -> set[int]:
        """The numbers of the requests that wait here."""
        return {entry.number for entry in self._entries if isinstance(entry, Request)}

    def clear(self) -> None:
        """All is forgotten."""
        self._entries.clear()
        self._size = 0


def _size(entry: bytes | Request) -> int:
    return len(entry.data) if isinstance(entry, Request) else len(entry)
