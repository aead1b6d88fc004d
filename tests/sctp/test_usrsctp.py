"""SCTP over UDP through libusrsctp keeps the contract of the backends (RFC 9260, RFC 6951)."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, TestCase

from rserpool.core import SctpUnavailable
from rserpool.sctp import ISctpStack, open_stack
from rserpool.sctp.notifications import AddressChange
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

    async def test_the_only_path(self) -> None:
        """libusrsctp names no address where a peer has one alone: it is that one."""
        association, connecting, _, _ = await self.pair()
        association.endpoint.notified(AddressChange(association.identifier, "", "unreachable"))
        self.assertEqual([(association.peer_addresses[0], False)], connecting.paths[-1:])


class SharedPortContractTests(UsrsctpContractTests):
    """The contract, with one UDP port for the whole process: it talks to itself."""

    encapsulation = None
