"""A registrar, an element and a user, all in one process: the smallest pool there is, and what each of them says.

    $ python examples/one_process.py
    the registrar is ready at 127.0.0.1:...
    the element is registered in the pool 'echo' as 0x...
    the user finds 1 element: 0x... at 127.0.0.1:...
    the element echoes: b'hello'
    the element has left; the pool has no element any more

Each of them is a service of Twisted: in a program of yours there are one or two of them, and the others run elsewhere.
"""

from __future__ import annotations

import stage  # noqa: F401

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint, connectProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import react
from twisted.protocols.wire import Echo

from rserpool.core import TransportAddress, UnknownPool
from rserpool.element import PoolServerEndpoint
from rserpool.registrar import RegistrarService
from rserpool.user import PoolClientEndpoint, PoolUserService


class Hello(Protocol):
    """Says hello, and waits for what comes back."""

    def __init__(self) -> None:
        self.echo: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")

    def dataReceived(self, data: bytes) -> None:
        self.echo.callback(data)
        assert self.transport is not None
        self.transport.loseConnection()


async def main(reactor: Any) -> None:
    """One after the other."""
    # At ports that are free; without them it has those that everybody on this host looks for.
    anywhere = TransportAddress(("127.0.0.1",), 0)
    registrar = RegistrarService(reactor, asap=anywhere, encapsulation=0, peering=False, tcp=False)
    registrar.startService()
    address = registrar.address
    print("the registrar is ready at", address)

    element = PoolServerEndpoint(
        reactor, TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1"), "echo", registrars=[address]
    )
    port: Any = await element.listen(Factory.forProtocol(Echo))
    print(f"the element is registered in the pool 'echo' as 0x{await port.registered:08x}")

    user = PoolUserService(reactor, [address])
    user.startService()
    for found in (await user.resolve("echo")).elements:
        where: Any = found.user_transport
        print(f"the user finds 1 element: 0x{found.identifier:08x} at {where.address}:{where.port}")
    hello = await connectProtocol(PoolClientEndpoint(user, "echo"), Hello())
    print("the element echoes:", await hello.echo)

    await port.stopListening()
    try:
        await user.resolve("echo", fresh=True)
    except UnknownPool:
        print("the element has left; the pool has no element any more")
    await user.stopService()
    await registrar.stopService()


if __name__ == "__main__":
    react(main)
