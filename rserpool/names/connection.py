"""A TCP connection to a registrar that never blocks (RFC 5354 section 4: a message's length is in its header)."""

from __future__ import annotations

import os
import socket
from contextlib import suppress

from rserpool.core.addresses import TransportAddress
from rserpool.core.errors import WireError

CONNECT = 5.0
"""Seconds that a registrar may take to accept."""

_HEADER = 4


class Connection:
    """One connection.

    @ivar deadline: until when it must be up (monotonic seconds).
    @ivar unsent: bytes that the system did not take yet.
    """

    def __init__(self, peer: TransportAddress, now: float) -> None:
        """Begin to connect.

        @raise OSError: if that is refused at once.
        """
        host = peer.hosts[0]
        self.peer = peer
        self.deadline = now + CONNECT
        self.unsent = bytearray()
        self._received = bytearray()
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            self.socket.setblocking(False)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(BlockingIOError):
                self.socket.connect((host, peer.port))
        except OSError:
            self.socket.close()
            raise

    def check(self) -> None:
        """It became writable: is it up?

        @raise OSError: if not.
        """
        number = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            raise OSError(number, os.strerror(number))

    def send(self, data: bytes) -> None:
        """Send a message, now or when the system takes it."""
        self.unsent += data + bytes(-len(data) % 4)
        with suppress(OSError):
            # A connection that is lost is readable, too.
            self.flush()

    def flush(self) -> None:
        """Send what the system takes.

        @raise OSError: if the connection is lost.
        """
        with suppress(BlockingIOError):
            while self.unsent:
                del self.unsent[: self.socket.send(self.unsent)]

    def receive(self) -> list[bytes]:
        """The messages that are complete now.

        @raise OSError: if the connection is lost.
        @raise EOFError: if the registrar closed it.
        @raise WireError: if a length is impossible.
        """
        with suppress(BlockingIOError):
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError
            self._received += data
        messages = []
        received = self._received
        while len(received) >= _HEADER:
            length = int.from_bytes(received[2:4], "big")
            if length < _HEADER:
                raise WireError(f"a message of length {length}")
            # The length excludes the padding, and the padding comes with the message.
            padded = length + 3 & ~3
            if len(received) < padded:
                break
            messages.append(bytes(received[:padded]))
            del received[:padded]
        return messages

    def close(self) -> None:
        """End it."""
        self.socket.close()
