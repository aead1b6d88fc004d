"""Whether somebody serves at what is registered, asked again and again.

A check is anything that answers that question once; L{Checking} asks it at a bounded rate, and tells what changed.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.logger import Logger

from rserpool.node.reactor import clock_of
from rserpool.sctp.one_to_one.ports import SctpPort, sctp_ports

EVERY = 1.0
"""Seconds between two questions, at least."""
SHARE = 0.01
"""No question takes more than this part of the time."""
DIAL = 2.0
"""Seconds in which a connection must be accepted."""
_LISTENS = "0A"
_NET = Path("/proc/net")

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


def listens(kind: str, port: int, hosts: Sequence[str]) -> bool | None:
    """Whether a process of this system has a port open at one of these addresses; None where the system does not say.

    On Linux C{/proc/net} says it.
    """
    if kind == "sctp":
        return _sctp_listens(port)
    said = False
    for family in ("", "6"):
        with suppress(OSError):
            text = (_NET / f"{kind}{family}").read_text("ascii")
            said = True
            if any(_reaches(bound, host) for bound in _bound(text, kind, port) for host in hosts):
                return True
    return False if said else None


def _bound(text: str, kind: str, port: int) -> Iterator[IPv4Address | IPv6Address]:
    ending = f":{port:04X}"
    for line in text.splitlines()[1:]:
        _, local, remote, state, *_ = line.split(None, 4)
        if local.endswith(ending) and (state == _LISTENS if kind == "tcp" else remote.endswith(":0000")):
            yield _address(local.removesuffix(ending))


def _address(text: str) -> IPv4Address | IPv6Address:
    # Words in the byte order of the host.
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    packed = b"".join(socket.htonl(word).to_bytes(4, "big") for word in words)
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)


def _reaches(bound: IPv4Address | IPv6Address, host: str) -> bool:
    if bound.version == 6:
        mapped = bound.ipv4_mapped
        return int(bound) == 0 or bound == _parsed(host) or (mapped is not None and mapped == _parsed(host))
    return bound == _parsed(host) or (int(bound) == 0 and ":" not in host)


def _parsed(host: str) -> IPv4Address | IPv6Address:
    return IPv6Address(host) if ":" in host else IPv4Address(host)


def _sctp_listens(port: int) -> bool | None:
    try:
        lines = (_NET / "sctp/eps").read_text("ascii").splitlines()
    except OSError:
        return None
    # A port that is not the kernel's may be that of a stack in some process.
    return True if any(line.split()[5:6] == [str(port)] for line in lines[1:]) else None
