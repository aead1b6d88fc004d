"""Associations for which the kernel has no room now, and what is done so that none keeps it from all others.

The associations of a socket share its send buffer (C{net.sctp.sndbuf_policy} 0): a peer that reads nothing would fill
it for good. So an association that has waited too long gets a socket, and buffers, of its own (RFC 6458 section 9.2).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from rserpool.sctp.kernel.association import KernelAssociation
from rserpool.sctp.kernel.settings import KernelSettings
from rserpool.sctp.kernel.sockets import KernelSocket
from rserpool.sctp.log import LimitedLog

PATIENCE = 0.5
"""An association that finds no room for so many seconds gets a socket of its own."""
MOST_ALONE = 128
"""So many associations of an endpoint have one; beyond that the one for which most waits is given up."""
_AGAIN = 0.1
_log = Logger()


class WaitingForRoom:
    """Those of one endpoint."""

    def __init__(self, reactor: Any, settings: KernelSettings) -> None:
        self._reactor = reactor
        self._log = LimitedLog(_log, reactor.seconds)
        self._since: dict[KernelAssociation, float] = {}
        self._timer: IDelayedCall | None = None
        # Where each association has a share of its own, the socket is always ready, and tells nobody when.
        self._patience = PATIENCE if settings.shares_buffer else 0.0
        self._stopped = False

    def waits(self, association: KernelAssociation, waiting: bool) -> None:
        """Whether an association waits for room."""
        if waiting:
            if association not in self._since:
                self._since[association] = self._reactor.seconds()
                association.socket.want_room(True)
                if self._timer is None:
                    self._timer = self._reactor.callLater(self._patience, self._lose_patience)
        elif self._since.pop(association, None) is not None:
            self._still_wanted(association.socket)

    def room(self, sock: KernelSocket) -> None:
        """A socket has room again."""
        for association in [each for each in self._since if each.socket is sock]:
            association.flush()

    def stop(self) -> None:
        """The endpoint is closed."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _still_wanted(self, sock: KernelSocket) -> None:
        sock.want_room(any(other.socket is sock for other in self._since))

    def _lose_patience(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        waiting = [(since, association) for association, since in self._since.items() if not association.socket.alone]
        for since, association in waiting:
            if now - since >= self._patience:
                self._peel_off(association)
        if waiting and not self._stopped:
            self._timer = self._reactor.callLater(max(self._patience, _AGAIN), self._lose_patience)

    def _peel_off(self, association: KernelAssociation) -> None:
        shared = association.socket
        alone = [other for other in association.endpoint.present if other.socket.alone and other.established]
        if len(alone) >= MOST_ALONE:
            # File descriptors are for those who read.
            max(alone, key=lambda other: other.buffered).give_up()
        try:
            association.move(shared.peel_off(association.identifier))
        except OSError as error:
            self._log.warn("{association} gets no socket of its own: {error}", association=association, error=error)
            return
        self._since.pop(association)
        self._still_wanted(shared)
        association.flush()
