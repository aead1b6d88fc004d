"""What TLS over SCTP does with peers that are not who they should be, and how it travels (RFC 3436, RFC 5352 9.2)."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.identity import Identity
from rserpool.sctp.base import PPID_ASAP
from rserpool.sctp.memory import Network
from rserpool.sctp.tls.channel import Rule, Sides, TlsChannel
from rserpool.sctp.tls.endpoint import TlsEndpoint, TlsStack
from rserpool.sctp.tls.framing import OwnLength
from rserpool.sctp.tls.handshakes import Handshakes
from rserpool.sctp.tls.place import HandshakeFailed
from rserpool.security.engine import TlsSide
from rserpool.security.hello import random_of
from rserpool.security.keys import Key
from rserpool.security.records import is_record
from rserpool.security.way import Terms
from tests.conformance import rfc
from tests.sctp.harness import Recorder
from tests.sctp.tls_case import CERTIFICATES, SCOPE, by_certificate, tls_channel
from tests.security.pair import KEY, dns

ANSWER = b"\x06\x00\x00\x08\x00\x0b\x00\x04"


class TlsCase(SynchronousTestCase):
    """A network in memory, with a TLS endpoint at a server and one at a client."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network(self.clock)
        self.accepting, self.connecting = Recorder(lambda: None), Recorder(lambda: None)
        # Everything that travels beneath TLS: who sent it, and the message.
        self.travelled: list[tuple[str, tuple[bytes, int, int, bool]]] = []

    def open(self, channel: TlsChannel | None, host: str, port: int, handler: Any) -> Any:
        """An endpoint; without a channel in the clear."""
        stack: Any = self.network.stack(host, encapsulation=9899)
        return (stack if channel is None else TlsStack(self.clock, stack, channel)).open(port, handler, (host,))

    def ends(self, server: TlsChannel | None, client: TlsChannel | None) -> None:
        """Open both."""
        self.server = self.open(server, "10.0.0.1", 3864, self.accepting)
        self.client = self.open(client, "10.0.0.2", 3864, self.connecting)
        self.there = TransportAddress(("10.0.0.1",), 3864, 9899)
        self.here = TransportAddress(("10.0.0.2",), 3864, 9899)

    def run_for(self, seconds: float = 0.1) -> None:
        """Step from deadline to deadline."""
        end = self.clock.seconds() + seconds
        while (calls := self.clock.getDelayedCalls()) and calls[0].getTime() <= end:
            self.clock.advance(max(0.0, calls[0].getTime() - self.clock.seconds()))
        self.clock.advance(max(0.0, end - self.clock.seconds()))

    def listen_in(self, endpoint: TlsEndpoint, name: str) -> None:
        """Write down what it is sent."""
        received = endpoint.messageReceived

        def seen(association: Any, *message: Any) -> None:
            self.travelled.append((name, message))
            received(association, *message)

        endpoint.messageReceived = seen  # type: ignore[assignment, method-assign]


