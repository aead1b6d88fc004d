"""ASAP over TLS over TCP: like ASAP over TCP, with peers that are who they should be (RFC 5352 section 9.2)."""

from __future__ import annotations

from rserpool.node.tcp import Make
from rserpool.node.tls_tcp import over_tls
from rserpool.sctp.tls.framing import OwnLength
from tests.node.test_tcp import TcpTests
from tests.sctp.tls_case import tls_channel


class TlsTcpTests(TcpTests):
    """The same, over TLS."""

    def make(self) -> Make:
        return over_tls(tls_channel(framing=OwnLength(11)))


del TcpTests
