"""News of this host's network, told by the system over netlink (RTM_NEWADDR ...: rtnetlink(7)); nothing is polled."""

from __future__ import annotations

import socket
import sys
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from rserpool.core.errors import ConfigurationError

SETTLED = 0.1
"""Seconds without a further change, after which changes are told."""
ADDRESSES = 0x10 | 0x100
"""RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR."""
ROUTES = 0x40 | 0x400
"""RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE."""
ROOM = 1 << 16
"""Bytes of what comes at once."""


@implementer(IReadDescriptor)
class Netlink:
    """Hears of changes, and looks at what is so now once no more come.

    @param groups: what it hears of.
    """

    _log = Logger()

    def __init__(self, reactor: Any, groups: int) -> None:
        """
        @raise ConfigurationError: if this system tells nothing.
        """
        self._reactor = reactor
        self._telling: Any = None
        if not sys.platform.startswith("linux"):
            raise ConfigurationError(f"on {sys.platform} an element's own addresses must be named one by one")
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        try:
            self._socket.bind((0, groups))
            self._socket.setblocking(False)
        except BaseException:
            self._socket.close()
            raise

    # What a subclass supplies.

    def heard(self, data: bytes) -> None:
        """Take in what the system says."""

    def missed(self) -> None:
        """Something was said that is lost."""

    def look(self) -> None:
        """All has settled."""
        raise NotImplementedError

    # What users call.

    def start(self) -> None:
        """Watch."""
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Look no more."""
        self._reactor.removeReader(self)
        if self._telling is not None and self._telling.active():
            self._telling.cancel()
        self.close()

    def close(self) -> None:
        """Look no more, where L{start} was never called."""
        self._socket.close()

    # IReadDescriptor

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "addresses of this host"

    def connectionLost(self, reason: Failure) -> None:
        self._log.warn("changes of this host's addresses are not told any more: {reason}", reason=reason.value)

    def doRead(self) -> None:
        try:
            self.heard(self._socket.recv(ROOM))
        except BlockingIOError:
            return
        except OSError:
            # Too many at once: some are lost.
            self.missed()
        if self._telling is not None and self._telling.active():
            self._telling.reset(SETTLED)
        else:
            self._telling = self._reactor.callLater(SETTLED, self.look)
