"""Two endpoints have one association (RFC 9260 section 1.3): who was dialled by the other uses that one."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Connect, PolicyParameter, Send, TcpTransport, TransportAddress
from rserpool.core.element import PoolElement
from rserpool.core.identity import Credentials
from rserpool.core.policies import parse
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar import Registrar
from rserpool.core.wire import asap
from rserpool.node.driver import Channel, Driver
from rserpool.node.reactor import ReactorLoop
from tests.core.stage import element

REGISTRAR = TransportAddress(("10.0.0.9", "10.1.0.9"), 3863)
AS_SEEN = TransportAddress(("10.0.0.9",), 3863, 9899)


class DialledElementTests(SynchronousTestCase):
    """The registrar dials the element, to ask whether it lives."""

    def setUp(self) -> None:
        self.element = PoolElement([REGISTRAR], profile=DEFAULT, random=Random(1))

    def serve(self) -> list[Any]:
        parsed = parse("round-robin")
        return self.element.serve(
            b"pool", TcpTransport(80, "10.0.0.1"), PolicyParameter(parsed.policy.number, parsed.data), 0.0
        )

    @staticmethod
    def registrations(effects: list[Any]) -> list[Any]:
        """The associations over which it registers."""
        return [e.association for e in effects if isinstance(e, Send) and isinstance(e.message, asap.Registration)]

    def test_while_it_hunts(self) -> None:
        """The hunt ends."""
        self.assertEqual([Connect(REGISTRAR)], self.serve())
        self.element.connect_failed(REGISTRAR, 0.1)
        effects = self.element.association_up("theirs", AS_SEEN, 0.2)
        self.assertEqual(["theirs"], self.registrations(effects))
        self.assertEqual(REGISTRAR, self.element.home)

    def test_by_a_stranger(self) -> None:
        """Who is no known registrar is not taken for one."""
        self.serve()
        for stranger in (
            TransportAddress(("10.0.0.8",), 3863, 9899),
            TransportAddress(("10.0.0.9",), 3864, 9899),
            TransportAddress(("10.0.0.9",), 3863, 9898),
        ):
            self.assertEqual([], self.element.association_up(stranger, stranger, 0.1))
        self.assertIsNone(self.element.home)

    def test_silent(self) -> None:
        """A home that does not answer is left, and not taken again before it is gone."""
        self.serve()
        self.element.association_up("ours", REGISTRAR, 0.1, outbound=True)
        effects = self.element.tick(10.0)
        self.assertIn(Connect(REGISTRAR), effects)
        self.assertEqual([], self.registrations(effects))


class Line:
    """An association as a driver has it; keeps what is sent."""

    credentials: Credentials = None

    def __init__(self, peer: TransportAddress, outbound: bool) -> None:
        self.peer = peer
        self.outbound = outbound
        self.sent: list[Any] = []

    def send(self, data: bytes, ppid: int = 0) -> None:
        self.sent.append(asap.decode(data).message)

    def probe(self) -> None:
        """Nothing is late here."""

    close = abort = probe


class Lines(Channel):
    """Dials in vain, until the test says otherwise."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.dialled: list[Line] = []

    def dial(self, peer: TransportAddress) -> Line:
        self.dialled.append(Line(peer, True))
        return self.dialled[-1]

    def accept(self, port: int = 5000) -> Line:
        """The element dials."""
        line = Line(TransportAddress(("10.0.0.1",), port, 9899), False)
        self.up(line)
        return line


class DialledRegistrarTests(SynchronousTestCase):
    """The element dials the registrar, which wants to know whether it lives."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.registrar = Registrar(5, profile=DEFAULT, random=Random(1))
        driver = Driver(ReactorLoop(self.clock), self.registrar, lambda event: None)
        self.lines = driver.channels["asap"] = Lines(driver, self.registrar, asap, 11)
        self.old = self.lines.accept()
        self.lines.received(self.old, asap.encode(asap.Registration(b"pool", element(7))))

    def test_before_the_registrar_notices(self) -> None:
        """The new association is asked, instead of dialling."""
        new = self.lines.accept()
        self.lines.lost(self.old)
        self.assertEqual([], self.lines.dialled)
        self.assertEqual([asap.EndpointKeepAlive], [type(message) for message in new.sent])

    def test_while_it_is_dialled(self) -> None:
        """To dial fails, since there is an association by then: the element is asked over that one."""
        self.lines.lost(self.old)
        new = self.lines.accept()
        (dialled,) = self.lines.dialled
        self.lines.lost(dialled)
        self.assertEqual([asap.EndpointKeepAlive], [type(message) for message in new.sent])
        self.lines.received(new, asap.encode(asap.EndpointKeepAliveAck(b"pool", 7)))
        self.clock.advance(0.2)
        self.lines.received(new, asap.encode(asap.HandleResolution(b"pool")))
        self.assertEqual(1, len(new.sent[-1].elements))

    def test_another_place(self) -> None:
        """Another peer is not asked for it."""
        self.lines.lost(self.old)
        new = self.lines.accept(port=5001)
        self.lines.lost(self.lines.dialled[0])
        self.assertEqual([], new.sent)
        self.assertEqual(0, len(self.registrar.handlespace))
