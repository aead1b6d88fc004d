"""SCTP in the reactor: one set of interfaces, several backends (RFC 9260, RFC 6458)."""

from __future__ import annotations

from rserpool.sctp.adopting import adoptConnection, adoptEndpoint, adoptPort, pysctp_view
from rserpool.sctp.interfaces import ISctpAssociation, ISctpEndpoint, ISctpHandler, ISctpProtocol, ISctpStack
from rserpool.sctp.one_to_one.connector import connectSCTP
from rserpool.sctp.one_to_one.endpoints import SctpClientEndpoint, SctpServerEndpoint
from rserpool.sctp.one_to_one.ports import listenSCTP
from rserpool.sctp.one_to_one.transport import SctpProtocol
from rserpool.sctp.stack import open_stack

__all__ = [
    "ISctpAssociation",
    "ISctpEndpoint",
    "ISctpHandler",
    "ISctpProtocol",
    "ISctpStack",
    "SctpClientEndpoint",
    "SctpProtocol",
    "SctpServerEndpoint",
    "adoptConnection",
    "adoptEndpoint",
    "adoptPort",
    "connectSCTP",
    "listenSCTP",
    "open_stack",
    "pysctp_view",
]
