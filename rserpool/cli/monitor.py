"""C{rserpool monitor}: what registrars, elements and users report of themselves (rsplib's Component Status Protocol).

A live table on a terminal; a line for each change anywhere else. Reports come from rsplib's components (option
C{-cspserver=}) and from those of this package (C{--csp-server}).
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.failure import Failure

from rserpool.cli.codes import OK
from rserpool.cli.components import KINDS, SORTS, change_text, chosen, component_json, kind_text, rows
from rserpool.cli.options import configured, number
from rserpool.cli.show import Lines
from rserpool.core.addresses import TransportAddress
from rserpool.core.admission import Rate
from rserpool.core.errors import RSerPoolError, WireError
from rserpool.core.monitoring.components import ASSOCIATIONS, Change, Components
from rserpool.core.monitoring.report import CSP_PORT, decode
from rserpool.monitor.reporting import csp_address
from rserpool.node.reactor import clock_of

OF_ONE, OF_ALL = 200, 500
"""So many changes a second are told of components of one machine, and of all: anybody may send reports."""
LOOK = 0.5
"""Seconds between two pictures."""
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l\x1b[?7l", "\x1b[?7h\x1b[?25h\x1b[?1049l"
"""The alternate screen, without a cursor and without wrapping of lines; and back."""
HOME, REST, REVERSE, RED, PLAIN = "\x1b[H", "\x1b[K", "\x1b[7m", "\x1b[31m", "\x1b[0m"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        metavar="HOST[:PORT]",
        type=configured(csp_address),
        default=TransportAddress(("127.0.0.1",), CSP_PORT),
        help=f"where reports come in (127.0.0.1:{CSP_PORT}: from this host alone; 0.0.0.0 or [::]: from everywhere)",
    )
    parser.add_argument("--sort", choices=SORTS, default="kind", help="what a table is sorted by (kind)")
    parser.add_argument("--filter", metavar="TEXT", default="", help="a table has only those in whose line this stands")
    parser.add_argument("--associations", action="store_true", help="list the associations of each component too")
    parser.add_argument(
        "--keep", metavar="SECONDS", type=number(float), default=10.0, help="how long to show what is gone (10)"
    )
    parser.add_argument("--once", action="store_true", help="listen for a moment, print what reports, and end")
    parser.add_argument(
        "--for", metavar="SECONDS", dest="moment", type=number(float), default=2.5, help="that moment (2.5)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON: an object for each change, or component")


class Receiver(DatagramProtocol):
    """Hears reports; what is none is counted.

    @param changed: called with each change.
    @ivar garbage: how many datagrams were no reports.
    @ivar more: how many changes were not told, since there were too many.
    """

    def __init__(self, now: Callable[[], float], linger: float, changed: Callable[[Change], object]) -> None:
        self.components = Components(linger)
        self.garbage = 0
        self.more = 0
        self._rate = Rate(OF_ONE, OF_ALL)
        self._now = now
        self._changed = changed

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        try:
            report = decode(datagram, ASSOCIATIONS)
        except WireError:
            self.garbage += 1
            return
        source = addr[0].removeprefix("::ffff:")
        for change in self.components.heard(report, source, self._now()):
            if self._rate.admits(source, self._now()):
                self._changed(change)
            else:
                self.more += 1

    def tick(self) -> None:
        """Find out whose last report is too old, and tell."""
        for change in self.components.tick(self._now()):
            self._changed(change)


class LiveTable:
    """A table that is drawn again and again on a terminal."""

    def __init__(self, out: TextIO, where: str, options: argparse.Namespace) -> None:
        self._out = out
        self._where = where
        self._associations = options.associations
        self._sort, self._text = options.sort, options.filter

    def enter(self) -> None:
        """Leave what is on the terminal alone."""
        print(ENTER, end="", file=self._out, flush=True)

    def leave(self) -> None:
        """Show what was on the terminal before."""
        print(LEAVE, end="", file=self._out, flush=True)

    def draw(self, receiver: Receiver, now: float, size: tuple[int, int]) -> None:
        """Draw it.

        @param size: columns and lines of the terminal.
        """
        columns, height = size
        known = chosen(receiver.components.known, now, self._sort, self._text)
        title = f"{summary(receiver)}; reports come in at {self._where}"
        lines = rows(known, now, associations=self._associations, width=columns) if known else [self._nobody(receiver)]
        room = max(1, height - 2)
        if len(lines) > room:
            lines = [*lines[: room - 1], f"... {len(lines) - room + 1} more lines"]
        gone = {index for index, each in enumerate(known, 1) if each.gone is not None and not self._associations}
        marks = {0: REVERSE} | dict.fromkeys(gone, RED) if known else {}
        picture = [title[:columns], ""]
        for index, line in enumerate(lines):
            cut = line[:columns]
            picture.append(f"{marks[index]}{cut}{PLAIN}" if index in marks else cut)
        text = f"{REST}\r\n".join(picture)
        print(f"{HOME}{text}{REST}\x1b[J", end="", file=self._out, flush=True)

    def _nobody(self, receiver: Receiver) -> str:
        there = receiver.components.known
        return f"{self._text!r} is in the line of none of {len(there)}." if there else "Nobody has reported yet."


def summary(receiver: Receiver) -> str:
    """How many there are of each kind."""
    there = [known for known in receiver.components.known if known.gone is None]
    kinds = Counter(kind_text(known.report.sender) for known in there)
    text = ", ".join(f"{kinds[name]} {name}{'' if kinds[name] == 1 else 's'}" for name in KINDS.values())
    others = len(there) - sum(kinds[name] for name in KINDS.values())
    if others:
        text += f", {others} of other kinds"
    if receiver.components.ignored:
        text += f"; too many: {receiver.components.ignored} reports ignored"
    if receiver.garbage:
        text += f"; {receiver.garbage} datagrams were no reports"
    return text


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, clock: Callable[[], float] = time.time) -> int:
    """Show until this is cancelled, or once.

    @raise twisted.internet.error.CannotListenError: if another monitor listens there.
    @raise RSerPoolError: if nobody reported, and C{--once} was asked for.
    """
    now = clock_of(reactor)
    ended: Deferred[None] = Deferred()
    live = out.isatty() and not options.json and not options.once
    lines = Lines(out, options.json, clock)

    def failed(failure: Failure) -> None:
        # For example nobody reads our output any more.
        if not ended.called:
            ended.errback(failure)

    def changed(change: Change) -> None:
        if live or options.once:
            return
        try:
            lines.show(change_text(change), change=change.what, **component_json(change.known, now()))
        except OSError as error:
            failed(Failure(error))

    receiver = Receiver(now, options.keep, changed)
    (host,) = options.listen.hosts
    port = reactor.listenUDP(options.listen.port, receiver, interface=host, maxPacketSize=65535)
    where = str(TransportAddress((host,), port.getHost().port))
    picture = LiveTable(out, where, options)

    def look() -> None:
        receiver.tick()
        more, receiver.more = receiver.more, 0
        if more and not (live or options.once):
            lines.show(f"... {more} more changes", change="more", count=more)
        if live:
            picture.draw(receiver, now(), _size(out))

    looking = LoopingCall(look)
    looking.clock = reactor
    try:
        if live:
            picture.enter()
        looking.start(LOOK).addErrback(failed)
        if options.once:
            await deferLater(reactor, options.moment)
            return _once(receiver, options, out, now(), where)
        await ended
    except CancelledError:
        pass
    finally:
        if looking.running:
            looking.stop()
        if live:
            picture.leave()
        port.stopListening()
    return OK


def _once(receiver: Receiver, options: argparse.Namespace, out: TextIO, now: float, where: str) -> int:
    known = receiver.components.known
    if not known:
        raise RSerPoolError(f"nobody reported to {where} within {options.moment:g} s")
    known = chosen(known, now, options.sort, options.filter)
    text: Sequence[str] = rows(known, now, associations=options.associations)
    if options.json:
        text = [json.dumps(component_json(each, now)) for each in known]
    print("".join(f"{line}\n" for line in text), end="", file=out, flush=True)
    return OK


def _size(out: TextIO) -> tuple[int, int]:
    try:
        size = os.get_terminal_size(out.fileno())
    except (OSError, ValueError):
        return 80, 24
    return size.columns or 80, size.lines or 24
