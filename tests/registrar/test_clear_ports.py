"""The ports in the clear of a secured registrar: an answer with cause 0xa, and no more of them than are good."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.registrar.clear_ports import OF_ONE, ClearPort, refused_asap, refused_enrp
from rserpool.sctp.base import PPID_ASAP, PPID_ENRP, SctpHandler
from rserpool.sctp.memory import Network
from tests.loglines import LogLines

ELEMENT = PoolElementParameter(7, 0, 60_000, TcpTransport(80, "10.0.0.2"), PolicyParameter(1, b""))


class Stranger(SctpHandler):
    """Says one thing, and hears what comes."""

    def __init__(self, says: bytes, ppid: int) -> None:
        self.says, self.ppid = says, ppid
        self.heard: list[bytes] = []
        self.gone = False

    def associationUp(self, association: Any) -> None:
        association.send(self.says, self.ppid)

    def messageReceived(self, association: Any, data: bytes, ppid: int, stream: int, unordered: bool) -> None:
        self.heard.append(data)

    def associationLost(self, association: Any, reason: Any) -> None:
        self.gone = True


class ClearPortTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network(self.clock)
        self.stack = self.network.stack("10.0.0.1", encapsulation=9899)
        self.stack.open(3863, ClearPort(self.clock, PPID_ASAP, refused_asap), ("10.0.0.1",))
        self.stack.open(9901, ClearPort(self.clock, PPID_ENRP, refused_enrp(9)), ("10.0.0.1",))

    def stranger(self, says: bytes, ppid: int = PPID_ASAP, port: int = 3863) -> Stranger:
        stranger = Stranger(says, ppid)
        endpoint = self.network.stack("10.0.0.2").open(0, stranger, ("10.0.0.2",), False)
        endpoint.connect(TransportAddress(("10.0.0.1",), port, 9899))
        return stranger

    def answer(self, message: asap.Message) -> Any:
        stranger = self.stranger(asap.encode(message))
        self.clock.pump([0.1] * 10)
        self.assertEqual((1, True), (len(stranger.heard), stranger.gone))
        return asap.decode(stranger.heard[0]).message

    def test_asap(self) -> None:
        """Each request gets its own response with the cause, whatever else gets an error, and then it is over."""
        for message, kind in (
            (asap.Registration(b"pool", ELEMENT), asap.RegistrationResponse),
            (asap.Deregistration(b"pool", 7), asap.DeregistrationResponse),
            (asap.HandleResolution(b"pool", False, None), asap.HandleResolutionResponse),
            (asap.EndpointUnreachable(b"pool", 7), asap.Error),
        ):
            answer = self.answer(message)
            self.assertIsInstance(answer, kind)
            self.assertEqual([0xA], [cause.code for cause in answer.causes])

    def test_enrp(self) -> None:
        """ENRP gets an error, from our identifier to the sender's."""
        stranger = self.stranger(enrp.encode(enrp.Presence(5, 0, None, None, True)), PPID_ENRP, 9901)
        self.clock.pump([0.1] * 10)
        (heard,) = stranger.heard
        error = enrp.decode(heard).message
        assert isinstance(error, enrp.Error)
        self.assertEqual((9, 5, [0xA]), (error.sender, error.receiver, [cause.code for cause in error.causes]))
        self.assertTrue(stranger.gone)

    def test_log(self) -> None:
        """Who comes again and again is told once a minute, and how often it came."""
        log = LogLines(self)
        for _ in range(40):
            self.answer(asap.HandleResolution(b"pool", False, None))
        self.assertEqual(1, len(log.lines), log.lines)
        self.clock.advance(30)
        self.answer(asap.HandleResolution(b"pool", False, None))
        self.assertIn("39 more messages in the clear were refused", log.lines[1])
        self.assertEqual(3, len(log.lines), log.lines)

    def test_nothing_to_answer(self) -> None:
        """An error, an acknowledgement, garbage of another protocol: nothing, and it is over."""
        for says, ppid in (
            (b"\x0e\x00\x00\x04", PPID_ASAP),
            (asap.encode(asap.EndpointKeepAliveAck(b"pool", 7)), PPID_ASAP),
            (b"hello", 0),
        ):
            stranger = self.stranger(says, ppid)
            self.clock.pump([0.1] * 10)
            self.assertEqual(([], True), (stranger.heard, stranger.gone))

    def test_flood(self) -> None:
        """One machine gets so many answers a second; the rest is closed without one."""
        says = asap.encode(asap.HandleResolution(b"pool", False, None))
        strangers = [self.stranger(says) for _ in range(OF_ONE + 15)]
        self.clock.pump([0.01] * 40)
        self.assertEqual(OF_ONE, sum(len(each.heard) for each in strangers))
        self.assertEqual({True}, {each.gone for each in strangers})
        self.clock.advance(1)
        self.assertIsInstance(self.answer(asap.HandleResolution(b"pool", False, None)), asap.HandleResolutionResponse)
