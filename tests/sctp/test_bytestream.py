"""Ordinary protocols over SCTP: what they write is a stream."""

from __future__ import annotations

from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
)

from rserpool.sctp import connectSCTP
from rserpool.sctp.base import MAX_MESSAGE, PPID_ASAP, SEND_LIMIT
from rserpool.sctp.one_to_one.bytestream import MOST_PIECES
from tests.sctp.one_to_one import Bytes, Calling, OneToOneCase, Producer


class StreamTests(OneToOneCase):
    """Ordinary protocols."""

    def test_stream(self) -> None:
        """Each message is a piece of a stream; what is written goes out in messages of at most 64 KiB."""
        client, server = self.pair(serving=Bytes)
        client.transport.send(b"in two ")
        client.transport.send(b"messages", PPID_ASAP, 1)
        data = bytes(range(256)) * 700
        server.transport.writeSequence([data, b"", b"end"])
        server.transport.write(b"")
        self.run_for()
        self.assertEqual([b"in two ", b"messages"], server.received)
        self.assertEqual(data + b"end", b"".join(message[0] for message in client.received))
        self.assertEqual([MAX_MESSAGE, MAX_MESSAGE], [len(message[0]) for message in client.received[:2]])
        self.assertEqual("SCTP", server.transport.getPeer().type)
        self.assertEqual(3863, server.transport.getHost().port)

    def test_ends(self) -> None:
        """loseConnection delivers, abortConnection does not."""
        client, server = self.pair(Bytes, Bytes)
        self.assertFalse(server.transport.disconnecting)
        server.transport.write(b"x" * 1000000)
        server.transport.loseConnection()
        self.assertTrue(server.transport.disconnecting)
        self.run_for()
        self.assertEqual((1000000, [ConnectionDone]), (sum(map(len, client.received)), client.lost))
        connectSCTP(self.clock, self.peer, calling := Calling(Bytes), stack=self.there)
        self.run_for()
        calling.built[0].transport.abortConnection()
        self.run_for()
        self.assertEqual([ConnectionLost], self.serving.built[1].lost)

    def test_paused_reader(self) -> None:
        """A protocol that pauses its transport gets nothing until it resumes, then all of it, then the end."""
        client, server = self.pair(Bytes, Bytes)
        client.transport.pauseProducing()
        for piece in (b"1", b"2", b"3"):
            server.transport.write(piece)
        server.transport.loseConnection()
        self.run_for()
        self.assertEqual(([], []), (client.received, client.lost))
        client.transport.resumeProducing()
        self.assertEqual(([b"1", b"2", b"3"], [ConnectionDone]), (client.received, client.lost))

    def test_paused_with_tiny_pieces(self) -> None:
        """10,000 messages of one byte are some pieces when the reader resumes: its work, and what it takes to keep
        them, grow with their bytes alone."""
        client, server = self.pair(Bytes, Bytes)
        client.transport.pauseProducing()
        for _ in range(10000):
            server.transport.write(b"!")
        self.run_for()
        client.transport.resumeProducing()
        self.assertEqual(b"!" * 10000, b"".join(client.received))
        self.assertEqual(MOST_PIECES, len(client.received))

    def test_paused_for_ever(self) -> None:
        """What waits for a protocol that reads nothing is bounded."""
        client, server = self.pair(Bytes, Bytes)
        client.transport.pauseProducing()
        for _ in range(SEND_LIMIT // MAX_MESSAGE + 1):
            server.transport.write(b"x" * MAX_MESSAGE)
            self.run_for(0.001)
        self.run_for()
        self.assertEqual(([], [ConnectionAborted]), (client.received, client.lost))

    def test_paused_and_lost_for_ever(self) -> None:
        """Who never reads what is left of a connection that has ended is told of the end when others need the room."""
        client, server = self.pair(Bytes, Bytes)
        client.transport.pauseProducing()
        server.transport.write(b"x" * 1000)
        server.transport.loseConnection()
        self.run_for()
        self.assertEqual([], client.lost)
        client.transport.give_up()
        self.assertEqual([ConnectionAborted], client.lost)

    def test_raises(self) -> None:
        """A protocol that raises in dataReceived loses its connection, as over TCP."""
        client, server = self.pair(Bytes, Bytes)

        def fail(data: bytes) -> None:
            raise ZeroDivisionError

        server.dataReceived = fail
        client.transport.write(b"x")
        self.run_for()
        self.assertEqual(([ConnectionAborted], [ConnectionLost]), (server.lost, client.lost))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_producer(self) -> None:
        """Producers are registered with the association."""
        client, server = self.pair(Bytes, Bytes)
        producer = Producer(30)
        producer.consumer = server.transport
        server.transport.registerProducer(producer, False)
        self.run_for()
        self.assertEqual((30 * MAX_MESSAGE, 0), (sum(map(len, client.received)), producer.pieces))
        client.transport.stopProducing()
        self.run_for()
        self.assertEqual([ConnectionDone], server.lost)
