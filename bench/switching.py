"""A pool user with several registrars, which resolves and calls over and over, and prints when each was done.

A process of its own, started by the benchmarks: C{python -m bench.switching --help}. A line is C{resolved SECONDS} for
an answer of a registrar (nothing comes from the cache), or C{SECONDS IDENTIFIER} for a page that an element served,
over a new connection each; what failed is a line with C{failed}. The clock is the monotonic one.
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

from bench.asking import PAUSE, ask
from rserpool.core import parse_transport_address, profile
from rserpool.user import PoolUserService

reactor: Any = installed


async def resolve(user: PoolUserService, pool: str) -> None:
    """Resolve for ever."""
    while True:
        try:
            await user.resolve(pool, fresh=True)
        except Exception as error:  # noqa: BLE001
            print(f"failed: {type(error).__name__}: {error}", flush=True)
        else:
            print(f"resolved {time.monotonic():.6f}", flush=True)
        await deferLater(reactor, PAUSE)


def main() -> None:
    """Go on until ended, or until the time is over."""
    parser = argparse.ArgumentParser(description="A pool user that switches between registrars.")
    parser.add_argument("--registrar", type=parse_transport_address, action="append", required=True)
    parser.add_argument("--profile", type=profile, default="default")
    parser.add_argument("--pool", default="www")
    parser.add_argument("--page", default="")
    parser.add_argument("--seconds", type=float, default=120.0)
    options = parser.parse_args()
    users = [PoolUserService(reactor, options.registrar, profile=options.profile) for _ in range(2)]
    for user in users:
        user.startService()
        reactor.addSystemEventTrigger("before", "shutdown", user.stopService)

    def failed(failure: Failure) -> None:
        failure.printTraceback(file=sys.stdout)
        reactor.stop()

    Deferred.fromCoroutine(resolve(users[0], options.pool)).addErrback(failed)
    Deferred.fromCoroutine(ask(users[1], options.pool, options.page, False)).addErrback(failed)
    reactor.callLater(options.seconds, reactor.stop)
    reactor.run()


if __name__ == "__main__":
    main()
