"""Whether somebody serves at what is registered, asked again and again.

A check is anything that answers that question once; L{Checking} asks it at a bounded rate, and tells what changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.logger import Logger

from rserpool.element.system_ports import listens
from rserpool.node.reactor import clock_of
from rserpool.sctp.one_to_one.ports import SctpPort, sctp_ports

EVERY = 1.0
"""Seconds between two questions, at least."""
SHARE = 0.01
"""No question takes more than this part of the time."""
DIAL = 2.0
"""Seconds in which a connection must be accepted."""

Check = Callable[[], Awaitable[bool]]
"""Answers whether somebody serves there."""


class Checking:
    """Asks a check, and tells each change of its answer; the first answer is one.

    @param changed: called with the answer.
    @param every: seconds between two questions, at least.
    @ivar answer: the last one; None before the first.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, check: Check, changed: Callable[[bool], object] = lambda _: None, *, every: float = EVERY
    ) -> None:
        self._reactor = reactor
        self._now = clock_of(reactor)
        self._check = check
        self._changed = changed
        self._every = every
        self._timer: Any = None
        self._running = False
        self.answer: bool | None = None

    def start(self) -> None:
        """Ask from now on."""
        if not self._running:
            self._running = True
            self._ask()

    def stop(self) -> None:
        """Ask no more, and tell no more."""
        self._running = False
        self.answer = None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _ask(self) -> None:
        ensureDeferred(self._once()).addErrback(
            lambda failure: self._log.failure("what is registered cannot be checked any more", failure)
        )

    async def _once(self) -> None:
        began = self._now()
        answer = await self._check()
        if not self._running:
            return
        pause = max(self._every, (self._now() - began) / SHARE if answer else 0.0)
        self._timer = self._reactor.callLater(min(pause, 60 * self._every), self._ask)
        if answer != self.answer:
            self.answer = answer
            self._changed(answer)


def is_open(reactor: Any, port: Any) -> bool:
    """Whether a port of this process is open still."""
    if isinstance(port, SctpPort):
        return port in sctp_ports(reactor)
    # Ports that are closed have no descriptor any more.
    return not getattr(port, "disconnecting", False) and port.fileno() >= 0


class AnotherProcess:
    """Checks a port that is none of this process: as the system says, or (TCP) by connecting to it.

    A connection is made only where the system lists nobody: what is published from a container is not listed.

    @param kind: C{tcp}, C{udp} or C{sctp}.
    @param hosts: the addresses that are registered.
    """

    def __init__(self, reactor: Any, kind: str, port: int, hosts: Sequence[str]) -> None:
        self._reactor = reactor
        self._kind = kind
        self._port = port
        self._hosts = hosts

    async def __call__(self) -> bool:
        """Whether somebody serves there; true where nobody can tell."""
        listed = listens(self._kind, self._port, self._hosts) if isinstance(self._reactor, ReactorBase) else None
        if self._kind == "tcp" and not listed:
            return await accepts(self._reactor, self._hosts[0], self._port)
        return listed is not False


def accepts(reactor: Any, host: str, port: int) -> Deferred[bool]:
    """Whether a TCP connection is accepted there."""
    answer: Deferred[bool] = Deferred()
    reactor.connectTCP(host, port, _Dialling(answer), timeout=DIAL)
    return answer


class _Dialling(ClientFactory):
    """Connects, and hangs up."""

    noisy = False

    def __init__(self, answer: Deferred[bool]) -> None:
        self._answer = answer

    def buildProtocol(self, addr: Any) -> Protocol:
        return _HangUp(self._answer)

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        self._answer.callback(False)


class _HangUp(Protocol):
    def __init__(self, answer: Deferred[bool]) -> None:
        self._answer = answer

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.loseConnection()
        self._answer.callback(True)
