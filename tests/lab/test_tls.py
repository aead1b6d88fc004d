"""TLS over the kernel's SCTP keeps the contract of the backends, and is spoken with GnuTLS (RFC 3436)."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from rserpool.sctp import ISctpStack
from rserpool.sctp.tls.endpoint import TlsStack
from tests.lab import LabTests
from tests.lab.test_kernel import KernelCase, KernelHarness
from tests.sctp.contract import SctpContract
from tests.sctp.tls_case import TlsFeatures, tls_channel
from tests.sctp.tls_gnutls import GnuTlsContract


class TlsKernelContractTests(LabTests, TlsFeatures, KernelCase, TestCase):
    """By a key."""

    async def makeStack(self, *hosts: str) -> ISctpStack:
        return TlsStack(reactor, await super().makeStack(*hosts), tls_channel())

    async def test_undelivered(self) -> None:
        """What was in a record that failed nobody knows."""
        await SctpContract.test_undelivered(self)


class GnuTlsTests(LabTests, GnuTlsContract, KernelHarness, TestCase):
    """A peer on GnuTLS."""
