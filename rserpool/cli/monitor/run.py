"""C{rserpool monitor}: what registrars, elements and users report of themselves (rsplib's Component Status Protocol),
and what a registrar tells of its elements over its admin interface.

A list of pools with keys on a terminal; a line for each change anywhere else. Reports come from rsplib's components
(option C{-cspserver=}) and from those of this package (C{--csp-server}).
"""

from __future__ import annotations

import argparse
import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, TextIO

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.task import LoopingCall, cooperate, deferLater
from twisted.python.failure import Failure

from rserpool.cli.codes import OK
from rserpool.cli.monitor.asked import Told, ask
from rserpool.cli.monitor.components import change_text, component_json
from rserpool.cli.monitor.entries import POOLS, Entry, Key, gather
from rserpool.cli.monitor.looking import Looking
from rserpool.cli.monitor.picture import Header, plain_lines
from rserpool.cli.monitor.screen import Screen, can_draw
from rserpool.cli.monitor.view import SORTS, View, laid
from rserpool.cli.operator import add_admin_options, client_of, in_thread, place_of
from rserpool.cli.options import configured, number
from rserpool.cli.show import Lines
from rserpool.core.addresses import TransportAddress
from rserpool.core.admission import Rate
from rserpool.core.errors import ConfigurationError, RSerPoolError, WireError
from rserpool.core.monitoring.components import ASSOCIATIONS, Change, Components
from rserpool.core.monitoring.report import CSP_PORT, decode
from rserpool.monitor.reporting import csp_address
from rserpool.node.reactor import clock_of

