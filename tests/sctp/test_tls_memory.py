"""TLS over SCTP in memory keeps the contract of the backends (RFC 3436)."""

from __future__ import annotations

from rserpool.sctp import ISctpStack
from rserpool.sctp.tls.endpoint import TlsStack
from tests.sctp.test_memory import MemoryContractTests
from tests.sctp.tls_case import CERTIFICATES, KEYS, TlsFeatures, tls_channel


class TlsByKeyContractTests(TlsFeatures, MemoryContractTests):
    """By a key."""

    what = KEYS

    async def makeStack(self, *hosts: str) -> ISctpStack:
        return TlsStack(self.clock, await super().makeStack(*hosts), tls_channel(self.what))


class TlsByCertificateContractTests(TlsByKeyContractTests):
    """By certificates."""

    what = CERTIFICATES


del MemoryContractTests
