"""The lab's hosts and networks: what is cut is cut, and what is mended goes through."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.lab import LabTests
from tests.lab.networks import Host, Networks, tool

MESSAGE = b"anybody there?"


class NetworksTests(LabTests, SynchronousTestCase):
    """Datagrams between two hosts."""

    def setUp(self) -> None:
        self.networks = Networks(self)
        self.here, self.there = self.networks.hosts(2)

    def arrives(self, network: int, family: int = socket.AF_INET) -> bool:
        """Whether a datagram comes from one host to the other through that network."""

        def address(host: Host) -> str:
            return (host.addresses if family == socket.AF_INET else host.addresses6)[network]

        with self.here:
            sending = socket.socket(family, socket.SOCK_DGRAM)
        with self.there:
            receiving = socket.socket(family, socket.SOCK_DGRAM)
        with sending, receiving:
            sending.bind((address(self.here), 0))
            receiving.bind((address(self.there), 0))
            # In a healthy lab it comes at once; only what is lost costs this time.
            receiving.settimeout(0.3)
            sending.sendto(MESSAGE, receiving.getsockname())
            try:
                return receiving.recv(100) == MESSAGE
            except TimeoutError:
                return False

    def arrives_at_last(self, network: int) -> bool:
        """Whether a datagram comes through, as soon as the hosts have noticed that they may."""
        return any(self.arrives(network) for _ in range(10))

    def through(self) -> list[bool]:
        """Which networks a datagram goes through."""
        return [self.arrives(0), self.arrives(1)]

    def test_both_networks(self) -> None:
        """Two hosts reach each other through both networks, by IPv4 and IPv6."""
        self.assertEqual(self.through(), [True, True])
        self.assertTrue(self.arrives(0, socket.AF_INET6))
        self.assertTrue(self.arrives(1, socket.AF_INET6))

    def test_cut(self) -> None:
        """A network that is cut lets nothing through until it is mended; the other one goes on."""
        self.assertTrue(self.arrives(0))
        self.networks.cut(0)
        self.assertEqual(self.through(), [False, True])
        self.networks.mend(0)
        self.assertTrue(self.arrives_at_last(0))

    def test_cut_host(self) -> None:
        """A host's way into one network can be cut alone, and mended."""
        self.networks.cut(1, self.there)
        self.assertEqual(self.through(), [True, False])
        self.networks.mend(1, self.there)
        self.assertTrue(self.arrives_at_last(1))

    def test_unplug(self) -> None:
        """A host sees that its link is down, and up again."""
        self.networks.unplug(0, self.there)
        self.assertFalse(self.arrives(0))
        self.networks.plug(0, self.there)
        self.assertTrue(self.arrives_at_last(0))

    def test_processes(self) -> None:
        """A process that is started there is on that host."""
        with self.there:
            shown = subprocess.run([tool("ip"), "-4", "-o", "addr"], check=True, capture_output=True, text=True).stdout
        self.assertIn(self.there.addresses[1], shown)
        self.assertNotIn(self.here.addresses[1], shown)


class EndTests(LabTests, SynchronousTestCase):
    """Nothing is left of networks when a test is over."""

    def test_end(self) -> None:
        """Neither interfaces nor namespaces, and this process is where it was."""
        inside = os.readlink("/proc/self/ns/net")

        class One(SynchronousTestCase):
            def runTest(self) -> None:
                networks = Networks(self)
                networks.enter(networks.hosts(1)[0])
                assert os.readlink("/proc/self/ns/net") != inside

        result = self.defaultTestResult()
        One().run(result)
        self.assertTrue(result.wasSuccessful(), result.errors)
        self.assertEqual(os.readlink("/proc/self/ns/net"), inside)
        self.assertEqual(list(Path("/run/netns").iterdir()), [])
        shown = subprocess.run(["ip", "-o", "link"], check=True, capture_output=True, text=True).stdout
        self.assertEqual(len(shown.splitlines()), 2, shown)
