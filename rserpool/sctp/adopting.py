"""Sockets that a program has made itself become endpoints, ports and connections in the reactor (RFC 6458).

As C{adoptStreamPort} and C{adoptStreamConnection} do for TCP. A socket is handed over by its descriptor: a number, or
what has a C{fileno}, as Python's sockets and pysctp's C{sctpsocket} have. The descriptor is duplicated, and the program
may close its own; what it reads from its own meanwhile is lost here. Only the kernel has such sockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure

from rserpool.core.errors import ConfigurationError
from rserpool.sctp.interfaces import ISctpAssociation, ISctpEndpoint, ISctpHandler
from rserpool.sctp.one_to_one.ports import SctpPort
from rserpool.sctp.one_to_one.protocols import OneToOne
from rserpool.sctp.one_to_one.transport import AssociationTransport

if TYPE_CHECKING:
    from rserpool.sctp.kernel.adopted import HasDescriptor


def adoptEndpoint(reactor: Any, given: int | HasDescriptor, handler: ISctpHandler) -> ISctpEndpoint:
    """An endpoint on a one-to-many socket (SOCK_SEQPACKET) that is bound, listening or not.

    The handler hears of associations that the socket has already, as of new ones, after this call.

    @raise ConfigurationError: if it is another socket, or none; the text says what it is.
    @raise rserpool.core.errors.SctpUnavailable: if this machine's kernel has no SCTP.
    """
    from rserpool.sctp.kernel.stack import open_kernel

    return open_kernel(reactor).adopt(given, handler)


def adoptPort(reactor: Any, given: int | HasDescriptor, factory: IProtocolFactory) -> SctpPort:
    """A port on a one-to-one socket (SOCK_STREAM) that listens: each association gets a protocol, as by C{listenSCTP}.

    @raise ConfigurationError: if it is another socket, or none; the text says what it is.
    @raise rserpool.core.errors.SctpUnavailable: if this machine's kernel has no SCTP.
    """
    from rserpool.sctp.kernel.adopted import Style
    from rserpool.sctp.kernel.stack import open_kernel

    def opened(serving: OneToOne) -> None:
        kernel = open_kernel(reactor)
        serving.serve(kernel, kernel.adopt(given, serving, Style.LISTENING))

    port = SctpPort(reactor, factory, opened)
    port.startListening()
    return port


def adoptConnection(reactor: Any, given: int | HasDescriptor, factory: IProtocolFactory) -> AssociationTransport:
    """The transport of a protocol for a one-to-one socket (SOCK_STREAM) that is connected; the protocol has it already.

    @raise ConfigurationError: if it is another socket, or none; the text says what it is.
    @raise NoProtocol: if the factory has built none; the association is then aborted.
    @raise rserpool.core.errors.SctpUnavailable: if this machine's kernel has no SCTP.
    """
    from rserpool.sctp.kernel.adopted import Style
    from rserpool.sctp.kernel.stack import open_kernel

    kernel = open_kernel(reactor)
    connection = _Connection(reactor, factory)
    endpoint = kernel.adopt(given, connection, Style.CONNECTED)
    connection.serve(kernel, endpoint)
    made: list[Any] = []
    connection.made = made.append
    endpoint.begin()
    if not made:
        raise NoProtocol
    return connection.transport


class _Connection(OneToOne):
    """One association, and the end of its endpoint."""

    transport: AssociationTransport

    def associationUp(self, association: ISctpAssociation) -> None:
        super().associationUp(association)
        if association in self._protocols:
            self.transport = self._protocols[association][1]

    def associationLost(self, association: ISctpAssociation, reason: Failure) -> None:
        try:
            super().associationLost(association, reason)
        finally:
            self.endpoint.abort()


def pysctp_view(of: ISctpEndpoint | ISctpAssociation) -> Any:
    """The socket of an endpoint or an association as pysctp's C{sctpsocket}, to read its options.

    It is a duplicate: close it after use. Which options are read soundly so stands in docs/sctp.md.

    @raise ConfigurationError: if pysctp is not installed, or C{of} has no open socket of the kernel's.
    """
    from rserpool.sctp.kernel.sockets import KernelSocket

    sock = getattr(of, "socket", None)
    if not isinstance(sock, KernelSocket) or sock.fileno() < 0:
        raise ConfigurationError(f"{of!r} has no open socket of the kernel's SCTP")
    try:
        import sctp
    except ImportError:
        raise ConfigurationError("pysctp is not installed: pip install rserpool[kernel]") from None
    copy = sock.socket.dup()
    return sctp.sctpsocket(copy.family, copy.type, copy)
