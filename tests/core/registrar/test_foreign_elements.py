"""What a registrar does with elements that belong to another registrar."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Abort, Close, SctpTransport, Send, TransportAddress
from rserpool.core.element import PoolElement
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from tests.conformance import rfc
from tests.core.registrar.stage import SERVER, RegistrarStage
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


class ReportTests(SynchronousTestCase):
    """3.5: somebody reports an element of another registrar: it is asked at once, and its home hears how that went."""

    def setUp(self) -> None:
        self.stage = RegistrarStage()
        self.stage.up("user", host="10.0.0.50")
        self.enrp = self.stage.registrar.enrp
        self.enrp.association_up("peer", TransportAddress(("10.0.0.99",), 9901), self.stage.now)
        asap_transport = SctpTransport(5000, DATA_PLUS_CONTROL, ("10.0.0.1",))
        self.parameter = replace(element(7), home=99, asap_transport=asap_transport, encapsulation=40000)
        self.told(enrp.UpdateAction.ADD_PE)

    def told(self, action: enrp.UpdateAction) -> list[Any]:
        return self.enrp.receive("peer", enrp.HandleUpdate(99, 0, action, b"pool", self.parameter), self.stage.now)

    def report(self) -> list[Any]:
        return self.stage.registrar.receive("user", asap.EndpointUnreachable(b"pool", 7), self.stage.now)

    def asked(self) -> list[Any]:
        """It is reported, and dialled."""
        [peer] = self.stage.dialled(self.report())
        self.assertEqual(peer, TransportAddress(("10.0.0.1",), 5000, 40000))
        return self.stage.registrar.association_up("pe", peer, self.stage.now, True)

    def assert_home_hears(self, effects: list[Any]) -> None:
        told = [effect.message for effect in effects if isinstance(effect, Send) and effect.association == "peer"]
        deletion = enrp.HandleUpdate(SERVER, 99, enrp.UpdateAction.DEL_PE, b"pool", self.parameter)
        self.assertEqual(told, [deletion])
        self.assertIsNotNone(self.stage.registrar.handlespace.find(b"pool", 7))

    @rfc(
        "5352",
        "3.5",
        "MUST immediately send a point-to-point ASAP_ENDPOINT_KEEP_ALIVE",
        "SHOULD be set to '0', in this",
    )
    @rfc("5352", "3.5", "MUST retain the PE in its handlespace")
    def test_it_lives(self) -> None:
        """It is asked without the H flag, stays, and the association ends; nobody hears of it."""
        question = asap.EndpointKeepAlive(SERVER, b"pool", False, 7)
        self.assertEqual(self.asked(), [Send("pe", question)])
        answer = self.stage.registrar.receive("pe", asap.EndpointKeepAliveAck(b"pool", 7), self.stage.now)
        self.assertEqual(answer, [Close("pe")])
        self.stage.lost("pe")
        self.assertEqual(self.stage.pass_time(0.9), [])
        found = self.stage.registrar.handlespace.find(b"pool", 7)
        assert found is not None
        self.assertEqual((found.home, found.watch, found.association), (99, None, None))

    @rfc(
        "5352",
        "3.5",
        "MUST consider the PE as truly unreachable",
        "If this ASAP_ENDPOINT_KEEP_ALIVE fails ..., the ENRP server ... MUST remove",
    )
    def test_nobody_accepts(self) -> None:
        [peer] = self.stage.dialled(self.report())
        self.assert_home_hears(self.stage.refused(peer))

    @rfc(
        "5352",
        "3.5",
        "MUST consider the PE as truly unreachable",
        "If this ASAP_ENDPOINT_KEEP_ALIVE fails ..., the ENRP server ... MUST remove",
    )
    def test_it_does_not_answer(self) -> None:
        self.asked()
        effects = self.stage.pass_time(DEFAULT.keep_alive_timeout + 0.01)
        self.assert_home_hears(effects)
        self.assertIn(Abort("pe"), effects)

    def test_the_dial_takes_too_long(self) -> None:
        [peer] = self.stage.dialled(self.report())
        self.assert_home_hears(self.stage.pass_time(DEFAULT.keep_alive_timeout + 0.01))
        late = self.stage.registrar.association_up("pe", peer, self.stage.now, True)
        self.assertEqual(late, [Close("pe")])

    def test_the_dial_fails_late(self) -> None:
        """Its home has heard of it already; one that is gone by then is of no interest."""
        [peer] = self.stage.dialled(self.report())
        self.assert_home_hears(self.stage.pass_time(DEFAULT.keep_alive_timeout + 0.01))
        self.assertEqual(self.stage.refused(peer), [])
        [peer] = self.stage.dialled(self.report())
        self.told(enrp.UpdateAction.DEL_PE)
        self.assertEqual(self.stage.refused(peer), [])

    def test_its_association_is_lost(self) -> None:
        self.asked()
        self.assert_home_hears(self.stage.lost("pe"))

    def test_it_cannot_be_asked(self) -> None:
        """Its home did not say where it speaks ASAP."""
        self.parameter = replace(self.parameter, asap_transport=None, encapsulation=0)
        self.told(enrp.UpdateAction.ADD_PE)
        self.assert_home_hears(self.report())

    def test_its_process_speaks_with_us(self) -> None:
        """Two endpoints have one association: it is asked over that one, which stays, and answers over that alone."""
        self.stage.up("pe", host="10.0.0.1", port=5000)
        asked = self.stage.met("pe", self.report())
        self.assertEqual(self.stage.sent("pe", asked), [asap.EndpointKeepAlive(SERVER, b"pool", False, 7)])
        self.stage.tell("user", asap.EndpointKeepAliveAck(b"pool", 7))
        self.assertEqual(self.stage.tell("pe", asap.EndpointKeepAliveAck(b"pool", 7)), [])
        self.assertEqual(self.stage.pass_time(0.9), [])

    @rfc("5355", "2.14.3", "MUST limit the frequency")
    def test_many_reports(self) -> None:
        """One question answers them, and there are ten a second at most."""
        dialled = 0
        for number in range(100):
            self.stage.up(f"u{number}", host="10.0.0.50", port=6000 + number)
        for step in range(1000):
            report = asap.EndpointUnreachable(b"pool", 7)
            effects = self.stage.registrar.receive(f"u{step % 100}", report, self.stage.now)
            for peer in self.stage.dialled([*effects, *self.stage.pass_time(0.001)]):
                dialled += 1
                self.stage.registrar.association_up("pe", peer, self.stage.now, True)
                self.stage.registrar.receive("pe", asap.EndpointKeepAliveAck(b"pool", 7), self.stage.now)
                self.stage.lost("pe")
        self.assertIn(dialled, range(5, 11))

    def test_a_report_just_after_an_answer(self) -> None:
        """It is not asked at once, but it is asked: that it answered before says nothing of now."""
        self.asked()
        self.stage.registrar.receive("pe", asap.EndpointKeepAliveAck(b"pool", 7), self.stage.now)
        self.assertEqual(self.stage.dialled(self.report()), [])
        self.assertEqual(len(self.stage.dialled(self.stage.pass_time(0.11))), 1)

    def test_gone_meanwhile(self) -> None:
        """Its home removes it while we ask: nothing is left to wait for."""
        self.asked()
        self.told(enrp.UpdateAction.DEL_PE)
        answer = self.stage.registrar.receive("pe", asap.EndpointKeepAliveAck(b"pool", 7), self.stage.now)
        self.assertEqual(answer, [])

    def test_ours_meanwhile(self) -> None:
        """It registers with us while we ask: then it is supervised."""
        self.asked()
        self.stage.up("pe2", host="10.0.0.1", port=5000)
        self.stage.register("pe2", b"pool", element(7))
        effects = self.stage.pass_time(0.9)
        told = [e.message for e in effects if isinstance(e, Send) and e.association == "peer"]
        self.assertEqual([message for message in told if isinstance(message, enrp.HandleUpdate)], [])
        self.assertTrue(self.stage.sent("pe2", effects))


class UnknownAssociationTests(SynchronousTestCase):
    """At the element: a keep-alive over an association that it gave up before it heard that it is up."""

    def test_new_home(self) -> None:
        """It is answered, and adopts nobody (seed 6020)."""
        role = PoolElement((TransportAddress(("10.0.0.9",), 3863),), profile=DEFAULT, random=Random(1))
        role.serve(b"pool", element(7).user_transport, element(7).policy, 0.0, identifier=7)
        for home in (True, False):
            effects = role.receive("unknown", asap.EndpointKeepAlive(99, b"pool", home, 7), 1.0)
            self.assertEqual(effects, [Send("unknown", asap.EndpointKeepAliveAck(b"pool", 7, True))])
            self.assertIsNone(role.home)
