"""What a registrar (or element, or proxy) tells a monitor over its admin interface, asked again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from threading import Event, Thread
from typing import Any

from rserpool.admin.client import AdminClient, AdminError
from rserpool.cli.monitor.entries import Described, Entry, told_elements, told_registrars
from rserpool.core.frozen import frozen

INTERVAL = 2.0
"""Seconds between two questions."""
SHARE = 0.1
"""No more than this part of the time may be spent with answers: many elements are asked for less often."""


@frozen
class Answer:
    """What was told at one time.

    @ivar who: who has told it, in words.
    """

    who: str
    registrars: Sequence[Described]
    elements: Sequence[Described]


def ask(client: AdminClient) -> Answer:
    """All that there is. It blocks.

    @raise AdminError: if that is not told.
    """
    about = client.about()
    elements: list[Described] = []
    for pool in client.pools():
        try:
            elements += client.elements(bytes.fromhex(pool["handle"]))
        except AdminError as error:
            if error.status != 404:
                raise
            # It went meanwhile.
    for path, state in (("draining", "draining"), ("evicted", "evicted")):
        elements += [{**each, state: True} for each in client.get(f"/v1/{path}")["elements"]]
    who = " ".join(filter(None, (about["role"], about.get("identifier"))))
    return Answer(f"{who} at {client.place}", client.registrars(), elements)


class Told:
    """What is known from one who is asked; who is not told of any more is shown for a while.

    @param linger: that while, in seconds.
    @param now: seconds of a clock.
    @ivar trouble: why nothing new is known; empty if something is.
    """

    def __init__(self, client: AdminClient, linger: float, now: Callable[[], float]) -> None:
        self._client = client
        self._linger = linger
        self._now = now
        self._ended = Event()
        self._heard = 0.0
        self._registrars: Sequence[Described] = ()
        self._elements: dict[tuple[str, str], Described] = {}
        self._gone: dict[tuple[str, str], tuple[float, Described]] = {}
        self._trouble = ""
        self.who = f"nobody yet at {client.place}"

    def heard(self, answer: Answer) -> None:
        """An answer has come."""
        now = self._now()
        elements = {(str(each["pool"]), str(each["identifier"])): each for each in answer.elements}
        for key in self._elements.keys() - elements.keys():
            self._gone[key] = now, {**self._elements[key], "removed": True, "answered": None}
        for key in self._gone.keys() & elements.keys():
            del self._gone[key]
        self.who, self._registrars, self._elements = answer.who, answer.registrars, elements
        self._heard, self._trouble = now, ""

    def failed(self, why: str) -> None:
        """There was none."""
        self._trouble = why

    @property
    def trouble(self) -> str:
        """What to tell of answers that do not come."""
        return self._trouble and f"{self._now() - self._heard:.0f} s old: {self._trouble}"

    def entries(self) -> Iterator[Entry]:
        """Those of whom it tells, and for a while those of whom it told."""
        now = self._now()
        self._gone = {key: kept for key, kept in self._gone.items() if now - kept[0] < self._linger}
        gone = (each for _, each in self._gone.values())
        return chain(told_registrars(self._registrars), told_elements((*self._elements.values(), *gone)))

    def begin(self, reactor: Any) -> Callable[[], None]:
        """Ask until the function that is returned is called."""
        Thread(target=self._go_on, args=(reactor,), daemon=True).start()
        return self._ended.set

    def _go_on(self, reactor: Any) -> None:
        pause = INTERVAL
        while not self._ended.wait(pause):
            began = time.monotonic()
            heard, told = self.once()
            reactor.callFromThread(heard, told)
            pause = max(INTERVAL, (time.monotonic() - began) / SHARE)

    def once(self) -> tuple[Callable[[Any], None], Any]:
        """Ask once; it blocks.

        @return: what to call, and with what.
        """
        try:
            return self.heard, ask(self._client)
        except AdminError as error:
            return self.failed, str(error)
        except (KeyError, TypeError, ValueError) as error:
            return self.failed, f"{self._client.place}: what it answers cannot be read: {error!r}"
