"""Faults of SCTP in memory: processes that crash, and hosts that fall silent."""

from __future__ import annotations

from twisted.internet.error import (
    CannotListenError,
    ConnectionLost,
    ConnectionRefusedError,
    TimeoutError,
)

from rserpool.core import TransportAddress
from rserpool.sctp.base import PPID_ASAP
from tests.sctp.harness import Recorder
from tests.sctp.memory_network import NetworkCase


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
