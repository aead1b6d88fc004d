"""What C{rserpool ping}, C{echo} and C{calcapp} have in common: options, lines, and a summary at the end."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any, TextIO

from twisted.internet.defer import CancelledError

from rserpool.cli.codes import OK, OTHER
from rserpool.cli.options import add_reporting_options, add_user_options, configured, number, reporting, user_from
from rserpool.cli.show import Lines, identifier_text
from rserpool.core import reading
from rserpool.core.errors import SessionEnded
from rserpool.core.handles import handle_text
from rserpool.core.user.places import describe
from rserpool.services.clients import Asking, FailedOver, Lost, News, Returned
from rserpool.services.tally import Tally, milliseconds
from rserpool.user.service import PoolUserService
from rserpool.user.tls_text import TLS_CA, tls_from

LARGEST = 60_000
_size = reading.number(
    reading.digits, lambda size: size <= LARGEST, lambda text: f"{text!r} is not a number of bytes up to {LARGEST}"
)


def add_options(parser: argparse.ArgumentParser, pool: str, messages: str = "messages") -> None:
    """The options of all; their pool has a default.

    @param messages: what is sent.
    """
    add_user_options(parser, pool=pool)
    add_reporting_options(parser)
    parser.add_argument(
        "--interval", metavar="SECONDS", type=number(float), default=0.5, help=f"between two {messages} (default: 0.5)"
    )
    parser.add_argument("--count", metavar="N", type=number(int), help=f"how many {messages} (default: no end)")
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=number(float),
        default=30.0,
        help=f"until {messages} are given up, and the session if no element serves (default: 30)",
    )
    parser.add_argument("--tls", metavar="NAME", help="speak TLS with elements, whose certificates have this name")
    parser.add_argument("--tls-ca", metavar="FILE", help=TLS_CA)
    # Not options.quiet, which would turn off the log.
    parser.add_argument("--quiet", dest="answers", action="store_false", help="failovers, losses and the summary alone")


def add_size(parser: argparse.ArgumentParser) -> None:
    """How long messages are."""
    parser.add_argument(
        "--size",
        metavar="BYTES",
        type=configured(_size),
        default=0,
        help=f"data in each message, at most {LARGEST} (default: 0)",
    )


class Course:
    """Prints what becomes of the messages, a line each, and the figures at the end."""

    def __init__(self, out: TextIO, as_json: bool, quiet: bool, clock: Callable[[], float]) -> None:
        self._out = out
        self._json = as_json
        self._quiet = quiet
        self._lines = Lines(out, as_json, clock)
        self._gaps = 0
        self.tally: Tally = Tally()

    def show(self, news: News) -> None:
        match news:
            case Returned(number=number, element=element, round_trip=trip, reply=reply):
                self._show_gap()
                if self._quiet and trip is not None:
                    return
                where = "an element" if element is None else describe(element)
                counted = "" if reply is None else f", reply {reply}"
                took = "once more, or too late" if trip is None else milliseconds(trip)
                self._lines.show(
                    f"{number}: {where}{counted}, {took}",
                    event="answer",
                    number=number,
                    element=None if element is None else element.identifier,
                    reply=reply,
                    round_trip=None if trip is None else round(trip, 6),
                )
            case Lost(number=number, why=why):
                self._lines.show(f"{number}: LOST: {why}", event="lost", number=number, why=why)
            case FailedOver(old=old, new=new):
                self._lines.show(
                    f"--- {identifier_text(old.identifier)} failed: {describe(new)} goes on",
                    event="failover",
                    old=old.identifier,
                    new=new.identifier,
                )

    def summary(self, pool: bytes, what: str) -> None:
        """Print the figures of the tally; C{what} is what was sent: C{"pings"}."""
        text = f"{handle_text(pool)}: {self.tally.summary(what)}"
        if self._json:
            text = json.dumps({"event": "summary", "pool": handle_text(pool), **self.tally.as_json()})
        print(text, file=self._out, flush=True)

    def _show_gap(self) -> None:
        if len(self.tally.gaps) > self._gaps:
            self._gaps = len(self.tally.gaps)
            gap = self.tally.gaps[-1]
            self._lines.show(f"--- {milliseconds(gap)} without an answer", event="gap", seconds=round(gap, 6))


async def ask(
    reactor: Any,
    options: argparse.Namespace,
    out: TextIO,
    kind: type[Asking],
    what: str,
    user: PoolUserService | None = None,
    clock: Callable[[], float] = time.time,
) -> int:
    """Send until there were enough, or until this is cancelled; then print the figures.

    @return: L{OK} if all was answered once.
    @raise UnknownPool: if there is no such pool at the start.
    @raise NoRegistrar: if no registrar is found at the start.
    @raise SessionEnded: if no element serves for too long.
    """
    tls = tls_from(options.tls, options.tls_ca)
    user = user or user_from(reactor, options)
    service = reporting(reactor, options, user)
    service.startService()
    course = Course(out, options.json, not options.answers, clock)
    asking = kind(
        user,
        options.pool,
        interval=options.interval,
        count=options.count,
        patience=options.patience,
        size=options.size,
        tell=course.show,
        **tls,
    )
    course.tally = asking.tally
    try:
        await user.resolve(options.pool, timeout=options.timeout)
        try:
            await asking.run()
        except CancelledError:
            pass
        except SessionEnded:
            course.summary(options.pool, what)
            raise
        course.summary(options.pool, what)
    finally:
        await service.stopService()
    return OK if asking.tally.clean else OTHER
