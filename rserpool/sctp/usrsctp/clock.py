"""The clock of the one libusrsctp of this process: it has none of its own, and is told how much time has passed."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from time import monotonic
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from rserpool.sctp.alarm import Alarm
from rserpool.sctp.usrsctp.library import Library
from rserpool.sctp.usrsctp.news import News
from rserpool.sctp.usrsctp.pace import LATE, TICK, Pace, Packet, Timed
from rserpool.sctp.usrsctp.packets import ports

_TICK: Final = int(TICK * 1000)
LINGER: Final = 5
"""So many ticks follow when the last association is gone: the library frees some things a little later."""
STALL: Final = 0.05
"""Whose clock was not moved for so many seconds, though it moves finely, was kept from it."""
AGAIN: Final = 0.25
"""After so many seconds at most an INIT is sent again (profile C{default})."""
PATIENCE: Final = 300
"""So many ticks the library may take to end; after that it is left as it is, and used again."""


class Reader(Protocol):
    """A UDP socket."""

    def doRead(self) -> None:
        """Read what came, up to a turn."""


class Told(Timed, Protocol):
    """An endpoint."""

    def look(self) -> None:
        """Read what the library has for it, if there is anything."""

    def doubt(self, handle: int, port: int) -> None:
        """The library has sent this peer a heartbeat by itself."""


class Clock:
    """
    @ivar pace: how finely it moves.
    @ivar news: which endpoints may have something to read.
    @ivar ticks: how many ticks have passed.
    @ivar running: whether the library is initialised.
    @ivar alarm: when it moves on.
    @ivar now: what it shows, in seconds.
    @ivar reading: whether a packet is being read while the clock stands still: L{served} sets the alarm, once for all
        that follows from it.
    @ivar unread: what packets are read from, and since when turns are too short for all that comes: mostly infinity.
    """

    log = Logger(namespace="rserpool.sctp.usrsctp.engine")

    def __init__(self, reactor: Any, library: Library, endpoints: Mapping[int, Told]) -> None:
        self.pace = Pace()
        self.news = News(endpoints)
        self.ticks = 1
        self.running = False
        self.alarm = Alarm(reactor, self._tick)
        self._lib = library.lib
        self._endpoints = endpoints
        self.unread: dict[Reader, float] = {}
        self._idle = 0
        self.now = 0.0
        self.reading = False
        self._ending: Deferred[None] | None = None

    def go_on(self) -> None:
        """The library is used again, though it was to end."""
        if self._ending is not None:
            done, self._ending = self._ending, None
            done.callback(None)
        self.alarm.listen()

    def finish(self) -> Deferred[None]:
        """End the library, when all endpoints are closed; it may take ticks until nothing lives."""
        for _ in range(LINGER):
            if self._lib.usrsctp_finish() == 0:
                self._finished()
                return succeed(None)
            if self.pace.associations:
                break
            # Nothing is under way: the time until it frees the last things may pass at once.
            self._lib.usrsctp_handle_timers(_TICK)
        done: Deferred[None] = Deferred()
        self._ending = done
        self._idle = PATIENCE
        self._arm()
        return done

    def _finished(self) -> None:
        self.running = False
        self.alarm.stop()

    # What is timed.

    def retain(self) -> None:
        """There is one association more to time."""
        pace = self.pace
        pace.associations += 1
        pace.moved = True
        if pace.coarse:
            self.show()
            pace.coarse = False
            self.alarm.set(self.now + TICK)
        self._arm()

    def release(self) -> None:
        """There is one less."""
        self.pace.associations -= 1
        self.linger()

    def linger(self) -> None:
        """Tick a few times more."""
        self._idle = max(self._idle, LINGER)
        self._arm()

    def awake(self) -> None:
        """Something begins that is timed, while the clock stands still: it shows the right time first."""
        self.pace.begun(self.show())
        self.sooner()

    def came(self, handle: int, packet: Packet) -> None:
        """A packet of this peer comes in while the clock stands still; L{served} follows."""
        self.reading = True
        self.pace.came(handle, packet, self.show())

    def heard(self, packet: Packet) -> None:
        """A heartbeat comes, or is answered, while the clock moves finely."""
        self.pace.heard(packet, self.now)

    def served(self) -> None:
        """It was read, and maybe answered. Now they come one by one: to look for another at once is not worth it."""
        self.reading = False
        pace = self.pace
        if pace.coarse:
            pace.calm(self._endpoints.values())
            until = pace.until(self._endpoints.values(), self.now)
            if abs(until - self.alarm.at) > LATE:
                self.alarm.set(until)

    def sooner(self) -> None:
        """Something is waited for: the clock may have to move on sooner."""
        if self.reading:
            return
        until = self.pace.until(self._endpoints.values(), self.now)
        if until < self.alarm.at:
            self.alarm.set(until)

    def _arm(self) -> None:
        if not self.alarm:
            self.now = monotonic()
            self.alarm.set(self.now + TICK)

    def _tick(self) -> None:
        pace = self.pace
        if not pace.coarse:
            self._catch_up(monotonic() > self.now + STALL)
        self.show()
        for endpoint in self.news.take(pace.now, pace.crowd.here):
            endpoint.look()
        pace.crowd.doubts(self._doubt)
        if not pace.associations:
            self._idle -= 1
            if self._has_ended() or self._idle <= 0:
                return
        if not self.alarm:
            now = monotonic()
            self.alarm.set(pace.next(self._endpoints.values(), now) if pace.associations else now + TICK)

    def read(self, reader: Reader, all_: bool) -> None:
        """A turn is over: whether all was read."""
        if reader in self.unread:
            self.unread[reader] = inf if all_ else min(self.unread[reader], monotonic())

    def is_behind(self, reader: Reader) -> bool:
        """Whether what is read now has waited for long: who begins a set-up has sent its INIT once more."""
        return monotonic() > self.unread.get(reader, inf) + AGAIN

    def _catch_up(self, late: bool) -> None:
        """Before time passes, what came is read, where a turn did not suffice for it or we stood still."""
        for each, unread in list(self.unread.items()):
            if unread < inf or late:
                each.doRead()

    def _doubt(self, handle: int, packet: bytes) -> None:
        here, there = ports(packet.ljust(12, b"\0"))
        endpoint = self._endpoints.get(here)
        if endpoint is not None:
            endpoint.doubt(handle, there)

    def _has_ended(self) -> bool:
        """Whether the library is to end, and that is over."""
        if self._ending is None:
            return False
        if self._lib.usrsctp_finish() == 0:
            self._finished()
        elif self._idle > 0:
            self.log.debug("libusrsctp is not ready to end")
        else:
            self.log.warn("libusrsctp did not end within {seconds} s", seconds=PATIENCE * TICK)
        if not self.running or self._idle <= 0:
            self._idle = 0
            self.go_on()
            return True
        return False

    def show(self) -> float:
        """Let it show the right time, also before data goes out while it stands still; L{sooner} follows that.

        @return: the right time.
        """
        now = self.pace.now = monotonic()
        elapsed = int((now - self.now) * 1000)
        if elapsed > _TICK and not self.pace.coarse and min(self.unread.values(), default=inf) < inf:
            # Answers may lie there: what is late because we are does not count.
            self.now += (elapsed - _TICK) / 1000
            elapsed = _TICK
        if elapsed > 0:
            self.ticks += elapsed // _TICK or 1
            self.now += elapsed / 1000
            self._lib.usrsctp_handle_timers(elapsed)
        return now
