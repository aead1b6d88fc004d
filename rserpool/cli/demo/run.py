"""C{rserpool demo}: its options, and how it ends, whoever ends it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from rserpool.cli.demo.screen import Screen
from rserpool.cli.demo.story import Demo
from rserpool.cli.options import number as above_0
from rserpool.cli.signals import ENDING, on_signals
from rserpool.core.profiles import PROFILES
from rserpool.sctp.stack import open_stack

EPILOG = """\
exit codes: 0 no request was lost, 1 some were, or it could not begin, 2 a wrong option, 130 interrupted"""
DESCRIPTION = """\
Starts three registrars and five web servers on this machine, real processes that listen on loopback alone, and two
users who fetch pages from them. Then it lets them fail, one after the other: servers are killed, stopped and frozen,
and so are registrars. It says before each step what will happen, and in the end what came of it: whether a request was
lost, and how long a user has waited. It needs no root, no network and no configuration; Ctrl-C ends it, and nothing is
left."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of C{rserpool demo}."""
    parser.description = DESCRIPTION
    parser.set_defaults(quiet=True)
    parser.add_argument(
        "--profile",
        default="default",
        choices=list(PROFILES),
        help="how soon it is noticed that somebody is frozen: after half a second (fast), a second or two (default), "
        "or minutes (rfc: the timers of the RFCs)",
    )
    seconds, whole = above_0(float), above_0(int)
    parser.add_argument(
        "--phase", type=seconds, default=3.0, metavar="SECONDS", help="how long there is to look at each step (3)"
    )
    parser.add_argument(
        "--workers", type=whole, default=2, metavar="N", help="how many pages each user fetches at the same time (2)"
    )
    parser.add_argument("--web", action="store_true", help="show it in a browser, too: each registrar has its console")


async def run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    """Run the demonstration; 1 if a request was lost.

    @raise SctpUnavailable: if there is no SCTP here, before anything starts.
    """
    await open_stack(reactor).close()
    screen = Screen(out)
    how = {"phase": options.phase, "workers": options.workers, "web": options.web}
    demo = Demo(reactor, screen, profile=PROFILES[options.profile], **how)
    maker = os.getppid()

    def looked() -> None:
        # make passes Ctrl-C on, but not its own end.
        if screen.error is not None or ("MAKELEVEL" in os.environ and os.getppid() != maker):
            running.cancel()

    demo.looked = lambda: reactor.callLater(0, looked)
    running = ensureDeferred(demo.run())
    try:
        return await running
    except CancelledError:
        if screen.error is not None:
            raise screen.error from None
        raise
    finally:
        # Who cannot wait ends them at once.
        restore = on_signals(reactor, ENDING, lambda _: demo.kill())
        await to_the_end(demo.stop())
        restore()


async def to_the_end(ending: Coroutine[Any, Any, None]) -> None:
    """Do it, however often it is cancelled."""
    done = ensureDeferred(ending)
    while not done.called:
        waiting: Deferred[None] = Deferred()
        done.addBoth(_passed_on, waiting)
        with suppress(CancelledError):
            await waiting


def _passed_on(result: Any, waiting: Deferred[None]) -> Any:
    if not waiting.called:
        waiting.callback(None)
    return result
