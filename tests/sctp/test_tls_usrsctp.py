"""TLS over SCTP through libusrsctp keeps the contract of the backends, and is spoken with GnuTLS (RFC 3436)."""

from __future__ import annotations

from twisted.internet import reactor

from rserpool.sctp import ISctpStack
from rserpool.sctp.tls.endpoint import TlsStack
from tests.sctp.test_usrsctp import UsrsctpContractTests
from tests.sctp.tls_case import TlsFeatures, tls_channel
from tests.sctp.tls_gnutls import GnuTlsContract
from tests.sctp.usrsctp_case import UsrsctpTestCase


class TlsUsrsctpContractTests(TlsFeatures, UsrsctpContractTests):
    """By a key."""

    async def makeStack(self, *hosts: str) -> ISctpStack:
        return TlsStack(reactor, await super().makeStack(*hosts), tls_channel())

    async def test_the_only_path(self) -> None:
        """It is what is beneath that knows of paths."""


class GnuTlsTests(GnuTlsContract, UsrsctpTestCase):
    """A peer on GnuTLS."""


del UsrsctpContractTests
