r"""A line server in a pool: two processes serve, one is killed, and whoever asks goes on with the other.

    $ python examples/line_server.py
    hello 1 -> HELLO 1, says ...
    hello 2 -> HELLO 2, says ...
    (kill -9 one)
    hello 3 -> HELLO 3, says two
    hello 4 -> HELLO 4, says two

A server is an ordinary Twisted server, and a client an ordinary client: only the strings of their endpoints say that
there is a pool, rserpool:lines:tcp\:0 and rserpool:lines. More of them: docs/ways-in.md.
"""

from __future__ import annotations

import stage

import sys
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol, serverFromString
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, connectionDone
from twisted.internet.task import deferLater, react
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure


class Shout(LineOnlyReceiver):
    """What a server speaks: each line comes back in capital letters, with the name of who says it."""

    name = b"nobody"

    def lineReceived(self, line: bytes) -> None:
        self.sendLine(line.upper() + b", says " + self.name)


class Ask(LineOnlyReceiver):
    """What a client speaks: one line, and its answer."""

    def __init__(self, line: bytes) -> None:
        self.answer: Deferred[bytes] = Deferred()
        self._line = line

    def connectionMade(self) -> None:
        self.sendLine(self._line)

    def lineReceived(self, line: bytes) -> None:
        self.answer.callback(line)
        assert self.transport is not None
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if not self.answer.called:
            self.answer.errback(reason)


def server(name: str) -> None:
    """One of the servers, a process of its own."""
    from twisted.internet import reactor

    Shout.name = name.encode()
    endpoint = serverFromString(reactor, r"rserpool:lines:tcp\:0\:interface=127.0.0.1")
    stage.serve(endpoint.listen(Factory.forProtocol(Shout)))


async def ask(endpoint: IStreamClientEndpoint, line: str) -> str:
    """Ask whichever server the pool has, and another one if that is killed before it has answered."""
    while True:
        asked: Ask = await connectProtocol(endpoint, Ask(line.encode()))
        with suppress(ConnectionClosed):
            return (await asked.answer).decode()


async def client(reactor: Any, here: stage.Stage) -> None:
    """Ask four times; meanwhile one server is killed."""
    one = here.start("one")
    here.start("two")
    endpoint = clientFromString(reactor, "rserpool:lines")
    for number in range(1, 5):
        line = f"hello {number}"
        print(line, "->", await ask(endpoint, line), flush=True)
        await deferLater(reactor, 0.5)
        if number == 2:
            one.kill()
            print("(kill -9 one)", flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        server(sys.argv[1])
    else:
        with stage.Stage() as here:
            react(here.plays, [client])
