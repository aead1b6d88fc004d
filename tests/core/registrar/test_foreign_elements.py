"""What a registrar does with elements that belong to another registrar."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import SctpTransport, Send, TransportAddress
from rserpool.core.element import PoolElement
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from tests.core.registrar.stage import RegistrarStage
from tests.core.stage import element


class AcknowledgementTests(SynchronousTestCase):
    """An element's acknowledgement may come when it has moved to another home."""

    def test_moved_meanwhile(self) -> None:
        """It was asked while it was ours, and answers when it is another's: that binds it to nobody (seed 28)."""
        stage = RegistrarStage()
        stage.up("pe")
        stage.register("pe", b"pool", element(7))
        handlespace = stage.registrar.handlespace
        moved = handlespace.find(b"pool", 7)
        assert moved is not None
        at_another = replace(
            moved.parameter(), home=99, asap_transport=SctpTransport(5000, DATA_PLUS_CONTROL, ("10.0.0.1",))
        )
        enrp_side = stage.registrar.enrp
        enrp_side.association_up("peer", TransportAddress(("10.0.0.99",), 9901), stage.now)
        enrp_side.receive("peer", enrp.HandleUpdate(99, 0, enrp.UpdateAction.ADD_PE, b"pool", at_another), stage.now)
        self.assertEqual((moved.home, moved.watch, moved.association), (99, None, None))
        stage.tell("pe", asap.EndpointKeepAliveAck(b"pool", 7))
        self.assertEqual((moved.watch, moved.association), (None, None))


class UnknownAssociationTests(SynchronousTestCase):
    """At the element: a keep-alive over an association that it gave up before it heard that it is up."""

    def test_new_home(self) -> None:
        """It is answered, and adopts nobody (seed 6020)."""
        role = PoolElement((TransportAddress(("10.0.0.9",), 3863),), profile=DEFAULT, random=Random(1))
        role.serve(b"pool", element(7).user_transport, element(7).policy, 0.0, identifier=7)
        effects = role.receive("unknown", asap.EndpointKeepAlive(99, b"pool", True, 7), 1.0)
        self.assertEqual(effects, [Send("unknown", asap.EndpointKeepAliveAck(b"pool", 7))])
        self.assertIsNone(role.home)
