"""Sockets that a program has made itself, and hands over by their descriptors (RFC 6458 sections 3 and 4).

Of their options only those are changed without which they cannot be read here (L{options.subscribe}); timers, buffers,
Nagle's algorithm and SO_LINGER stay as the program has chosen them.
"""

from __future__ import annotations

import os
import socket
from enum import Enum
from typing import Any, Protocol

from twisted.internet.error import ConnectError
from twisted.logger import Logger

from rserpool.core.errors import ConfigurationError
from rserpool.sctp.base import A_TURN
from rserpool.sctp.interfaces import ISctpHandler
from rserpool.sctp.kernel import options
from rserpool.sctp.kernel.association import KernelAssociation
from rserpool.sctp.kernel.endpoint import WILDCARDS, KernelEndpoint
from rserpool.sctp.kernel.settings import KernelSettings
from rserpool.sctp.kernel.sockets import KernelSocket
from rserpool.sctp.sockets import SocketStack

_log = Logger()
_PAUSE = 1.0
"""Seconds without accepting, when there are too many open files."""


class HasDescriptor(Protocol):
    """A Python socket, or what delegates to one, as pysctp's C{sctpsocket}."""

    def fileno(self) -> int:
        """Its descriptor."""


class Style(Enum):
    """What a socket is; the values are for sentences."""

    ONE_TO_MANY = "a one-to-many SCTP socket that is bound"
    LISTENING = "a one-to-one SCTP socket that listens"
    CONNECTED = "a one-to-one SCTP socket that is connected"


def duplicate(given: int | HasDescriptor, wanted: Style) -> socket.socket:
    """A duplicate of a socket, which shares all but its descriptor.

    @raise ConfigurationError: if it is not what is wanted; the text says what it is.
    """
    number = given if isinstance(given, int) else given.fileno()
    try:
        copy = os.dup(number)
    except OSError:
        raise ConfigurationError(f"descriptor {number} is closed") from None
    try:
        sock = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise ConfigurationError(f"descriptor {number} is not a socket") from None
    found = _style(sock)
    if found != wanted.value:
        sock.close()
        raise ConfigurationError(f"descriptor {number} is {found}, not {wanted.value}")
    return sock


def _style(sock: socket.socket) -> str:
    if sock.proto != options.IPPROTO_SCTP:
        return f"a socket of protocol {sock.proto}"
    if sock.type == socket.SOCK_SEQPACKET:
        return Style.ONE_TO_MANY.value if sock.getsockname()[1] else "a one-to-many SCTP socket that is not bound"
    if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return Style.LISTENING.value
    standing = options.standing(sock, 0)
    if standing is None or standing[1] < options.ESTABLISHED:
        return "a one-to-one SCTP socket that neither listens nor is connected"
    return Style.CONNECTED.value


class AdoptedEndpoint(KernelEndpoint):
    """An endpoint on a one-to-many socket that a program has made.

    Who opened an association before is not known: those that are up count as accepted. Of those that the program is
    still dialling only those are known that the kernel has given a number (C{sctp_connectx}).
    """

    adopted = True

    def __init__(
        self, stack: SocketStack[Any], settings: KernelSettings, handler: ISctpHandler, sock: socket.socket
    ) -> None:
        name = sock.getsockname()
        hosts = (name[0],) if name[0] in WILDCARDS else options.local_addresses(sock, 0)[0]
        super().__init__(stack, settings, name[1], handler, hosts)
        self.socket = self._read(sock)
        self._begun = False

    def open(self, listening: bool) -> None:
        sock = self.socket.socket
        sock.setblocking(False)
        options.unsubscribe(sock)
        options.subscribe(sock, options.ALL)

    def begin(self) -> None:
        """Tell of the associations that there are, and read; done once."""
        if not self._begun and not self.closed:
            self._begun = True
            for identifier in self._known():
                if identifier not in self.by_id:
                    self._join(self.socket, identifier)
            if not self.closed:
                self.socket.start()

    def _join(self, sock: KernelSocket, identifier: int) -> None:
        """An association was there before us."""
        standing = options.standing(sock.socket, identifier)
        association = self._accepted(sock, identifier) if standing is not None else None
        if standing is None or association is None:
            return
        _, state, streams = standing
        if state < options.ESTABLISHED:
            # The program dials; how that ends is told by a notification.
            association.outbound = True
            return
        association.set_up(streams)
        if state > options.ESTABLISHED:
            association.shut_down()

    def _read(self, sock: socket.socket) -> KernelSocket:
        return KernelSocket(self, self._settings, sock)

    def _known(self) -> tuple[int, ...]:
        return options.associations(self.socket.socket)


class OneToOneSocket(KernelSocket):
    """A socket with one association, which knows no C{SCTP_EOF} and no C{SCTP_ABORT}."""

    def control(self, identifier: int, flag: int) -> bool:
        try:
            if flag == self.EOF:
                self.socket.shutdown(socket.SHUT_WR)
            else:
                # It is closed as soon as the handler has been told.
                options.linger_not(self.socket)
        except OSError as error:
            _log.debug("{socket} is gone already: {error}", socket=self, error=error)
        return True


class AdoptedConnection(AdoptedEndpoint):
    """A one-to-one socket that is connected, as an endpoint with one association."""

    def _read(self, sock: socket.socket) -> KernelSocket:
        standing = options.standing(sock, 0)
        return OneToOneSocket(self, self._settings, sock, standing[0] if standing is not None else 0)

    def _known(self) -> tuple[int, ...]:
        return (self.socket.alone,)

    def _dial(self, association: KernelAssociation) -> Exception | None:
        return ConnectError(string=f"{self!r} is a one-to-one socket: it opens no further associations")


class ListeningSocket(KernelSocket):
    """A one-to-one socket that listens."""

    endpoint: AdoptedPort

    def start(self) -> None:
        if self.endpoint.accepting:
            super().start()

    def doRead(self) -> None:
        for _ in range(A_TURN):
            try:
                sock, _ = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                _log.warn("{port}: {error}; accepting nothing for a while", port=self, error=error)
                self.stop()
                self.endpoint.reactor.callLater(_PAUSE, self.start)
                return
            self.endpoint.take(sock)
            if not self.endpoint.accepting:
                return


class AdoptedPort(AdoptedConnection):
    """A one-to-one socket that listens, as an endpoint whose associations have sockets of their own."""

    @property
    def accepting(self) -> bool:
        """Whether peers may open associations."""
        return not self._closing

    def acceptNoMore(self) -> None:
        if self.accepting:
            # The kernel gives out none of them when it does not listen any more.
            self.socket.doRead()
            self._accept_no_more()

    def _accept_no_more(self) -> None:
        self.socket.stop()
        super()._accept_no_more()

    def _read(self, sock: socket.socket) -> KernelSocket:
        return ListeningSocket(self, self._settings, sock)

    def _known(self) -> tuple[int, ...]:
        return ()

    def take(self, sock: socket.socket) -> None:
        """A peer has opened an association; its socket has the options of the one that listens."""
        sock.setblocking(False)
        standing = options.standing(sock, 0)
        own = OneToOneSocket(self, self._settings, sock, standing[0] if standing is not None else 0)
        self._join(own, own.alone)
        if own.alone in self.by_id:
            own.start()
        else:
            own.close()


KINDS = {
    Style.ONE_TO_MANY: AdoptedEndpoint,
    Style.LISTENING: AdoptedPort,
    Style.CONNECTED: AdoptedConnection,
}
