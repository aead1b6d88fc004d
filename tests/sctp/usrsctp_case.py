"""What tests of usrsctp have in common."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest, TestCase

from rserpool.core import SctpUnavailable
from rserpool.sctp import open_stack
from tests.sctp.harness import SctpHarness


class UsrsctpTestCase(SctpHarness, TestCase):
    """With stacks that end with the test."""

    async def makeStack(self, *hosts: str, **options: Any) -> Any:
        try:
            stack = open_stack(reactor, hosts=hosts, **{"backend": "usrsctp", "encapsulation": 0, **options})
        except SctpUnavailable as error:
            raise SkipTest(str(error)) from None
        self.addCleanup(stack.close)
        return stack

    def udp(self, host: str, port: int = 0) -> socket.socket:
        """A UDP socket of a stranger."""
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        stranger.bind((host, port))
        return stranger
