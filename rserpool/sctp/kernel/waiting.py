"""Associations for which the kernel has no room now, and what is done so that none keeps it from all others.

The associations of a socket share its send buffer (C{net.sctp.sndbuf_policy} 0): a peer that reads nothing would fill
it for good. So an association that has waited too long gets a socket, and buffers, of its own (RFC 6458 section 9.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from rserpool.sctp.kernel import options
from rserpool.sctp.kernel.port import Port

if TYPE_CHECKING:
    from rserpool.sctp.kernel.association import Association
    from rserpool.sctp.kernel.endpoint import Endpoint

PATIENCE = 0.5
"""An association that finds no room for so many seconds gets a socket of its own."""
_AGAIN = 0.1
_log = Logger()


class Waiting:
    """Those of one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._since: dict[Association, float] = {}
        self._timer: IDelayedCall | None = None
        # Where each association has a share of its own, the socket is always ready, and tells nobody when.
        self._patience = 0.0 if options.sysctl("sndbuf_policy") else PATIENCE

    def waits(self, association: Any, waiting: bool) -> None:
        """Whether an association waits for room."""
        if waiting:
            if association not in self._since:
                reactor = self._endpoint.reactor
                self._since[association] = reactor.seconds()
                association.port.want_room(True)
                if self._timer is None:
                    self._timer = reactor.callLater(self._patience, self._lose_patience)
        elif self._since.pop(association, None) is not None:
            self._still_wanted(association.port)

    def room(self, port: Port) -> None:
        """A socket has room again."""
        for association in [each for each in self._since if each.port is port]:
            association.flush()

    def stop(self) -> None:
        """The endpoint is closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _still_wanted(self, port: Port) -> None:
        port.want_room(any(other.port is port for other in self._since))

    def _lose_patience(self) -> None:
        endpoint = self._endpoint
        self._timer = None
        now = endpoint.reactor.seconds()
        waiting = [(since, association) for association, since in self._since.items() if not association.port.alone]
        for since, association in waiting:
            if now - since >= self._patience:
                self._peel_off(association)
        if waiting and endpoint.port_of_all is not None:
            self._timer = endpoint.reactor.callLater(max(self._patience, _AGAIN), self._lose_patience)

    def _peel_off(self, association: Association) -> None:
        port = association.port
        try:
            sock = options.peel_off(port.socket, association.identifier)
        except OSError as error:
            _log.warn("{association} gets no socket of its own: {error}", association=association, error=error)
            return
        association.move(Port(self._endpoint, sock, association.identifier))
        association.port.start()
        self._since.pop(association)
        self._still_wanted(port)
        association.flush()
