"""Two endpoints have one association (RFC 9260 section 1.3): who was dialled by the other uses that one."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Connect, PolicyParameter, Send, TcpTransport, TransportAddress
from rserpool.core.element import PoolElement
from rserpool.core.policies import parse
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from tests.core.registrar.stage import Stage, element

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


class DialledRegistrarTests(SynchronousTestCase):
    """The element dials the registrar, which wants to know whether it lives."""

    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.up("old")
        self.stage.register("old", b"pool", element(7))

    def test_before_the_registrar_notices(self) -> None:
        """The new association is asked, instead of dialling."""
        self.stage.up("new")
        effects = self.stage.lost("old")
        self.assertEqual([], self.stage.dialled(effects))
        self.assertEqual([asap.EndpointKeepAlive], [type(m) for m in self.stage.sent("new", effects)])

    def test_while_it_is_dialled(self) -> None:
        """To dial fails, since there is an association by then: the element is asked over that one."""
        (address,) = self.stage.dialled(self.stage.lost("old"))
        self.stage.up("new")
        effects = self.stage.refused(address)
        self.assertEqual([asap.EndpointKeepAlive], [type(m) for m in self.stage.sent("new", effects)])
        self.stage.tell("new", asap.EndpointKeepAliveAck(b"pool", 7))
        self.stage.pass_time(0.2)
        self.assertEqual(1, len(self.stage.resolve("new", b"pool").elements))

    def test_another_place(self) -> None:
        """Another peer is not asked for it."""
        (address,) = self.stage.dialled(self.stage.lost("old"))
        self.stage.up("new", port=5001)
        effects = self.stage.refused(address)
        self.assertEqual([], self.stage.sent("new", effects))
        self.assertEqual(0, len(self.stage.registrar.handlespace))