class TravelTests(TlsCase):
    """What one sees of it on the way."""

    def test_one_record_a_message(self) -> None:
        """Each message beneath is one TLS record of stream 0, in order, with the PPID of ASAP; none is too long."""
        channel = tls_channel(framing=OwnLength(PPID_ASAP))
        self.ends(channel, channel)
        self.listen_in(self.server, "client")
        self.listen_in(self.client, "server")
        association = self.client.connect(self.there)
        self.run_for()
        association.send(ANSWER, PPID_ASAP, 3, True)
        long = b"\x06\x00\xff\xfc" + bytes(0xFFF8)
        association.send(long, PPID_ASAP)
        self.run_for()
        self.assertEqual([ANSWER, long], self.accepting.data)
        self.assertEqual([(PPID_ASAP, 0, False)] * 2, [message[1:] for message in self.accepting.received])
        for _, (data, ppid, stream, unordered) in self.travelled:
            self.assertTrue(is_record(data))
            self.assertLessEqual(len(data), 18437)
            self.assertEqual((PPID_ASAP, 0, False), (ppid, stream, unordered))
        self.assertNotIn(ANSWER, b"".join(message[0] for _, message in self.travelled))

    def test_few_messages(self) -> None:
        """A handshake has no message that nobody needs: in TLS 1.3 none is for middleboxes alone."""
        self.ends(tls_channel(), tls_channel())
        self.listen_in(self.server, "client")
        self.listen_in(self.client, "server")
        self.client.connect(self.there)
        self.run_for()
        self.assertEqual(1, len(self.accepting.up))
        self.assertNotIn(20, [data[0] for _, (data, *_) in self.travelled])
        # ClientHello and Finished; ServerHello, EncryptedExtensions, Finished, and perhaps a ticket.
        self.assertEqual(2, len([name for name, _ in self.travelled if name == "client"]))
        self.assertIn(len([name for name, _ in self.travelled if name == "server"]), (3, 4))

    def test_up_after_the_handshake(self) -> None:
        """Nobody hears of an association before the peer is known; then by name."""
        self.ends(tls_channel(), tls_channel())
        association = self.client.connect(self.there)
        while not self.connecting.up:
            self.assertFalse(association.established)
            self.assertEqual([], self.accepting.up)
            self.run_for(0.0001)
        self.run_for()
        self.assertEqual((Identity("psk", "web1"),), self.accepting.up[0].credentials)
        self.assertEqual((Identity("psk", "web1"),), association.credentials)

    def test_credentials_of_a_certificate(self) -> None:
        """A user is nobody; the registrar is whom its certificate names."""
        self.ends(tls_channel(CERTIFICATES), tls_channel(CERTIFICATES))
        association = self.client.connect(self.there)
        self.run_for()
        self.assertEqual((), self.accepting.up[0].credentials)
        self.assertIn(Identity("dns", SCOPE), association.credentials)

    def test_truncated(self) -> None:
        """An association that ends as it should, but without the end of TLS, was perhaps cut short."""
        self.ends(tls_channel(), tls_channel())
        association = self.client.connect(self.there)
        self.run_for()
        association.inner.close()
        self.run_for()
        self.assertEqual([ConnectionLost], self.accepting.reasons)
        self.assertEqual([ConnectionLost], self.connecting.reasons)
        again = self.client.connect(self.there)
        self.run_for()
        again.close()
        self.run_for()
        self.assertEqual([ConnectionDone], self.accepting.reasons[1:])


class RuleTests(TlsCase):
    """Who is the TLS server."""

    def test_server_whoever_dialled(self) -> None:
        """ASAP: the registrar is the server, also where it dialled."""
        registrar, element = tls_channel(rule=Rule.SERVER), tls_channel(rule=Rule.CLIENT)
        self.ends(registrar, element)
        self.server.connect(self.here)
        self.run_for()
        self.assertEqual((1, 1), (len(self.accepting.up), len(self.connecting.up)))
        self.assertEqual((Identity("psk", "web1"),), self.accepting.up[0].credentials)

    def test_both_dial(self) -> None:
        """Both ends dial at once: who sent the smaller ClientHello random begins again as server, every time."""
        smaller = {"client": 0, "server": 0}
        for _ in range(12):
            self.setUp()
            self.ends(tls_channel(), tls_channel())
            self.listen_in(self.server, "client")
            self.listen_in(self.client, "server")
            mine, yours = self.client.connect(self.there), self.server.connect(self.here)
            self.run_for()
            self.assertEqual(([mine], [yours]), (self.connecting.up, self.accepting.up))
            self.assertEqual((True, True), (mine.outbound, yours.outbound))
            hellos = {name: random_of(data) for name, (data, *_) in reversed(self.travelled) if data[5] == 1}
            self.assertEqual(2, len(hellos))
            # The ServerHello comes from who has the smaller one.
            (server,) = {name for name, (data, *_) in self.travelled if data[0] == 22 and data[5] == 2}
            self.assertEqual(min(hellos, key=lambda name: hellos[name]), server)
            smaller[server] += 1
            mine.send(b"1")
            yours.send(b"2")
            self.run_for()
            self.assertEqual(([b"1"], [b"2"]), (self.accepting.data, self.connecting.data))
        self.assertEqual(12, sum(smaller.values()))

    def test_both_dial_for_asap(self) -> None:
        """With a rule of its own for each end nothing crosses."""
        self.ends(tls_channel(rule=Rule.SERVER), tls_channel(rule=Rule.CLIENT))
        self.client.connect(self.there)
        self.server.connect(self.here)
        self.run_for()
        self.assertEqual((1, 1), (len(self.accepting.up), len(self.connecting.up)))

    def test_mirror(self) -> None:
        """Who sends our own ClientHello back gets nowhere."""
        self.ends(None, tls_channel())
        self.accepting.on_message = lambda association, data: association.send(data)
        self.client.connect(self.there)
        self.run_for()
        self.assertEqual([HandshakeFailed], self.connecting.reasons)
        self.assertIn("it sends a ClientHello", str(self.connecting.lost[0][1].value))
        self.assertEqual([], self.connecting.up)


