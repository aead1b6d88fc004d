"""A pool user that asks for a page over and over through the pool, by HTTP, and prints when it was answered by whom.

A process of its own, started by the benchmarks: C{python -m bench.asking --help}. A line is C{SECONDS IDENTIFIER}: the
monotonic clock and the PE identifier of the element that answered.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from rserpool.core import parse_transport_address, profile
from rserpool.user import PoolClientEndpoint, PoolUserService

reactor: Any = installed
PAUSE = 0.002
"""Seconds between an answer and the next request."""


@implementer(IAgentEndpointFactory)
class Through:
    """Connects every request to the pool."""

    def __init__(self, endpoint: PoolClientEndpoint) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: object) -> PoolClientEndpoint:
        return self._endpoint


async def ask(user: PoolUserService, pool: str, page: str, keep: bool) -> None:
    """Ask for ever; what fails is reported and asked again at once."""
    endpoint = PoolClientEndpoint(user, pool, drop=True)
    connections = HTTPConnectionPool(reactor, persistent=keep)
    agent = Agent.usingEndpointFactory(reactor, Through(endpoint), pool=connections)
    while True:
        endpoint.element = None if not keep else endpoint.element
        try:
            response: Any = await agent.request(b"GET", b"http://pool/" + page.encode())
            await readBody(response)
        except Exception as error:  # noqa: BLE001
            element, endpoint.element = endpoint.element, None
            if element is not None:
                user.report(endpoint.handle, element.identifier)
            print(f"failed: {type(error).__name__}: {error}", flush=True)
            await deferLater(reactor, PAUSE)
            continue
        if endpoint.element is not None:
            print(f"{time.monotonic():.6f} {endpoint.element.identifier}", flush=True)
        await deferLater(reactor, PAUSE)


def main() -> None:
    """Ask until ended, or until the time is over."""
    parser = argparse.ArgumentParser(description="A pool user that asks continuously.")
    parser.add_argument("--registrar", type=parse_transport_address, required=True)
    parser.add_argument("--profile", type=profile, default="default")
    parser.add_argument("--pool", default="www")
    parser.add_argument("--page", default="")
    parser.add_argument("--keep", action="store_true", help="keep the connection from one request to the next")
    parser.add_argument("--seconds", type=float, default=600.0)
    options = parser.parse_args()
    user = PoolUserService(reactor, [options.registrar], profile=options.profile)
    user.startService()

    def failed(failure: Failure) -> None:
        failure.printTraceback(file=sys.stdout)
        reactor.stop()

    asking = Deferred.fromCoroutine(ask(user, options.pool, options.page, options.keep))
    asking.addErrback(failed)
    reactor.addSystemEventTrigger("before", "shutdown", user.stopService)
    reactor.callLater(options.seconds, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
