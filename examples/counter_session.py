r"""A session that outlives its server: the count goes on at another process when the one that counted is killed.

    $ python examples/counter_session.py
    one counts 1
    one counts 2
    one counts 3
    (kill -9 one)
    the session goes on at another server
    two counts 4
    two counts 5

The servers share nothing but a key. After each question the server leaves its state with the client, as a signed
cookie; the client gives the last cookie to the next server, and asks again what was not answered: docs/sessions.md.
"""

from __future__ import annotations

import stage

import sys
from typing import Any

from twisted.internet.endpoints import serverFromString
from twisted.internet.task import react

from rserpool.session import KeyRing, Session, SessionFactory, SessionProtocol, SignedCookies
from rserpool.user import PoolUserService

COOKIES = SignedCookies(KeyRing({"2026": b"sixteen bytes that only the servers know"}))


class Counter(SessionProtocol):
    """What a server speaks: each question is answered by the next number."""

    name = "nobody"

    def sessionStarted(self, state: bytes | None) -> None:
        # None: a new session; else what the last server left with the client.
        self.count = int(state or b"0")

    def messageReceived(self, data: bytes) -> None:
        self.count += 1
        self.session.set_state(b"%d" % self.count)
        self.session.reply(f"{self.name} counts {self.count}".encode())


def server(name: str) -> None:
    """One of the servers, a process of its own."""
    from twisted.internet import reactor

    Counter.name = name
    endpoint = serverFromString(reactor, r"rserpool:counters:tcp\:0\:interface=127.0.0.1")
    stage.serve(endpoint.listen(SessionFactory(Counter, cookies=COOKIES)))


async def client(reactor: Any, here: stage.Stage) -> None:
    """Ask five times; the server that counts is killed in between."""
    one = here.start("one")
    user = PoolUserService(reactor)
    user.startService()
    session = Session(user, "counters", repeat=True)
    session.failed_over = lambda old, new: print("the session goes on at another server", flush=True)
    for number in range(1, 6):
        print((await session.request(b"and now?")).decode(), flush=True)
        if number == 3:
            here.start("two")
            one.kill()
            print("(kill -9 one)", flush=True)
    await session.close()
    await user.stopService()


if __name__ == "__main__":
    if sys.argv[1:]:
        server(sys.argv[1])
    else:
        with stage.Stage() as here:
            react(here.plays, [client])
