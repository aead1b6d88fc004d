"""SCTP over UDP through libusrsctp keeps the contract of the backends (RFC 9260, RFC 6951)."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, TestCase

from rserpool.core import SctpUnavailable
from rserpool.sctp import ISctpStack, open_stack
from tests.sctp.contract import SctpContract


class UsrsctpContractTests(SctpContract, TestCase):
    """The contract, each stack with a UDP port of its own."""

    encapsulation: int | None = 0

    def setUp(self) -> None:
        super().setUp()
        # A handler that raises does so once more when its stack is closed after the test.
        self.addCleanup(self.flushLoggedErrors, ZeroDivisionError)

    async def makeStack(self, *hosts: str) -> ISctpStack:
        try:
            return open_stack(reactor, backend="usrsctp", hosts=hosts, encapsulation=self.encapsulation)
        except SctpUnavailable as error:
            raise SkipTest(str(error)) from None


class SharedPortContractTests(UsrsctpContractTests):
    """The contract, with one UDP port for the whole process: it talks to itself."""

    encapsulation = None