class FailureTests(TlsCase):
    """Peers that are not who they should be."""

    def refused(self, why_there: str, why_here: str) -> None:
        """The client connects in vain, and both logs say why."""
        with capturedLogs() as logs:
            association = self.client.connect(self.there)
            association.send(b"secret")
            self.run_for(20.0)
        self.assertEqual(([], []), (self.accepting.up, self.connecting.up))
        self.assertEqual([], self.accepting.lost)
        self.assertEqual([HandshakeFailed], self.connecting.reasons)
        self.assertEqual([(b"secret", 0)], self.connecting.failed)
        self.assertRegex(str(self.connecting.lost[0][1].value), why_here)
        lines = [formatEvent(event) or "" for event in logs]
        self.assertTrue([line for line in lines if "10.0.0.2" in line and why_there in line], lines)
        self.assertEqual((0, 0), (self.server.associations, self.client.associations))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_unknown_key(self) -> None:
        """A key that the server does not know; the log says which, and nothing of the secret."""
        client = Sides(client=TlsSide(Terms(False, own=Key("stranger", bytes(range(40, 60))))))
        self.ends(tls_channel(), tls_channel(sides=client))
        self.refused("no key 'stranger' is known here", "the peer refuses: it does not know the key")

    def test_other_secret(self) -> None:
        """The right name, another secret."""
        client = Sides(client=TlsSide(Terms(False, own=Key(KEY.name, bytes(range(40, 60))))))
        self.ends(tls_channel(), tls_channel(sides=client))
        self.refused("its key is not the one", "the peer refuses: its key is not the one")

    def test_rogue_server(self) -> None:
        """A server that does not know the key, but has a fine certificate."""
        self.ends(tls_channel(CERTIFICATES), tls_channel())
        self.refused("keys are not taken here", "the peer refuses")

    def test_wrong_name(self) -> None:
        """A certificate for somebody else: its identity is suspect (RFC 5352 section 9.2)."""
        client = by_certificate()
        client.learned = dns("other.example")
        self.ends(tls_channel(CERTIFICATES), tls_channel(sides=client))
        with capturedLogs() as logs:
            self.client.connect(self.there)
            self.run_for(20.0)
        self.assertEqual([HandshakeFailed], self.connecting.reasons)
        self.assertIn("its identity is suspect", str(self.connecting.lost[0][1].value))
        self.assertTrue([event for event in logs if "identity is suspect" in (formatEvent(event) or "")])
        self.assertEqual([], self.accepting.up)

    def test_expected_names(self) -> None:
        """Who dials says whom it expects."""
        client = by_certificate()
        client.learned = ()
        self.ends(tls_channel(CERTIFICATES), tls_channel(sides=client))
        self.client.connect(self.there, dns("other.example", SCOPE))
        self.run_for()
        self.assertEqual(1, len(self.connecting.up))

    def test_nobody_to_be(self) -> None:
        """Who has nothing to prove, or to check others by, says so."""
        self.ends(tls_channel(), tls_channel(sides=Sides()))
        self.client.connect(self.there)
        self.run_for()
        self.assertIn("neither a key nor trust anchors", str(self.connecting.lost[0][1].value))

    @rfc("5355", "2.15.3", "any information not sent using TLS")
    def test_in_the_clear(self) -> None:
        """Who speaks no TLS is let go at its first message; nobody hears of it."""
        self.ends(tls_channel(), None)
        association = self.client.connect(self.there)
        association.send(ANSWER, PPID_ASAP)
        self.run_for()
        self.assertEqual([ConnectionLost], self.connecting.reasons)
        self.assertTrue(self.accepting.silent)

    def test_beside_tls(self) -> None:
        """On another stream, or unordered, nothing may come (RFC 3436 section 6.2)."""
        for stream, unordered in ((1, False), (0, True)):
            self.setUp()
            self.ends(tls_channel(), tls_channel())
            association = self.client.connect(self.there)
            self.run_for()
            association.inner.send(ANSWER, PPID_ASAP, stream, unordered)
            self.run_for()
            self.assertEqual(([], [ConnectionLost]), (self.accepting.data, self.accepting.reasons))

    def test_tampered(self) -> None:
        """A record that is not the peer's ends it."""
        self.ends(tls_channel(), tls_channel())
        association = self.client.connect(self.there)
        self.run_for()
        association.inner.send(b"\x17\x03\x03\x00\x20" + bytes(32))
        self.run_for()
        self.assertEqual(([], [ConnectionLost]), (self.accepting.data, self.accepting.reasons))
        self.assertEqual([ConnectionLost], self.connecting.reasons)

    def test_says_nothing(self) -> None:
        """A handshake has its time, and no longer: for who says nothing, and who says a byte now and then."""
        self.ends(tls_channel(patience=5.0), None)
        self.client.connect(self.there)
        self.run_for(4.9)
        self.assertEqual([], self.connecting.lost)
        self.run_for(0.2)
        self.assertEqual([ConnectionLost], self.connecting.reasons)
        again = self.client.connect(self.there)
        for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01":
            again.send(bytes([byte]))
            self.run_for(0.7)
        self.assertEqual([ConnectionLost] * 2, self.connecting.reasons)
        self.assertTrue(self.accepting.silent)
        self.assertEqual(0, self.server.associations)

    def test_server_says_nothing(self) -> None:
        """A client does not wait for ever either."""
        self.ends(None, tls_channel(patience=5.0))
        self.client.connect(self.there)
        self.run_for(5.1)
        self.assertEqual([HandshakeFailed], self.connecting.reasons)
        self.assertIn("was not over after 5 s", str(self.connecting.lost[0][1].value))

    def test_log_is_bounded(self) -> None:
        """Who fails all the time fills no log."""
        self.ends(tls_channel(), None)
        with capturedLogs() as logs:
            for _ in range(50):
                association = self.client.connect(self.there)
                association.send(ANSWER, PPID_ASAP)
                self.run_for()
        self.assertEqual(1, len([event for event in logs if "failed" in (formatEvent(event) or "")]))


class TurnTests(TlsCase):
    """How many handshakes are under way."""

    def test_waits_for_its_turn(self) -> None:
        """More handshakes than may be under way: the others wait, and all come up."""
        handshakes: Handshakes[Any] = Handshakes(under_way=2, of_one_machine=1)
        self.ends(tls_channel(handshakes=handshakes), None)
        clients = []
        for number in range(5):
            recorder = Recorder(lambda: None)
            host = f"10.0.1.{number}" if number < 2 else f"10.0.2.{number}"
            endpoint = self.open(tls_channel(), host, 4000 + number, recorder)
            endpoint.connect(self.there)
            clients.append(recorder)
        self.run_for()
        self.assertEqual([1] * 5, [len(each.up) for each in clients])
        self.assertEqual((0, 0), (handshakes.under_way, handshakes.waiting))
