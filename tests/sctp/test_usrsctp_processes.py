"""SCTP over UDP between real processes: killed, stopped, ended, restarted ones (RFC 9260 section 8, RFC 6951)."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SkipTest, TestCase

import rserpool
from rserpool.core import Profile, SctpUnavailable, TransportAddress
from rserpool.core.profiles import DEFAULT, FAST, RFC
from rserpool.sctp import open_stack
from rserpool.sctp.base import MAX_MESSAGE
from tests.sctp.harness import Recorder, SctpHarness

SLOW = replace(DEFAULT, rto_initial=60.0, rto_min=60.0, rto_max=60.0)
"""With these timers nobody waits for them."""

PATIENT = replace(DEFAULT, association_max_retransmissions=1000, max_init_retransmissions=1000)
"""With these nobody is given up: a loaded machine must not look like a silent host."""


class EchoProcess(ProcessProtocol):
    """A child that runs L{tests.sctp.echo_process}."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.lines: list[str] = []
        self.errors = b""
        self.ready: Deferred[TransportAddress] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self._rest = b""

    def outReceived(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.lines += [line.decode() for line in lines]
        if self.lines and not self.ready.called:
            port, udp = map(int, self.lines[0].split())
            self.ready.callback(TransportAddress((self.host,), port, udp))

    def errReceived(self, data: bytes) -> None:
        self.errors += data

    def processEnded(self, reason: Failure) -> None:
        if not self.ready.called:
            self.ready.errback(RuntimeError(self.errors.decode()))
        self.ended.callback(None)

    def signal(self, name: str) -> None:
        assert self.transport is not None
        self.transport.signalProcess(getattr(signal, f"SIG{name}"))


class ProcessTests(SctpHarness, TestCase):
    """One end is here, the other in a child process."""

    timeout = 30

    async def echo(
        self, host: str = "127.0.0.1", profile: Profile = RFC, *more: str
    ) -> tuple[EchoProcess, TransportAddress]:
        """Start a child; it is killed at the end of the test."""
        child = EchoProcess(host)
        root = str(Path(rserpool.__file__).parent.parent)
        reactor.spawnProcess(  # type: ignore[attr-defined]
            child,
            sys.executable,
            [sys.executable, "-m", "tests.sctp.echo_process", host, profile.name, *more],
            env={**os.environ, "PYTHONPATH": root},
            path=root,
        )

        def end() -> Deferred[None]:
            if not child.ended.called:
                child.signal("KILL")
            return child.ended

        self.addCleanup(end)
        return child, await child.ready

    async def client(self, peer: TransportAddress, profile: Profile = PATIENT) -> tuple[Any, Recorder]:
        """An endpoint here with an association to the child; one message has gone back and forth."""
        try:
            stack = open_stack(reactor, backend="usrsctp", profile=profile, hosts=peer.hosts)
        except SctpUnavailable as error:
            raise SkipTest(str(error)) from None
        self.addCleanup(stack.close)
        recorder = self.recorder()
        endpoint = stack.open(0, recorder, peer.hosts)
        association = endpoint.connect(peer)
        association.send(b"hello", 11, 1)
        await self.until(lambda: bool(recorder.received or recorder.lost))
        self.assertEqual([(b"hello", 11, 1, False)], recorder.received)
        return association, recorder

    async def _messages(self, host: str) -> None:
        _, peer = await self.echo(host)
        association, recorder = await self.client(peer)
        sizes = (1, 1000, 1180, 1452, 20000, MAX_MESSAGE)
        for size in sizes:
            association.send(b"x" * size, size)
        await self.until(lambda: len(recorder.received) == 1 + len(sizes))
        self.assertEqual([(size, size) for size in sizes], [(len(m[0]), m[1]) for m in recorder.received[1:]])
        association.send(b"close")
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionDone], recorder.reasons)

    async def test_messages(self) -> None:
        """Messages of all sizes go to another process and come back; a graceful end is one at both ends."""
        await self._messages("127.0.0.1")

    async def test_messages_ipv6(self) -> None:
        """The same over IPv6."""
        await self._messages("::1")

    async def test_killed(self) -> None:
        """A process that is killed is noticed by ICMP when something is sent to it; timers alone would take longer."""
        child, peer = await self.echo()
        association, recorder = await self.client(peer, SLOW)
        child.signal("KILL")
        await child.ended
        association.send(b"who is there?", 11)
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionLost], recorder.reasons)
        self.assertEqual([(b"who is there?", 11)], recorder.failed)

    async def test_killed_ipv6(self) -> None:
        """The same by ICMPv6."""
        child, peer = await self.echo("::1")
        association, recorder = await self.client(peer, SLOW)
        child.signal("KILL")
        await child.ended
        association.send(b"who is there?", 11)
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionLost], recorder.reasons)

    async def test_killed_probed(self) -> None:
        """Without anything to send, a probe finds out at once."""
        child, peer = await self.echo()
        association, recorder = await self.client(peer, SLOW)
        child.signal("KILL")
        await child.ended
        association.probe()
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionLost], recorder.reasons)

    async def test_alive_probed(self) -> None:
        """A probe of a peer that lives changes nothing."""
        child, peer = await self.echo()
        association, recorder = await self.client(peer)
        association.probe()
        association.send(b"still there?", 11)
        await self.until(lambda: len(recorder.received) == 2)
        self.assertEqual([], recorder.lost)

    async def test_killed_idle(self) -> None:
        """Without anything to send, the next heartbeat finds out."""
        child, peer = await self.echo()
        association, recorder = await self.client(peer)
        child.signal("KILL")
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionLost], recorder.reasons)

    async def test_killed_without_icmp(self) -> None:
        """A profile that does not believe in ICMP notices by its timers."""
        deaf = replace(FAST, icmp=False)
        child, peer = await self.echo()
        association, recorder = await self.client(peer, deaf)
        child.signal("KILL")
        await child.ended
        association.send(b"who is there?", 11)
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionLost], recorder.reasons)

    async def test_silent_idle(self) -> None:
        """A stopped process is as silent as a host without power: heartbeats notice."""
        child, peer = await self.echo()
        association, recorder = await self.client(peer, FAST)
        child.signal("STOP")
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionLost], recorder.reasons)

    async def test_silent_sending(self) -> None:
        """What a silent host did not acknowledge is reported."""
        child, peer = await self.echo()
        association, recorder = await self.client(peer, FAST)
        child.signal("STOP")
        messages = [b"%d" % i * 2000 for i in range(5)]
        for message in messages:
            association.send(message, 12)
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionLost], recorder.reasons)
        self.assertEqual([(message, 12) for message in messages], recorder.failed)

    async def test_awake_again(self) -> None:
        """A process that was given up as silent can be dialled again when it wakes up."""
        child, peer = await self.echo()
        _, recorder = await self.client(peer, FAST)
        child.signal("STOP")
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionLost], recorder.reasons)
        child.signal("CONT")
        again, patient = await self.client(peer)
        again.send(b"close")
        await self.until(lambda: bool(patient.lost))
        self.assertEqual([ConnectionDone], patient.reasons)

    async def test_slow_reader(self) -> None:
        """A peer that reads nothing for a while: the sender is paused, then resumed, and nothing is lost."""
        child, peer = await self.echo()
        association, recorder = await self.client(peer)
        child.signal("STOP")
        count = 0
        while not recorder.pressure:
            association.send(b"%c" % (count % 256) * MAX_MESSAGE)
            count += 1
        child.signal("CONT")
        await self.until(lambda: len(recorder.received) == 1 + count)
        self.assertEqual(["paused", "resumed"], recorder.pressure)
        self.assertEqual([b"%c" % (i % 256) * MAX_MESSAGE for i in range(count)], recorder.data[1:])

    async def test_exit(self) -> None:
        """A process that ends without a word is noticed as a killed one is."""
        child, peer = await self.echo()
        association, recorder = await self.client(peer)
        association.send(b"exit")
        await self.until(lambda: bool(recorder.lost))
        self.assertEqual([ConnectionLost], recorder.reasons)
        await child.ended

    async def test_others_live(self) -> None:
        """The death of one process does not touch associations with another."""
        one, first = await self.echo()
        two, second = await self.echo()
        association, recorder = await self.client(first)
        other, watched = await self.client(second)
        one.signal("KILL")
        await self.until(lambda: bool(recorder.lost))
        other.send(b"alive?")
        await self.until(lambda: len(watched.received) == 2)
        self.assertEqual([], watched.lost)

    async def test_restarted(self) -> None:
        """A killed process dials again from the same ports: the old association is lost, a new one is up."""
        stack = open_stack(reactor, backend="usrsctp", profile=replace(SLOW, icmp=False), encapsulation=0)
        self.addCleanup(stack.close)
        recorder = self.recorder()
        here = str(
            TransportAddress(("127.0.0.1",), stack.open(0, recorder, ("127.0.0.1",)).port, stack.encapsulation_port)
        )
        child, peer = await self.echo("127.0.0.1", RFC, "0", "0", here)
        await self.until(lambda: bool(recorder.received))
        child.signal("KILL")
        await child.ended
        self.assertEqual([], recorder.lost)
        await self.echo("127.0.0.1", RFC, str(peer.port), str(peer.encapsulation), here)
        await self.until(lambda: len(recorder.received) == 2)
        self.assertEqual(([ConnectionLost], 2), (recorder.reasons, len(recorder.up)))
        self.assertEqual(recorder.up, recorder.senders)
        self.assertEqual([peer, peer], [association.peer for association in recorder.up])
        recorder.up[1].send(b"close")
        await self.until(lambda: len(recorder.lost) == 2)
        self.assertEqual([ConnectionLost, ConnectionDone], recorder.reasons)
