"""What is to be registered: it is in its pool while somebody serves there (RFC 5352 section 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.internet.base import ReactorBase
from twisted.logger import Logger

from rserpool.core.handles import handle_text
from rserpool.core.wire.parameters import PolicyParameter, UserTransport
from rserpool.element.checks import EVERY, AnotherProcess, Checking
from rserpool.element.openings import open_ports
from rserpool.element.ports import KINDS, Place, place_of
from rserpool.element.system_ports import listens
from rserpool.node.own_addresses import moved


@dataclass
class Wanted:
    """A registration as its user wants it.

    @ivar identifier: the PE identifier; None until one is drawn.
    @ivar checking: what looks whether somebody serves there; None where that is believed.
    """

    transport: UserTransport
    policy: PolicyParameter
    identifier: int | None
    life: int | None
    framing: int
    checking: Checking | None = None


class Attending:
    """Looks after what is registered.

    @param join: registers in a pool; C{leave} does the contrary, and C{there} tells what is in the pool, or None.
    @ivar wanted: by pool.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        join: Callable[[bytes], None],
        leave: Callable[[bytes], None],
        there: Callable[[bytes], UserTransport | None],
    ) -> None:
        self.wanted: dict[bytes, Wanted] = {}
        self._reactor = reactor
        self._join = join
        self._leave = leave
        self._there = there
        self._running = False

    def add(self, handle: bytes, wanted: Wanted, checked: bool) -> None:
        """Register it now, if somebody serves there, or that is to be believed; else later."""
        self.wanted[handle] = wanted
        # A reactor in memory has ports of its own, of which the system knows nothing.
        if checked and isinstance(self._reactor, ReactorBase):
            wanted.checking = Checking(
                self._reactor, partial(self._is_served, handle), partial(self._looked, handle), every=EVERY
            )
        try:
            if wanted.checking is None or seems_served(self._reactor, wanted.transport):
                self._join(handle)
        except BaseException:
            del self.wanted[handle]
            raise
        if self._running and wanted.checking is not None:
            wanted.checking.start()

    def start(self) -> None:
        """Look after what is registered."""
        self._running = True
        for wanted in self.wanted.values():
            if wanted.checking is not None:
                wanted.checking.start()

    def stop(self) -> None:
        """Nothing is wanted any more."""
        self._running = False
        for handle in list(self.wanted):
            self.forget(handle)

    def moved(self, before: tuple[str, ...], now: tuple[str, ...]) -> None:
        """Our own addresses have changed: what comes back later is registered at the new ones, too."""
        for wanted in self.wanted.values():
            wanted.transport = moved(wanted.transport, before, now)

    def forget(self, handle: bytes) -> None:
        """It is to leave this pool."""
        wanted = self.wanted.pop(handle, None)
        if wanted is not None and wanted.checking is not None:
            wanted.checking.stop()

    def left(self, handle: bytes) -> bool:
        """It has left; whether it was to."""
        wanted = self.wanted.get(handle)
        if wanted is not None and wanted.checking is not None and wanted.checking.answer:
            # Somebody serves there again.
            self._join(handle)
        return wanted is None

    async def _is_served(self, handle: bytes) -> bool:
        # Its addresses may have changed.
        return await serves(self._reactor, self._there(handle) or self.wanted[handle].transport)

    def _looked(self, handle: bytes, answer: bool) -> None:
        wanted = self.wanted[handle]
        if answer:
            if self._there(handle) is None:
                self._join(handle)
            return
        place = str(Place(*kind_and_port(self._there(handle) or wanted.transport)))
        if self._there(handle) is not None:
            text = "{pool}: nobody listens on {place}: left the pool until somebody does"
            self._leave(handle)
        else:
            text = "{pool}: nobody listens on {place}: it is registered as soon as somebody does"
        self._log.warn(text, pool=handle_text(handle), place=place)


def seems_served(reactor: Any, transport: UserTransport) -> bool:
    """Whether somebody serves there, as far as that can be told at once; where it cannot, it is so."""
    kind, number = kind_and_port(transport)
    if kind not in KINDS or not number:
        return True
    return _here(reactor, Place(kind, number)) or listens(kind, number, transport.addresses) is not False


async def serves(reactor: Any, transport: UserTransport) -> bool:
    """Whether somebody serves there: this process, or another one."""
    kind, number = kind_and_port(transport)
    if kind not in KINDS or not number or _here(reactor, Place(kind, number)):
        return True
    return await AnotherProcess(reactor, kind, number, transport.addresses)()


def kind_and_port(transport: UserTransport) -> tuple[str, int]:
    """What a transport is, and its port; 0 where it has none."""
    return transport.kind, transport.port or 0


def _here(reactor: Any, place: Place) -> bool:
    return any(place_of(port) == place for port in open_ports(reactor))
