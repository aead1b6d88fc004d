"""How bytes leave a TCP connection: at once, while nothing waits to go out before them.

Twisted's transport writes in the next turn of the loop, and tells the system twice what it wants to hear of: beside a
short answer that costs more than the answer. What its socket does not take at once is the transport's as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from socket import socket
from typing import Any


class Outlet:
    """That of one connection, whose protocol is a push producer of its transport.

    @param transport: one with a socket of the system's; where it has none (in memory) it writes itself.
    """

    __slots__ = ("_send", "_together", "_transport")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        handle = getattr(transport, "getHandle", lambda: None)()
        self._send: Callable[[bytes], int] | None = handle.send if isinstance(handle, socket) else None
        self._together: list[bytes] | None = None

    def write(self, data: bytes) -> bool:
        """Send; to be called while the producer is not paused.

        @return: whether there is room for more; if not, C{resumeProducing} says when.
        """
        if self._send is None:
            self._transport.write(data)
            return True
        if self._together is not None:
            self._together.append(data)
            return True
        try:
            sent = self._send(data)
        except OSError:
            # The system has no room, or the connection is lost: the transport finds out, and says so in its turn.
            sent = 0
        if sent == len(data):
            return True
        self._transport.producerPaused = True
        self._transport.write(data[sent:])
        return False

    def gather(self) -> bool:
        """What is written until L{scatter} goes out together.

        @return: whether that was not so already.
        """
        if self._together is not None:
            return False
        self._together = []
        return True

    def scatter(self) -> bool:
        """Send what was gathered; see L{write}."""
        together, self._together = self._together, None
        return self.write(b"".join(together)) if together else True

    def close(self) -> None:
        """The connection is lost: nothing goes out any more."""
        self._together, self._send = None, lambda data: len(data)
