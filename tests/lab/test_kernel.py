"""SCTP of the kernel keeps the contract of the backends (RFC 9260, RFC 6458), in this kernel."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, TestCase

from rserpool.core import SctpUnavailable
from rserpool.sctp import ISctpStack, open_stack
from rserpool.sctp.base import PPID_ASAP
from tests.lab import LabTests, strange
from tests.sctp import test_endpoints
from tests.sctp.contract import SctpContract
from tests.sctp.harness import SctpHarness


class KernelHarness(SctpHarness):
    """Stacks of the kernel's SCTP."""

    def setUp(self) -> None:
        super().setUp()
        # The contract sends anything by the PPID of ASAP.
        for address in (self.host, self.host6):
            strange(address)
        # A handler that raises does so once more when its stack is closed after the test.
        self.addCleanup(self.flushLoggedErrors, ZeroDivisionError)

    async def makeStack(self, *hosts: str) -> ISctpStack:
        try:
            return open_stack(reactor, backend="kernel", hosts=hosts)
        except SctpUnavailable as error:
            raise SkipTest(str(error)) from None


class KernelCase(KernelHarness, SctpContract):
    """The contract with the kernel's SCTP."""

    async def test_undelivered(self) -> None:
        """When the peer aborts, what its kernel had not acknowledged is reported before the association is lost.

        Unlike with stacks inside the process, much of what was sent may wait in the peer's kernel, acknowledged, when
        its process aborts: nobody can tell that from delivery.
        """
        association, connecting, _, accepting = await self.pair()
        accepting.on_message = lambda association, data: association.abort()
        failed_when_lost: list[int] = []
        connecting.on_lost = lambda association: failed_when_lost.append(len(connecting.failed))
        messages = [b"%08d" % i * 8000 for i in range(200)]
        for message in messages:
            association.send(message, PPID_ASAP)
        await self.until(lambda: bool(connecting.lost and accepting.lost))
        await self.settle()
        failed = [data for data, _ in connecting.failed]
        self.assertEqual(messages[len(messages) - len(failed) :], sorted(failed))
        self.assertLessEqual({ppid for _, ppid in connecting.failed}, {PPID_ASAP})
        self.assertEqual([len(failed)], failed_when_lost)
        self.assertEqual(1, len(accepting.received))


class KernelContractTests(LabTests, KernelCase, TestCase):
    """The contract."""

    async def test_several_in_few_packets(self) -> None:
        """What is sent together goes in full packets, and the last message waits for nothing."""
        association, _, _, accepting = await self.pair()
        for turn, several in enumerate(([bytes([i]) * 50 for i in range(1, 41)], [b"x", b"y"]), 1):
            before = packets()
            association.sendAll(several)
            await self.until(lambda: len(accepting.received) == len(several))  # noqa: B023
            self.assertEqual(several, accepting.data)
            # Two or three with data, those that acknowledge them, and maybe a heartbeat.
            self.assertLess(packets() - before, 12, turn)
            accepting.received.clear()


def packets() -> int:
    """How many packets this kernel's SCTP has sent."""
    counters = dict(line.split() for line in Path("/proc/net/sctp/snmp").read_text().splitlines())
    return int(counters["SctpOutSCTPPacks"])


class KernelEndpointTests(LabTests, test_endpoints.HttpTests):
    """Twisted's own client and server in the one-to-one style, by endpoint strings, over the kernel's SCTP."""

    def setUp(self) -> None:
        super().setUp()
        self.assertEqual("kernel", self.stack.name)
