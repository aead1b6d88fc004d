"""Hosts on two networks, for tests of associations with several paths."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from rserpool.core import Profile, TransportAddress
from rserpool.core.profiles import FAST
from rserpool.sctp import ISctpStack, open_stack
from tests.lab import LabTests
from tests.lab.networks import Host, Networks
from tests.sctp.harness import Recorder, SctpHarness


class MultihomedCase(LabTests, SctpHarness, TestCase):
    """Hosts on two networks, and endpoints there."""

    def setUp(self) -> None:
        super().setUp()
        self.networks = Networks(self)
        self.here, self.there = self.networks.hosts(2)

    async def at(self, host: Host, *hosts: str, port: int = 0, profile: Profile = FAST) -> tuple[Any, Recorder]:
        """An endpoint at a host, by default at all its IPv4 addresses."""
        with host:
            stack: ISctpStack = open_stack(reactor, backend="kernel", hosts=hosts or host.addresses, profile=profile)
            self.addCleanup(lambda: Deferred.fromCoroutine(self.fired(stack.close())))
            recorder = self.recorder()
            endpoint = stack.open(port, recorder, hosts or host.addresses)
        self._stacks[endpoint] = stack
        return endpoint, recorder

    async def up(self, *hosts: str) -> tuple[Any, Recorder, Any, Recorder]:
        """An association from C{there} to C{here}."""
        server, accepting = await self.at(self.here, *hosts)
        client, connecting = await self.at(self.there)
        association = client.connect(TransportAddress(self.here.addresses, server.port))
        await self.until(lambda: bool(connecting.up and accepting.up))
        return association, connecting, accepting.up[0], accepting
