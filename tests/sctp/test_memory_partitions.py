"""Faults of the network of SCTP in memory: partitions, delays, and hosts with several addresses."""

from __future__ import annotations

from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionLost,
    ConnectionRefusedError,
    TimeoutError,
)

from rserpool.core import TransportAddress
from rserpool.sctp.memory import MemoryStack
from tests.sctp.harness import Recorder
from tests.sctp.memory_network import NetworkCase


class PartitionTests(NetworkCase):
    """Paths that are cut, held, or slow."""

    def test_partition(self) -> None:
        """Nothing passes, others are not concerned, and in the end the association is lost at both ends."""
        third = Recorder(lambda: None)
        other = self.network.stack("10.0.0.3").open(0, third)
        bystander = other.connect(self.peer)
        association, _ = self.pair()
        self.network.partition({self.server_stack}, {self.client_stack})
        association.send(b"cut")
        bystander.send(b"not cut")
        self.run_for(1.0)
        self.assertEqual([b"not cut"], self.accepting.data)
        self.run_for(1.1)
        self.assertEqual(([ConnectionLost], [ConnectionLost]), (self.connecting.reasons, self.accepting.reasons))
        self.assertEqual([], third.lost)

    def test_heal(self) -> None:
        """Healed in time, all arrives."""
        association, _ = self.pair()
        self.network.partition({self.server_stack}, {self.client_stack})
        association.send(b"late")
        self.run_for(1.9)
        self.network.heal()
        self.run_for(3.0)
        self.assertEqual(([b"late"], []), (self.accepting.data, self.connecting.lost))

    def test_one_way(self) -> None:
        """With only the way back cut messages arrive, and are still reported as failed: no SACK came."""
        association, accepted = self.pair()
        self.network.partition_oneway({self.server_stack}, {self.client_stack})
        association.send(b"heard")
        accepted.send(b"unheard")
        self.run_for(2.1)
        self.assertEqual(([b"heard"], []), (self.accepting.data, self.connecting.data))
        self.assertEqual([[(b"heard", 0)], [(b"unheard", 0)]], [self.connecting.failed, self.accepting.failed])
        self.assertEqual(([ConnectionLost], [ConnectionLost]), (self.connecting.reasons, self.accepting.reasons))

    def test_one_way_healed(self) -> None:
        """Healed in time, nothing is reported as failed."""
        association, _ = self.pair()
        self.network.partition_oneway({self.server_stack}, {self.client_stack})
        association.send(b"heard")
        self.run_for(1.0)
        self.network.heal()
        association.abort()
        self.run_for(1.0)
        self.assertEqual(([b"heard"], []), (self.accepting.data, self.connecting.failed))

    def test_abort_behind_a_partition(self) -> None:
        """An ABORT that does not pass: the peer notices by itself, or when the path is back."""
        for heal_after in (5.0, 1.0):
            with self.subTest(heal_after=heal_after):
                association, _ = self.pair()
                self.network.partition({self.server_stack}, {self.client_stack})
                association.abort()
                self.run_for(heal_after)
                self.assertEqual(ConnectionAborted, self.connecting.reasons[-1])
                self.assertEqual(heal_after < self.network.detection, self.server.associations > 0)
                self.network.heal()
                self.run_for(0.1)
                self.assertEqual((ConnectionLost, 0), (self.accepting.reasons[-1], self.server.associations))
        self.finish()

    def test_hold(self) -> None:
        """What is held waits for as long as one likes; then it all arrives, in order."""
        association, accepted = self.pair()
        self.network.hold(self.client_stack, self.server_stack)
        for number in range(20):
            association.send(bytes([number]) * 65536)
        accepted.send(b"the other way")
        self.run_for(1000.0)
        self.assertEqual(([], [b"the other way"]), (self.accepting.received, self.connecting.data))
        self.assertEqual(["paused"], self.connecting.pressure)
        self.network.release(self.client_stack, self.server_stack)
        self.run_for(1.0)
        self.assertEqual([bytes([number]) * 65536 for number in range(20)], self.accepting.data)
        self.assertEqual((["paused", "resumed"], []), (self.connecting.pressure, self.connecting.lost))

    def test_hold_a_connect(self) -> None:
        """A set-up can be held, too."""
        self.network.hold(self.client_stack, self.server_stack)
        self.client.connect(self.peer)
        self.run_for(100.0)
        self.assertTrue(self.connecting.silent)
        self.network.release(self.client_stack, self.server_stack)
        self.run_for(1.0)
        self.assertEqual(1, len(self.connecting.up))

    def test_delay(self) -> None:
        """A slow path delays both ways."""
        association, accepted = self.pair()
        self.network.delay(self.server_stack, self.client_stack, 0.5)
        association.send(b"slow")
        self.run_for(0.49)
        self.assertEqual([], self.accepting.data)
        self.run_for(0.02)
        self.assertEqual([b"slow"], self.accepting.data)

    def test_smoothed_round_trip(self) -> None:
        """It is the way there and back; jitter evens out."""
        association, accepted = self.pair()
        self.network.delay(self.server_stack, self.client_stack, 0.1)
        self.network.jitter = 5.0
        self.assertEqual((0.2, 0.2), (association.smoothed_round_trip, accepted.smoothed_round_trip))

    def test_jitter(self) -> None:
        """Jitter changes when, by the seed, and never the order."""
        times: list[list[float]] = []
        for seed in (1, 1, 2):
            self.setUp()
            self.network.random.seed(seed)
            self.network.jitter = 0.01
            arrived: list[float] = []
            self.accepting.on_message = lambda *_, arrived=arrived: arrived.append(self.clock.seconds())
            association, _ = self.pair()
            self.run_for(0.1)
            for number in range(50):
                association.send(b"%d" % number)
                self.run_for(0.001)
            self.run_for(1.0)
            self.assertEqual([b"%d" % number for number in range(50)], self.accepting.data)
            times.append(arrived)
        self.assertEqual(times[0], times[1])
        self.assertNotEqual(times[0], times[2])


