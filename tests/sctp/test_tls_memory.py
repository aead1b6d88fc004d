"""TLS over SCTP in memory keeps the contract of the backends, and is spoken with GnuTLS (RFC 3436)."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from rserpool.sctp import ISctpStack
from rserpool.sctp.tls.endpoint import TlsStack
from tests.sctp.contract import SctpContract
from tests.sctp.test_memory import MemoryHarness
from tests.sctp.tls_case import CERTIFICATES, KEYS, TlsFeatures, tls_channel
from tests.sctp.tls_gnutls import GnuTlsContract


class TlsByKeyContractTests(TlsFeatures, MemoryHarness, SctpContract, TestCase):
    """By a key."""

    what = KEYS

    async def makeStack(self, *hosts: str) -> ISctpStack:
        return TlsStack(self.clock, await super().makeStack(*hosts), tls_channel(self.what))


class TlsByCertificateContractTests(TlsByKeyContractTests):
    """By certificates."""

    what = CERTIFICATES


class GnuTlsTests(MemoryHarness, GnuTlsContract, TestCase):
    """A peer on GnuTLS."""
