"""Several elements and users of all kinds in one process, as a program of somebody has them: C{crowd HOST COUNT}.

It says "started" when all run, and "served" when its users have found COUNT elements in each pool, and were served.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.internet.endpoints import TCP4ServerEndpoint, clientFromString, connectProtocol, serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.wire import Echo

from rserpool.element import PooledService
from rserpool.session import Session, SessionFactory, SessionProtocol
from rserpool.user import PoolChanged, PoolUserService

POOLS = ("service", "sctp", "session")


class Answering(SessionProtocol):
    """Echoes."""

    def messageReceived(self, data: bytes) -> bytes:
        return data


class Asking(Protocol):
    """Asks once."""

    def __init__(self) -> None:
        self.heard: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        if not self.heard.called:
            self.heard.callback(data)


def complete(user: PoolUserService, pool: str, count: int) -> Deferred[None]:
    """Fires when a user that watches has seen so many elements."""
    seen: Deferred[None] = Deferred()

    def changed(change: PoolChanged) -> None:
        if len(change.elements or ()) == count and not seen.called:
            seen.callback(None)

    user.subscribe(pool, changed)
    return seen


async def crowd(host: str, count: int) -> None:
    """All of it."""
    network: Any = reactor
    echo = StreamServerEndpointService(TCP4ServerEndpoint(network, 0, interface=host), Factory.forProtocol(Echo))
    PooledService(network, echo, ["service"]).startService()
    for pool, inner, factory in (
        ("sctp", "sctp", Factory.forProtocol(Echo)),
        ("session", "tcp", SessionFactory(Answering, pool="session")),
    ):
        await serverFromString(network, rf"rserpool:{pool}:{inner}\:0\:interface={host}").listen(factory)
    await serverFromString(network, rf"sctp:0:interface={host}").listen(Factory.forProtocol(Echo))
    users = [PoolUserService(network, transport=transport) for transport in ("sctp", "tcp")]
    for user in users:
        user.startService()
    print("started", flush=True)
    await gatherResults([complete(user, pool, count) for user in users for pool in POOLS])
    session = Session(users[0], "session")
    assert await session.request(b"hello") == b"hello"
    for pool in ("service", "sctp"):
        asking: Any = await connectProtocol(clientFromString(network, f"rserpool:{pool}"), Asking())
        assert await asking.heard == b"hello"
    print("served", flush=True)


def main() -> None:
    """Run it."""

    def failed(failure: Any) -> None:
        failure.printTraceback()
        reactor.stop()  # type: ignore[attr-defined]

    ensureDeferred(crowd(sys.argv[1], int(sys.argv[2]))).addErrback(failed)
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