class HostTests(NetworkCase):
    """Addresses and ports."""

    def test_encapsulation_ports(self) -> None:
        """Registrars of one host take 9899 downwards, others ephemeral ports; a taken one is refused."""
        stacks = [self.network.stack("10.0.0.7", registrar=True) for _ in range(8)]
        self.assertEqual(list(range(9899, 9891, -1)), [stack.encapsulation_port for stack in stacks])
        self.assertRaises(CannotListenError, self.network.stack, "10.0.0.7", registrar=True)
        self.assertRaises(CannotListenError, self.network.stack, "10.0.0.7", encapsulation=9899)
        self.assertEqual(9899, self.network.stack("10.0.0.8", encapsulation=9899).encapsulation_port)
        self.assertNotEqual(self.network.stack().encapsulation_port, self.network.stack().encapsulation_port)

    def test_processes_of_a_host(self) -> None:
        """Two processes of one host may have the same SCTP port; the UDP port tells them apart."""
        neighbour = Recorder(lambda: None)
        stack = self.network.stack("10.0.0.1", registrar=True)
        stack.open(3863, neighbour)
        self.client.connect(TransportAddress(("10.0.0.1",), 3863, stack.encapsulation_port)).send(b"to the second")
        self.run_for(0.1)
        self.assertEqual(([], [b"to the second"]), (self.accepting.data, neighbour.data))

    def test_loopback_is_private(self) -> None:
        """127.0.0.1 is another place on each host."""
        heard: list[Recorder] = []
        stacks: list[MemoryStack] = []
        for host in ("10.0.0.11", "10.0.0.12"):
            heard.append(Recorder(lambda: None))
            stacks.append(self.network.stack(host, "127.0.0.1", encapsulation=9899))
            stacks[-1].open(3863, heard[-1])
        caller = self.network.stack("10.0.0.12", "127.0.0.1").open(0, self.connecting)
        caller.connect(TransportAddress(("127.0.0.1",), 3863)).send(b"home")
        self.run_for(0.1)
        self.assertEqual(([], [b"home"]), (heard[0].data, heard[1].data))
        only_loopback = self.network.stack("127.0.0.1").open(0, self.connecting)
        only_loopback.connect(TransportAddress(("10.0.0.12",), 3863))
        self.run_for(3.0)
        self.assertEqual([TimeoutError], self.connecting.reasons)

    def test_several_addresses(self) -> None:
        """A host with several addresses is reached at any; an association has all that fit."""
        stack = self.network.stack("10.0.0.20", "10.0.1.20", "fd00::20", "127.0.0.1")
        heard = Recorder(lambda: None)
        stack.open(3863, heard, ("0.0.0.0",))
        self.assertRaises(CannotListenError, stack.open, 3864, heard, ("10.0.0.21",))
        peer = TransportAddress(("fd00::20", "10.0.9.9", "10.0.1.20"), 3863, stack.encapsulation_port)
        association = self.client.connect(peer)
        self.run_for(0.1)
        self.assertEqual(("10.0.0.20", "10.0.1.20"), association.peer_addresses)
        self.assertEqual(("10.0.0.2",), heard.up[0].peer.hosts)

    def test_own_port(self) -> None:
        """An endpoint that dials itself is refused."""
        self.server.connect(self.peer)
        self.run_for(0.1)
        self.assertEqual([ConnectionRefusedError], self.accepting.reasons)

    def test_close(self) -> None:
        """Closing a stack aborts what is left, and then fires."""
        self.pair()
        closed = self.server_stack.close()
        self.assertNoResult(closed)
        self.run_for(0.1)
        self.successResultOf(closed)
        self.assertEqual(([ConnectionAborted], [ConnectionLost]), (self.accepting.reasons, self.connecting.reasons))
        self.assertEqual(9899, self.network.stack("10.0.0.1", registrar=True).encapsulation_port)
        self.assertIn("10.0.0.1/9899", repr(self.server_stack))

    def test_connect_on_a_closed_endpoint(self) -> None:
        """It fails as if it had been aborted."""
        self.client.abort()
        self.client.connect(self.peer)
        self.run_for(0.1)
        self.assertEqual([ConnectionAborted], self.connecting.reasons)
