"""What systemd hears of a process (sd_notify): that it serves, that it lives, what it does, that it ends.

A service of C{Type=notify} is up when it says so, and with C{WatchdogSec=} it is killed when its loop stands still. See
systemd's sd_notify(3); elsewhere nobody listens, and nothing is said.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.task import LoopingCall

LOOK: Final = 0.25
"""Seconds between two looks at whether it serves yet."""
TELL: Final = 5.0
"""Seconds between two looks at what there is to say, once it does."""


class Notifier:
    """Tells one process's supervisor.

    @param place: C{NOTIFY_SOCKET}: the path of a datagram socket; abstract if it begins with C{@}.
    @param ready: why it does not serve yet; empty when it does.
    @param status: what there is to see, in a line.
    @param watchdog: within so many seconds it must be heard of, again and again; 0.0 if nobody minds.
    """

    def __init__(
        self, reactor: Any, place: str, ready: Callable[[], str], status: Callable[[], str], watchdog: float = 0.0
    ) -> None:
        self._place = f"\0{place[1:]}" if place.startswith("@") else place
        self._ready, self._status = ready, status
        self._served = False
        self._told = ""
        self._looking = LoopingCall(self._look)
        self._living = LoopingCall(self._live)
        self._looking.clock = self._living.clock = reactor
        self._watchdog = watchdog

    def begin(self) -> None:
        """It has started, and will serve."""
        if not self._looking.running:
            self._looking.start(LOOK)
            if self._watchdog:
                self._living.start(self._watchdog / 2)

    def reloading(self) -> None:
        """It reads its files again."""
        # By this the supervisor knows that it is about a reload that was asked for before.
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now}")

    def reloaded(self) -> None:
        """It has."""
        if self._served:
            self._send("READY=1")

    def stopping(self) -> None:
        """It takes its leave; until that is done it lives."""
        if self._looking.running:
            self._looking.stop()
        self._send("STOPPING=1\nSTATUS=takes its leave")

    def end(self) -> None:
        """Nothing more is said."""
        for loop in (self._looking, self._living):
            if loop.running:
                loop.stop()

    def _look(self) -> None:
        why = self._ready()
        status = f"not ready: {why}" if why else self._status()
        said = []
        if not why and not self._served:
            said.append("READY=1")
        if status != self._told:
            said.append(f"STATUS={' '.join(status.split())}")
        if said and self._send("\n".join(said)):
            self._told = status
            if not why and not self._served:
                self._served = True
                # What there is to say changes often, where there is much.
                self._looking.interval = TELL

    def _live(self) -> None:
        # Nobody hears this of a loop that stands still.
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> bool:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(text.encode("utf-8", "replace"), self._place)
            return True
        return False


def notifier(reactor: Any, ready: Callable[[], str], status: Callable[[], str]) -> Notifier | None:
    """Who tells the supervisor that the environment names; None if it names none. Children do not inherit it.

    @param ready: see L{Notifier}.
    @param status: see L{Notifier}.
    """
    place = os.environ.pop("NOTIFY_SOCKET", "")
    microseconds, pid = os.environ.pop("WATCHDOG_USEC", ""), os.environ.pop("WATCHDOG_PID", "")
    if place[:1] not in ("/", "@") or len(place) == 1:
        return None
    ours = microseconds.isdigit() and pid in ("", str(os.getpid()))
    return Notifier(reactor, place, ready, status, int(microseconds) / 1e6 if ours else 0.0)


def status_text(about: dict[str, Any], peers: int = 0) -> str:
    """What a role says of itself (L{Subject.about<rserpool.admin.subjects.Subject.about>}), in a line."""
    if about["role"] == "registrar":
        return f"{_count(about['pools'], 'pool')}, {_count(about['elements'], 'element')}, {_count(peers, 'peer')}"
    home = about.get("home")
    where = f", registrar {home}" if home else ", no registrar"
    return f"{_count(about['pools'], 'pool')}{where}" if "pools" in about else f"relays to {about['pool']}{where}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
