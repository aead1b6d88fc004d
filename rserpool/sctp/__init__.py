"""SCTP in the reactor: one set of interfaces, several backends (RFC 9260, RFC 6458)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rserpool.core.faces import lazily

if TYPE_CHECKING:
    from rserpool.sctp.adopting import adoptConnection, adoptEndpoint, adoptPort, pysctp_view
    from rserpool.sctp.interfaces import ISctpAssociation, ISctpEndpoint, ISctpHandler, ISctpProtocol, ISctpStack
    from rserpool.sctp.one_to_one.connector import connectSCTP
    from rserpool.sctp.one_to_one.endpoints import SctpClientEndpoint, SctpServerEndpoint
    from rserpool.sctp.one_to_one.ports import listenSCTP
    from rserpool.sctp.one_to_one.transport import SctpProtocol
    from rserpool.sctp.stack import open_stack
else:
    __getattr__ = lazily(
        __name__,
        {
            "ISctpAssociation": "rserpool.sctp.interfaces",
            "ISctpEndpoint": "rserpool.sctp.interfaces",
            "ISctpHandler": "rserpool.sctp.interfaces",
            "ISctpProtocol": "rserpool.sctp.interfaces",
            "ISctpStack": "rserpool.sctp.interfaces",
            "SctpClientEndpoint": "rserpool.sctp.one_to_one.endpoints",
            "SctpProtocol": "rserpool.sctp.one_to_one.transport",
            "SctpServerEndpoint": "rserpool.sctp.one_to_one.endpoints",
            "adoptConnection": "rserpool.sctp.adopting",
            "adoptEndpoint": "rserpool.sctp.adopting",
            "adoptPort": "rserpool.sctp.adopting",
            "connectSCTP": "rserpool.sctp.one_to_one.connector",
            "listenSCTP": "rserpool.sctp.one_to_one.ports",
            "open_stack": "rserpool.sctp.stack",
            "pysctp_view": "rserpool.sctp.adopting",
        },
    )

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
