"""The faults of a network in memory are those that SCTP's users see, and always the same for one seed."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionLost,
    ConnectionRefusedError,
    TimeoutError,
)
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.sctp.base import PPID_ASAP
from rserpool.sctp.memory import MemoryStack, Network
from tests.sctp.harness import Recorder


class NetworkCase(SynchronousTestCase):
    """Two hosts with an endpoint each."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network(self.clock)
        self.server_stack = self.network.stack("10.0.0.1", registrar=True)
        self.client_stack = self.network.stack("10.0.0.2")
        self.accepting, self.connecting = Recorder(lambda: None), Recorder(lambda: None)
        self.server = self.server_stack.open(3863, self.accepting)
        self.client = self.client_stack.open(0, self.connecting, listening=False)
        self.peer = TransportAddress(("10.0.0.1",), 3863)

    def run_for(self, seconds: float) -> None:
        """Step from deadline to deadline."""
        end = self.clock.seconds() + seconds
        while self.clock.getDelayedCalls() and self.clock.getDelayedCalls()[0].getTime() <= end:
            self.clock.advance(max(0.0, self.clock.getDelayedCalls()[0].getTime() - self.clock.seconds()))
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def pair(self) -> tuple[Any, Any]:
        """An association: connecting end, accepting end."""
        association = self.client.connect(self.peer)
        self.run_for(0.01)
        return association, self.accepting.up[-1]

    def finish(self) -> None:
        """Nothing is left behind."""
        self.assertEqual((0, 0), (self.client.associations, self.server.associations))
        self.run_for(10.0)
        self.assertEqual([], self.clock.getDelayedCalls())


class CrashTests(NetworkCase):
    """A process that is killed."""

    def test_peer_knows(self) -> None:
        """ICMP tells the peer within moments, with what was not delivered; the dead hears nothing."""
        association, accepted = self.pair()
        association.send(b"too late", PPID_ASAP)
        accepted.send(b"on the way")
        self.network.crash(self.server_stack)
        accepted.send(b"from beyond")
        self.run_for(0.019)
        self.assertEqual([], self.connecting.lost)
        self.run_for(0.002)
        self.assertEqual(([ConnectionLost], [b"on the way"]), (self.connecting.reasons, self.connecting.data))
        self.assertEqual([(b"too late", PPID_ASAP)], self.connecting.failed)
        self.assertEqual(([], []), (self.accepting.lost, self.accepting.received))
        self.finish()

    def test_restart(self) -> None:
        """Its ports are free at once; who connects then reaches the new process."""
        association, _ = self.pair()
        self.network.crash(self.server_stack)
        reborn = self.network.stack("10.0.0.1", registrar=True)
        self.assertEqual(self.server_stack.encapsulation_port, reborn.encapsulation_port)
        later = Recorder(lambda: None)
        reborn.open(3863, later)
        self.run_for(0.1)
        self.client.connect(self.peer).send(b"hello again")
        self.run_for(0.1)
        self.assertEqual(([b"hello again"], [ConnectionLost]), (later.data, self.connecting.reasons))

    def test_restart_unnoticed(self) -> None:
        """A process that returns and dials before its death was noticed replaces its old association."""
        self.network.icmp_delay = 1000.0
        caller = self.client_stack.open(5000, self.connecting)
        caller.connect(self.peer)
        self.run_for(0.01)
        self.network.crash(self.client_stack)
        again = Recorder(lambda: None)
        udp = self.client_stack.encapsulation_port
        reborn = self.network.stack("10.0.0.2", encapsulation=udp).open(5000, again)
        reborn.connect(self.peer)
        self.run_for(0.01)
        self.assertEqual(([ConnectionLost], 2, 1), (self.accepting.reasons, len(self.accepting.up), len(again.up)))
        self.assertEqual(1, self.server.associations)

    def test_dead_does_nothing(self) -> None:
        """A program that does not know that it is dead may go on calling."""
        association, _ = self.pair()
        self.network.crash(self.client_stack)
        self.client.connect(self.peer)
        association.close()
        association.abort()
        stopped = self.client.stopListening()
        self.assertRaises(CannotListenError, self.client_stack.open, 0, self.connecting)
        self.run_for(1.0)
        self.successResultOf(stopped)
        self.assertEqual(([], 1), (self.connecting.lost, len(self.connecting.up)))
        self.finish()

    def test_while_connecting(self) -> None:
        """A process that dies while it is being dialled: refused, since its host lives."""
        self.client.connect(self.peer)
        self.network.crash(self.server_stack)
        self.run_for(0.1)
        self.assertEqual([ConnectionRefusedError], self.connecting.reasons)


class SilenceTests(NetworkCase):
    """A host that says nothing."""

    def test_noticed(self) -> None:
        """Both ends lose the association after the detection time, idle or not."""
        association, _ = self.pair()
        association.send(b"into the void")
        self.network.silence(self.server_stack)
        self.run_for(1.999)
        self.assertEqual([], self.connecting.lost)
        self.run_for(0.002)
        self.assertEqual(([ConnectionLost], [ConnectionLost]), (self.connecting.reasons, self.accepting.reasons))
        self.assertEqual([(b"into the void", 0)], self.connecting.failed)
        self.assertEqual([], self.accepting.received)
        self.finish()

    def test_back_in_time(self) -> None:
        """A host that speaks again before that gets everything, late and in order."""
        association, accepted = self.pair()
        self.network.silence(self.server_stack)
        for data in (b"1", b"2", b"3"):
            association.send(data)
        accepted.send(b"4")
        self.run_for(1.5)
        self.network.unsilence(self.server_stack)
        self.run_for(0.01)
        self.assertEqual(([b"1", b"2", b"3"], [b"4"]), (self.accepting.data, self.connecting.data))
        self.run_for(10.0)
        self.assertEqual(([], []), (self.connecting.lost, self.accepting.lost))

    def test_connect(self) -> None:
        """A connect to it times out; if it is back before, the connect succeeds."""
        self.network.silence(self.server_stack)
        self.client.connect(self.peer)
        self.run_for(2.2)
        self.assertEqual([TimeoutError], self.connecting.reasons)
        self.client.connect(self.peer)
        self.run_for(1.0)
        self.network.unsilence(self.server_stack)
        self.run_for(0.2)
        self.assertEqual(1, len(self.connecting.up))

    def test_dies_while_silent(self) -> None:
        """ICMP does not come from a silent host."""
        self.pair()
        self.network.silence(self.server_stack)
        self.run_for(1.0)
        self.network.crash(self.server_stack)
        self.run_for(0.9)
        self.network.silence(self.client_stack)
        self.run_for(0.2)
        self.assertEqual([ConnectionLost], self.connecting.reasons)

    def test_no_such_host(self) -> None:
        """An address of nobody: a time-out; a living host without that process: refused at once."""
        self.client.connect(TransportAddress(("10.0.0.99",), 3863))
        self.client.connect(TransportAddress(("10.0.0.1",), 3863, 1234))
        self.run_for(0.1)
        self.assertEqual([ConnectionRefusedError], self.connecting.reasons)
        self.run_for(3.0)
        self.assertEqual([ConnectionRefusedError, TimeoutError], self.connecting.reasons)


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