OF_ONE, OF_ALL = 200, 500
"""So many changes a second are told of components of one machine, and of all: anybody may send reports."""
BUFFER = 4 * 2**20
"""Octets of reports that may wait while a picture is made."""
LOOK = 0.5
"""Seconds between two pictures."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        metavar="HOST[:PORT]",
        type=configured(csp_address),
        default=TransportAddress(("127.0.0.1",), CSP_PORT),
        help=f"where reports come in (127.0.0.1:{CSP_PORT}: from this host alone; 0.0.0.0 or [::]: from everywhere)",
    )
    add_admin_options(parser, needed=False, otherwise="reports alone count")
    parser.add_argument("--sort", choices=SORTS, default="name", help="what the entries of a pool are sorted by (name)")
    parser.add_argument("--filter", metavar="TEXT", default="", help="a table has only those in whose line this stands")
    parser.add_argument("--associations", action="store_true", help="tell all of each entry, its associations too")
    parser.add_argument(
        "--keep", metavar="SECONDS", type=number(float), default=10.0, help="how long to show what is gone (10)"
    )
    parser.add_argument("--once", action="store_true", help="listen for a moment, print what reports, and end")
    parser.add_argument(
        "--for", metavar="SECONDS", dest="moment", type=number(float), default=2.5, help="that moment (2.5)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON: an object for each change, or entry")


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


class Changes:
    """A line for each change.

    @param failed: called when it cannot be written.
    """

    def __init__(self, lines: Lines, now: Callable[[], float], failed: Callable[[Failure], object]) -> None:
        self._lines = lines
        self._now = now
        self._failed = failed

    def changed(self, change: Change) -> None:
        """This has changed."""
        try:
            self._lines.show(change_text(change), change=change.what, **component_json(change.known, self._now()))
        except OSError as error:
            self._failed(Failure(error))

    def more(self, count: int) -> None:
        """So many others have, too."""
        if count:
            self._lines.show(f"... {count} more changes", change="more", count=count)


class Watched:
    """All that is known, of those who report and of those of whom a registrar tells.

    @ivar where: where reports come in; empty if they do not.
    """

    def __init__(self, receiver: Receiver, told: Told | None, now: Callable[[], float], where: str) -> None:
        self._receiver = receiver
        self._told = told
        self._now = now
        self.where = where

    def gather(self, found: dict[Key, Entry]) -> Iterator[None]:
        """What there is now, bit by bit."""
        told = () if self._told is None else self._told.entries()
        return gather(found, self._receiver.components.known, self._now(), told)

    def entries(self) -> list[Entry]:
        """The same at once."""
        found: dict[Key, Entry] = {}
        for _ in self.gather(found):
            pass
        return list(found.values())

    def header(self) -> Header:
        """Where it comes from."""
        parts = [] if self._told is None else [self._told.who]
        parts.append(f"reports at {self.where}" if self.where else "no reports: another monitor has their port")
        ignored, garbage = self._receiver.components.ignored, self._receiver.garbage
        parts += [f"too many: {ignored} reports ignored"] if ignored else []
        parts += [f"{garbage} datagrams were no reports"] if garbage else []
        return Header("; ".join(parts), "" if self._told is None else self._told.trouble)


class Live:
    """The terminal of somebody who looks.

    @param ended: called when that is over.
    """

    def __init__(
        self, reactor: Any, out: TextIO, watched: Watched, view: View, ended: Callable[[Failure | None], object]
    ) -> None:
        self.screen = Screen(reactor, out, self._pressed, self._draw, ended)
        self._watched = watched
        self._looking = Looking(view)
        self._ended = ended

    def look(self) -> Deferred[Any]:
        """See what there is now, bit by bit: reports come in meanwhile, and would be lost."""
        return cooperate(self._look()).whenDone()

    def _look(self) -> Iterator[None]:
        found: dict[Key, Entry] = {}
        yield from self._watched.gather(found)
        self._looking.see(list(found.values()), self._watched.header())
        self._draw()

    def _draw(self) -> None:
        self.screen.draw(self._looking.lines(self.screen.size))

    def _pressed(self, key: str) -> None:
        self._looking.press(key, self.screen.size)
        if self._looking.view is None:
            self._ended(None)


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, clock: Callable[[], float] = time.time) -> int:
    """Show until this is cancelled, or once.

    @raise twisted.internet.error.CannotListenError: if another monitor listens there, and no registrar is asked.
    @raise rserpool.admin.client.AdminError: if a registrar is to be asked, and does not answer.
    @raise RSerPoolError: if nobody reported, and C{--once} was asked for.
    """
    now = clock_of(reactor)
    live = can_draw(out) and not options.json and not options.once
    told = await _told(reactor, options, now, wanted=live or options.once)
    ended: Deferred[None] = Deferred()

    def end(failure: Failure | None) -> None:
        # For example nobody reads our output any more.
        if not ended.called:
            ended.callback(None) if failure is None else ended.errback(failure)

    changes = None if live or options.once else Changes(Lines(out, options.json, clock), now, end)
    receiver = Receiver(now, options.keep, changes.changed if changes is not None else lambda change: None)
    port, where = _listen(reactor, options.listen, receiver, told is not None)
    watched = Watched(receiver, told, now, where)
    view = View(options.sort, text=options.filter, all_opened=options.associations)
    picture = Live(reactor, out, watched, view, end) if live else None

    def look() -> Deferred[Any] | None:
        receiver.tick()
        more, receiver.more = receiver.more, 0
        if changes is not None:
            changes.more(more)
        return None if picture is None else picture.look()

    looking = LoopingCall(look)
    looking.clock = reactor
    asking = told.begin(reactor) if told is not None else None
    try:
        if picture is not None:
            picture.screen.enter()
        looking.start(LOOK).addErrback(end)
        if options.once:
            await deferLater(reactor, options.moment)
            _print_once(watched, view, options, out, now)
        else:
            await ended
    except CancelledError:
        pass
    finally:
        if looking.running:
            looking.stop()
        if picture is not None:
            picture.screen.leave()
        if asking is not None:
            asking()
        if port is not None:
            port.stopListening()
    return OK


async def _told(reactor: Any, options: argparse.Namespace, now: Callable[[], float], *, wanted: bool) -> Told | None:
    """What a registrar tells, if one is named; who names none that answers hears of it at once."""
    if not wanted and options.admin is not None:
        raise ConfigurationError("argument --admin: lines tell of reports alone; --once prints what a registrar knows")
    if not wanted or place_of(options) is None:
        return None
    client = client_of(options)
    told = Told(client, options.keep, now)
    told.heard(await in_thread(reactor, ask, client))
    return told


def _listen(reactor: Any, place: TransportAddress, receiver: Receiver, spare: bool) -> tuple[Any, str]:
    """The port of reports, and where it is; there may be none if somebody else tells enough."""
    (host,) = place.hosts
    try:
        port = reactor.listenUDP(place.port, receiver, interface=host, maxPacketSize=65535)
    except CannotListenError:
        if not spare:
            raise
        return None, ""
    with suppress(AttributeError, OSError):  # the system may allow less
        port.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    return port, str(TransportAddress((host,), port.getHost().port))


def _print_once(
    watched: Watched, view: View, options: argparse.Namespace, out: TextIO, now: Callable[[], float]
) -> None:
    there = watched.entries()
    if not there:
        raise RSerPoolError(f"nobody reported to {watched.where} within {options.moment:g} s")
    # A line has room for everything here.
    rows = laid(view, there, 1000)
    if options.json:
        text = [json.dumps(_json(row.entry, now())) for row in rows if row.entry is not None and row.detail is None]
    else:
        text = plain_lines(view, rows)
    print("".join(f"{line}\n" for line in text), end="", file=out, flush=True)


def _json(entry: Entry, now: float) -> dict[str, Any]:
    """What is known of it: as it reports, and as the registrar tells."""
    pool = {"pool": entry.group.title} if entry.group.rank == POOLS else {}
    if entry.known is not None:
        pool |= component_json(entry.known, now)
    return pool | ({} if entry.told is None else {"told": dict(entry.told)})
