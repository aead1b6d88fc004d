r"""An HTTP service in a pool, asked by treq: a server is killed while it is asked, and no request fails.

    $ python examples/http_treq.py
    GET http://greetings/ -> 200: hello from ...
    GET http://greetings/ -> 200: hello from ...
    two slow requests, one for each server
    (kill -9 one)
    GET http://greetings/slow -> 200: hello from two
    GET http://greetings/slow -> 200: hello from two

It needs treq (pip install treq). The host of the URL is the pool. The policy chooses a server for each request, and
what may be repeated (GET, PUT, DELETE, not POST) goes to another one if its server is lost before it has answered:
docs/ways-in.md.
"""

from __future__ import annotations

import stage

import sys
from typing import Any, cast

import treq
from twisted.internet.defer import CancelledError, ensureDeferred, gatherResults
from twisted.internet.endpoints import serverFromString
from twisted.internet.task import deferLater, react
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from rserpool.user import PoolUserService
from rserpool.web import PoolAgent


class Greeting(Resource):
    """The service: / says hello at once, and /slow a second later."""

    isLeaf = True

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def render_GET(self, request: Request) -> int:
        from twisted.internet import reactor

        answer: Any = deferLater(cast(Any, reactor), 1.0 if request.path == b"/slow" else 0.0)
        answer.addCallback(lambda _: request.write(f"hello from {self._name}".encode()))
        answer.addCallback(lambda _: request.finish())
        request.notifyFinish().addErrback(lambda _: answer.cancel())
        answer.addErrback(lambda failure: failure.trap(CancelledError))
        return NOT_DONE_YET


def server(name: str) -> None:
    """One of the servers, a process of its own."""
    from twisted.internet import reactor

    endpoint = serverFromString(reactor, r"rserpool:greetings:tcp\:0\:interface=127.0.0.1")
    stage.serve(endpoint.listen(Site(Greeting(name))))


async def get(agent: PoolAgent, path: str) -> None:
    """One request."""
    url = f"http://greetings/{path}"
    response = await treq.get(url, agent=agent)
    print(f"GET {url} -> {response.code}: {await response.text()}", flush=True)


async def client(reactor: Any, here: stage.Stage) -> None:
    """Ask; meanwhile one server is killed."""
    one = here.start("one")
    here.start("two")
    user = PoolUserService(reactor)
    user.startService()
    agent = PoolAgent(user)
    await get(agent, "")
    await get(agent, "")
    print("two slow requests, one for each server", flush=True)
    slow = gatherResults([ensureDeferred(get(agent, "slow")) for _ in range(2)])
    await deferLater(reactor, 0.5)
    one.kill()
    print("(kill -9 one)", flush=True)
    await slow
    await agent.close()
    await user.stopService()


if __name__ == "__main__":
    if sys.argv[1:]:
        server(sys.argv[1])
    else:
        with stage.Stage() as here:
            react(here.plays, [client])
