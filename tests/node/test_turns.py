"""Fair turns: who sends a lot waits for its turn, over TCP and SCTP alike (RFC 5352 section 9.1, threat 8)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.wire import asap
from rserpool.node import turns as turns_module
from rserpool.node.reactor import ReactorLoop
from rserpool.node.tcp import MOST_UNSERVED, AsapTcpProtocol
from rserpool.node.turns import Turns
from rserpool.sctp.base import A_TURN, PIECE, PPID_ASAP
from rserpool.testing import Scope
from tests.node.talker import Talker

QUESTION = asap.encode(asap.HandleResolution(b"pool"))


class Peer:
    """An association."""

    outbound = False
    credentials = None

    def __init__(self, host: str) -> None:
        self.peer = TransportAddress((host,), 5000)
        self.aborted = False

    def send(self, data: bytes, ppid: int = 0) -> None:
        """Nothing is answered here."""

    def probe(self) -> None:
        """Nothing is asked."""

    def abort(self) -> None:
        self.aborted = True

    close = abort


class OneByOne(Clock):
    """A reactor whose turns come one by one."""

    def turn(self) -> None:
        """What is due now, and nothing that follows from it."""
        due, self.calls = self.calls, []
        for call in due:
            call.func(*call.args, **call.kw)


class TurnsTests(SynchronousTestCase):
    """Peers that send more than is served in a turn.

    @ivar served: whose messages were served, in order.
    """

    def setUp(self) -> None:
        self.clock = OneByOne()
        loop = ReactorLoop(self.clock)
        self.turns = Turns(loop, loop.log)
        self.served: list[tuple[Peer, bytes]] = []
        self.lost: list[Peer] = []

    def sends(self, peer: Peer, *messages: bytes) -> None:
        """Messages that have to wait."""
        for message in messages:
            self.turns.keep(peer, message, lambda carrier, data: self.served.append((carrier, data)))

    def all_turns(self) -> int:
        """Let all turns come; how many there were."""
        count = 0
        while self.clock.getDelayedCalls():
            before = len(self.served)
            self.clock.turn()
            self.assertLessEqual(len(self.served) - before, A_TURN)
            count += 1
        return count

    def test_bounded(self) -> None:
        """So many messages are served in one turn, and the order of each peer is kept."""
        peer = Peer("10.6.6.6")
        self.sends(peer, *(b"%d" % number for number in range(400)))
        self.assertEqual(self.served, [])
        self.assertEqual(self.all_turns(), 4)
        self.assertEqual([data for _, data in self.served], [b"%d" % number for number in range(400)])
        self.assertEqual((self.turns.left, self.turns.waiting), (4 * A_TURN - 400, {}))

    def test_one_of_each(self) -> None:
        """Ten peers with thousands of messages, and one with one: eleven messages later it has been served."""
        for number in range(10):
            self.sends(Peer(f"10.6.6.{number}"), *[b"?"] * 4096)
        user = Peer("10.0.2.1")
        self.sends(user, b"?")
        self.clock.turn()
        self.assertEqual(self.served.index((user, b"?")), 10)

    def test_one_of_each_machine(self) -> None:
        """A machine with a thousand associations gets no more than one with one."""
        for _ in range(1000):
            self.sends(Peer("10.6.6.6"), b"?", b"?")
        user = Peer("10.0.2.1")
        self.sends(user, *[b"?"] * 10)
        self.clock.turn()
        self.assertEqual([peer for peer, _ in self.served].count(user), 10)

    def test_too_much(self) -> None:
        """Of one peer 4 MiB wait, a message of a byte counts as 128: who sends more is cut off, and served no more."""
        peer, other = Peer("10.6.6.6"), Peer("10.0.2.1")
        self.patch(turns_module, "MOST_OF_ONE", 100 * PIECE)
        self.sends(other, b"!")
        self.sends(peer, *[b"?"] * 100)
        self.assertFalse(peer.aborted)
        self.sends(peer, b"?")
        self.assertTrue(peer.aborted)
        self.all_turns()
        self.assertEqual(self.served, [(other, b"!")])

    def test_too_much_of_all(self) -> None:
        """Where all together have too much, who has most is cut off."""
        self.patch(turns_module, "MOST", 100 * PIECE)
        peers = [Peer(f"10.6.6.{number}") for number in range(4)]
        for number, peer in enumerate(peers):
            self.sends(peer, *[b"?"] * (41 if number == 3 else 20))
        self.assertEqual([peer.aborted for peer in peers], [False, False, False, True])

    def test_lost(self) -> None:
        """That it is gone is told when what it had sent was served: a farewell comes before the end."""
        peer = Peer("10.6.6.6")
        self.sends(peer, *[b"?"] * 140)
        self.turns.lost(peer, self.lost.append, True)
        self.clock.turn()
        self.assertEqual((len(self.served), self.lost), (A_TURN, []))
        self.all_turns()
        self.assertEqual((len(self.served), self.lost), (140, [peer]))

    def test_lost_and_cut(self) -> None:
        """Who is gone, and has more waiting than may be, is told as gone at once."""
        peer = Peer("10.6.6.6")
        self.sends(peer, b"?")
        self.turns.lost(peer, self.lost.append, True)
        self.patch(turns_module, "MOST", 0)
        self.sends(Peer("10.6.6.7"), b"")
        self.assertEqual(len(self.lost), 1)

    def test_held(self) -> None:
        """Who reads too slowly is not served until it has caught up; others are."""
        peer, other = Peer("10.6.6.6"), Peer("10.0.2.1")
        self.sends(peer, b"1")
        self.turns.hold(peer)
        self.sends(peer, b"2")
        self.sends(other, b"!")
        self.all_turns()
        self.assertEqual(self.served, [(other, b"!")])
        self.turns.release(peer)
        self.turns.release(peer)
        self.all_turns()
        self.assertEqual([data for _, data in self.served], [b"!", b"1", b"2"])

    def test_held_and_lost(self) -> None:
        """What it had sent is served before it is told as gone."""
        peer = Peer("10.6.6.6")
        self.turns.hold(peer)
        self.sends(peer, b"1")
        self.turns.lost(peer, self.lost.append, True)
        self.all_turns()
        self.assertEqual((len(self.served), self.lost), (1, [peer]))

    def test_aborted(self) -> None:
        """Whom we have cut off is served no more."""
        peer = Peer("10.6.6.6")
        self.sends(peer, *[b"?"] * 40)
        self.turns.lost(peer, self.lost.append, False)
        self.assertEqual(self.lost, [peer])
        self.all_turns()
        self.assertEqual(self.served, [])

    def test_failing(self) -> None:
        """A message that cannot be served keeps nobody else waiting."""

        def fail(carrier: Any, data: bytes) -> None:
            raise ZeroDivisionError

        self.turns.keep(Peer("10.6.6.6"), b"?", fail)
        self.sends(Peer("10.0.2.1"), b"!")
        self.clock.turn()
        self.assertEqual(len(self.served), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_stopped(self) -> None:
        self.sends(Peer("10.6.6.6"), *[b"?"] * 40)
        self.turns.stop()
        self.turns.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class Transport(StringTransport):
    """What a connection needs."""

    def setTcpNoDelay(self, on: bool) -> None:
        """It is not slow."""

    def setTcpKeepAlive(self, on: bool) -> None:
        """Nobody vanishes."""

    def abortConnection(self) -> None:
        """It is over."""


class RegistrarTests(SynchronousTestCase):
    """Ten that ask a registrar as fast as they can, and a user.

    @ivar order: who was answered, in order.
    """

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        self.scope.element("pool")
        self.scope.settle()
        self.registrar = self.scope.registrars[0]
        self.order: list[str] = []

    def connection(self, host: str) -> tuple[AsapTcpProtocol, Transport]:
        """A connection of the registrar's."""
        connection = AsapTcpProtocol(
            self.scope.clock, self.registrar.node.asap, TransportAddress((host,), 5000, protocol="tcp"), outbound=False
        )
        transport = Transport()
        write = transport.write

        def written(data: bytes) -> None:
            self.order.append(host)
            write(data)

        transport.write = written  # type: ignore[method-assign]
        connection.makeConnection(transport)
        return connection, transport

    def test_tcp(self) -> None:
        """Each sends 64 KiB of questions in one turn: 128 are answered before somebody else has a turn, and the user
        after at most 138 of 40,960. All are answered, one after the other."""
        many = QUESTION * (65536 // len(QUESTION))
        attackers = [self.connection(f"10.6.6.{number}")[0] for number in range(10)]
        user, _ = self.connection("10.0.2.99")
        for each in attackers:
            each.dataReceived(many)
        self.assertLessEqual(len(self.order), A_TURN)
        user.dataReceived(QUESTION)
        self.scope.advance(0.0)
        self.assertLessEqual(self.order.index("10.0.2.99"), A_TURN + 10)
        self.scope.advance(1.0)
        counts = Counter(self.order)
        self.assertEqual(set(counts.values()), {1, len(many) // len(QUESTION)})

    def test_tcp_reads_no_more(self) -> None:
        """Who waits for its turn is not read beyond 128 KiB."""
        one, _ = self.connection("10.6.6.1")
        two, transport = self.connection("10.6.6.2")
        one.dataReceived(QUESTION * 200)
        two.dataReceived(QUESTION * 200)
        two.dataReceived(QUESTION * (MOST_UNSERVED // len(QUESTION)))
        self.assertEqual(transport.producerState, "paused")
        self.scope.advance(1.0)
        self.assertEqual(transport.producerState, "producing")

    def test_tcp_half_closed(self) -> None:
        """Who asks a lot and sends no more gets all answers, and then the end."""
        connection, transport = self.connection("10.6.6.1")
        connection.dataReceived(QUESTION * 200)
        connection.readConnectionLost()
        self.assertFalse(transport.disconnecting)
        self.scope.advance(1.0)
        self.assertEqual((len(self.order), transport.disconnecting), (200, True))
        connection.connectionLost(Failure(ConnectionDone()))

    def test_tcp_lost(self) -> None:
        """Who is gone while its questions wait is forgotten."""
        connection, _ = self.connection("10.6.6.1")
        clients = self.registrar.role.clients
        connection.dataReceived(QUESTION * 200)
        connection.connectionLost(Failure(ConnectionAborted()))
        self.scope.advance(1.0)
        self.assertEqual(self.registrar.role.clients, clients - 1)

    def test_sctp(self) -> None:
        """The same over SCTP: the user is answered among the first."""
        stack = self.scope.network.stack("10.6.6.6")
        talkers = [Talker() for _ in range(10)]
        for talker in talkers:
            association = stack.open(0, talker).connect(self.registrar.address)
            for _ in range(1000):
                association.send(QUESTION, PPID_ASAP)
        user = Talker()
        association = self.scope.network.stack("10.0.2.99").open(0, user).connect(self.registrar.address)
        association.send(QUESTION, PPID_ASAP)
        self.scope.until(lambda: bool(user.answers))
        self.scope.advance(1.0)
        self.assertEqual([len(talker.data) for talker in talkers], [1000] * 10)

    def test_deregistration_before_the_end(self) -> None:
        """What an element sends before it leaves counts, however much waits before it."""
        pool_element = self.scope.element("left")
        self.scope.settle()
        self.assertTrue(self.registrar.elements("left"))
        turns = self.registrar.node.turns
        turns.left = 0
        self.scope.result(pool_element.stop())
        self.scope.advance(0.1)
        self.assertFalse(self.registrar.elements("left"))
