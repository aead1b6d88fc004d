"""TLS over SCTP through libusrsctp keeps the contract of the backends (RFC 3436)."""

from __future__ import annotations

from twisted.internet import reactor

from rserpool.sctp import ISctpStack
from rserpool.sctp.tls.endpoint import TlsStack
from tests.sctp.test_usrsctp import UsrsctpContractTests
from tests.sctp.tls_case import TlsFeatures, tls_channel


class TlsUsrsctpContractTests(TlsFeatures, UsrsctpContractTests):
    """By a key."""

    async def makeStack(self, *hosts: str) -> ISctpStack:
        return TlsStack(reactor, await super().makeStack(*hosts), tls_channel())

    async def test_the_only_path(self) -> None:
        """It is what is beneath that knows of paths."""


del UsrsctpContractTests
