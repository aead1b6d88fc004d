"""What a driver needs of the program around it: the time, timers, a log, and associations to send over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from rserpool.core.addresses import TransportAddress
from rserpool.core.identity import Credentials


class Timer(Protocol):
    """Something that will be called."""

    def active(self) -> bool:
        """Whether it was neither called nor cancelled."""

    def cancel(self) -> object:
        """It is not called any more."""


class Log(Protocol):
    """Where a driver tells of strangers; a C{twisted.logger.Logger} is one."""

    def warn(self, format: str | None = None, **values: Any) -> object:
        """A line of C{format.format(**values)} that somebody should read."""

    def debug(self, format: str | None = None, **values: Any) -> object:
        """A line for who looks for a fault."""


class Loop(Protocol):
    """Where a driver runs; its calls never overlap."""

    @property
    def log(self) -> Log:
        """Where the driver tells of strangers."""

    def now(self) -> float:
        """Monotonic seconds."""

    def call_later(self, seconds: float, function: Callable[..., object], *arguments: object) -> Timer:
        """Call once, after so many seconds; 0: after what is going on now."""


class Carrier(Protocol):
    """An association or connection as a driver uses it: the token by which its role names it."""

    def __hash__(self) -> int: ...

    @property
    def peer(self) -> TransportAddress:
        """The very address that was dialled, or where the peer was seen."""

    @property
    def outbound(self) -> bool:
        """Whether we dialled."""

    @property
    def credentials(self) -> Credentials:
        """What the peer has proved to be; None in the clear."""

    def send(self, data: bytes, ppid: int = 0) -> None:
        """Send one message, or nothing if the peer is gone.

        @param ppid: the payload protocol identifier, where the transport has one.
        @raise ValueError: if no message is like this.
        """

    def probe(self) -> None:
        """Ask for a sign of life, where the transport can."""

    def close(self) -> None:
        """End it, after what was sent."""

    def abort(self) -> None:
        """End it at once."""
