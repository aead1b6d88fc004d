"""Those whom a port lets in: no machine gets all of the room, and who says nothing is let go (RFC 5352 section 9.1)."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from rserpool.core.addresses import machine
from rserpool.core.admission import HELLO, Admission
from rserpool.sctp.interfaces import ISctpAssociation

MOST_TOLD = 100
"""So many machines are told about that have too many."""
_log = Logger()


class Guest(Protocol):
    """A connection or association that was accepted."""

    def __hash__(self) -> int: ...

    def abort(self) -> None:
        """End it at once."""


class Guests:
    """Those of one port.

    @param what: what they are, in the plural, for the log.
    @param most: so many at once.
    @param most_of_one: so many of one machine.
    @ivar mute: associations that have said nothing yet.
    """

    def __init__(self, reactor: Any, what: str, most: int, most_of_one: int) -> None:
        self._reactor = reactor
        self._what = what
        self._admission: Admission[Guest] = Admission(most, most_of_one)
        self.mute: set[Guest] = set()
        self._told: set[str] = set()
        self._timer: IDelayedCall | None = None

    def __len__(self) -> int:
        return len(self._admission)

    def change(self, most: int, most_of_one: int) -> None:
        """So many may come from now on; who is there stays."""
        self._admission.most, self._admission.most_of_one = most, most_of_one

    def room(self, host: str) -> bool:
        """Whether one more may come from this IP address; another one may have to go for it."""
        welcome, victim = self._admission.room(host, self._reactor.seconds())
        if victim is not None:
            self._let_go(victim)
        if not welcome or victim is not None:
            self._tell(host)
        return welcome

    def comes(self, guest: Guest, host: str) -> None:
        """One is there."""
        self._admission.comes(guest, host, self._reactor.seconds())
        self._arm()

    def enters(self, association: ISctpAssociation) -> bool:
        """An association is up: whether it may stay, as one that we opened always may; else it is aborted."""
        if association.outbound or association.peer.protocol != "sctp":
            return True
        host = association.peer.hosts[0]
        if not self.room(host):
            association.abort()
            return False
        self.comes(association, host)
        self.mute.add(association)
        return True

    def speaks(self, guest: Guest) -> None:
        """It has said its first word."""
        self.mute.discard(guest)
        self._admission.speaks(guest)

    def goes(self, guest: Guest) -> None:
        """It is gone."""
        self.mute.discard(guest)
        self._admission.goes(guest)
        if not len(self._admission):
            self._told.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _arm(self) -> None:
        if self._timer is None and self._admission.crowded:
            self._timer = self._reactor.callLater(HELLO, self._look)

    def _look(self) -> None:
        self._timer = None
        for guest in self._admission.mute(self._reactor.seconds()):
            self._let_go(guest)
        self._arm()

    def _let_go(self, guest: Guest) -> None:
        self._admission.goes(guest)
        guest.abort()

    def _tell(self, host: str) -> None:
        """Said once of a machine, until all are gone."""
        where = machine(host)
        if where not in self._told and len(self._told) < MOST_TOLD:
            self._told.add(where)
            _log.warn(
                "{count} {what} of {where}, {all} in all: no more are accepted, or for others that say nothing",
                count=self._admission.of(host),
                what=self._what,
                where=where,
                all=len(self._admission),
            )
