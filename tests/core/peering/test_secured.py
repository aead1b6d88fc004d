"""Registrars where TLS is required: who is a peer, and whose an element is (RFC 5353 section 6, RFC 5355 section 2)."""

from __future__ import annotations

from typing import Any

from rserpool.core import Abort, CauseCode, Close, Connect, Send
from rserpool.core.identity import Identity
from rserpool.core.registrar.gate import MOST_ANSWERS
from rserpool.core.trail import Act, Acted
from rserpool.core.wire import asap, enrp
from tests.conformance import rfc
from tests.core.peering.secured import DESK, MAIL, POOL, REGISTRARS, WEB, SecuredTestCase, access, owned_by
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, element, place

MESSAGES = (
    enrp.Presence(R, 0, 0xFFFF, None, True),
    enrp.HandleUpdate(R, 0, 1, POOL, owned_by(WEB, P)),
    enrp.HandleUpdate(P, 0, 1, POOL, owned_by(WEB, P)),
    enrp.HandleUpdate(R, 0, 0, POOL, owned_by(MAIL, R, 9)),
    enrp.TakeoverServer(R, 0, P),
    enrp.InitTakeover(Q, 0, P),
    enrp.HandleTableRequest(0, 0),
    enrp.ListRequest(R, 0),
)


class StrangerTests(SecuredTestCase):
    """Whoever is no registrar changes nothing, and learns nothing."""

    @rfc("5355", "2.15.3", "MUST NOT accept updates from other ENRP servers", "any information not sent using TLS")
    def test_in_the_clear(self) -> None:
        """It hears why, and is closed."""
        self.assertEqual([], self.up("clear", None))
        for message in MESSAGES:
            effects = self.says("clear", message)
            (error,) = (each.message for each in effects if isinstance(each, Send))
            self.assertEqual([CauseCode.REJECTED_FOR_SECURITY], [cause.code for cause in error.causes])
            self.assertEqual((SERVER, message.sender), (error.sender, error.receiver))
            self.assertIn(Close("clear"), effects)
        self.assertEqual([], [each for each in self.says("clear", error) if isinstance(each, Send)])
        self.assertEqual((("psk:web", P), [P, Q]), (self.owner(), self.peers()))

    def test_no_answers_without_end(self) -> None:
        """Who does not hear that it is closed is answered no longer."""
        self.up("clear", None)
        effects = [effect for _ in range(1000) for effect in self.says("clear", enrp.ListRequest(R, 0))]
        self.assertEqual(MOST_ANSWERS, len([each for each in effects if isinstance(each, Send)]))

    def test_who_is_gone_is_forgotten(self) -> None:
        """A token may be used again."""
        for _ in range(2):
            self.up("clear", None)
            effects = [effect for _ in range(30) for effect in self.says("clear", enrp.ListRequest(R, 0))]
            self.assertEqual(MOST_ANSWERS, len([each for each in effects if isinstance(each, Send)]))
            self.stage.enrp.association_lost("clear", self.stage.now)
            self.assertEqual([], self.says("clear", enrp.ListRequest(R, 0)))

    @rfc("5355", "2.5.3", "ENRP servers MUST perform mutual authentication")
    def test_an_elements_key(self) -> None:
        """And a user's certificate, and nobody in particular: they are cut off before they say anything."""
        for credentials in ((WEB,), (Identity("dns", "reg1111"),), ()):
            effects = self.up("element", credentials)
            (error,) = self.stage.to("element", effects)
            self.assertEqual([CauseCode.REJECTED_FOR_SECURITY], [cause.code for cause in error.causes])
            self.assertEqual((Close("element"), 3), (effects[1], len(effects)))
            for message in MESSAGES:
                self.assertEqual([], [each for each in self.says("element", message) if isinstance(each, Send)])
        self.assertEqual((("psk:web", P), [P, Q]), (self.owner(), self.peers()))

    @rfc("5355", "2.5.3", "ENRP servers MUST perform mutual authentication")
    def test_we_dial_nobody_in_the_clear(self) -> None:
        """Whoever answers there counts as not reached: it is tried again."""
        stage = PeeringStage(R, access=access())
        for credentials, end in ((None, Abort("clear")), ((WEB,), Close("clear"))):
            effects = stage.enrp.association_up("clear", place(R), stage.now, True, credentials)
            self.assertIn(end, effects)
            self.assertEqual([], stage.to("clear", effects, enrp.Presence))
            self.assertEqual([place(R)], stage.calls(stage.pass_time(5.0)))

    def test_an_operator_looks_on(self) -> None:
        self.up("desk", (DESK,))
        (table,) = self.stage.to("desk", self.says("desk", enrp.HandleTableRequest(0, 0)), enrp.HandleTableResponse)
        self.assertEqual([7], [each.identifier for entry in table.entries for each in entry.elements])
        self.says("desk", enrp.HandleUpdate(0, 0, 1, POOL, owned_by(WEB, P)))
        self.assertIn(Close("desk"), self.says("desk", enrp.TakeoverServer(R, 0, P)))
        self.assertEqual((("psk:web", P), [P, Q]), (self.owner(), self.peers()))

    def test_a_registrar_in_anothers_name(self) -> None:
        """P is there, by its own identity."""
        self.up("impostor", (REGISTRARS[R],), number=P)
        self.assertEqual([], self.stage.to("impostor", self.says("impostor", enrp.ListRequest(P, 0))))
        self.says("impostor", enrp.HandleUpdate(P, 0, 1, POOL, owned_by(WEB, P)))
        self.assertEqual(("psk:web", P), self.owner())

    def test_announcements_are_hints(self) -> None:
        """They neither keep a dead registrar alive nor start an audit; whom we do not know is dialled."""
        self.assertEqual(
            [], self.stage.enrp.announcement(enrp.Presence(P, 0, 0x1234), place(P).hosts[0], self.stage.now)
        )
        effects = self.stage.enrp.announcement(enrp.Presence(R, 0, 0xFFFF), place(R).hosts[0], self.stage.now)
        self.assertEqual([Connect], [type(each) for each in effects])


class OwnerTests(SecuredTestCase):
    """An element belongs to the identity that registered it, at every registrar."""

    def register(self, name: str, owner: Identity, identifier: int = 7) -> list[Any]:
        self.stage.up(name, credentials=(owner,))
        return self.stage.register(name, POOL, element(identifier))

    def test_also_at_another_registrar_than_its_home(self) -> None:
        (answer,) = self.register("mail", MAIL)
        self.assertEqual([CauseCode.NON_UNIQUE_PE_IDENTIFIER], [cause.code for cause in answer.causes])
        (answer,) = self.stage.tell("mail", asap.Deregistration(POOL, 7))
        self.assertEqual([CauseCode.REJECTED_FOR_SECURITY], [cause.code for cause in answer.causes])
        self.assertEqual(("psk:web", P), self.owner())

    def test_also_after_a_takeover(self) -> None:
        self.stage.lose(P)
        self.stage.all_of(Q, enrp.TakeoverServer(Q, 0, P))
        self.assertEqual(("psk:web", Q), self.owner())
        self.assertTrue(self.register("mail", MAIL)[0].rejected)
        self.stage.all_of(Q, enrp.HandleUpdate(Q, SERVER, 0, POOL, owned_by(WEB, Q), True))
        self.assertEqual(("psk:web", SERVER), self.owner())
        self.assertTrue(self.stage.tell("mail", asap.Registration(POOL, element(7)))[0].rejected)

    def test_its_owner_comes_to_us_from_another_address(self) -> None:
        """Its home cannot be told that it does not answer: it is gone itself."""
        self.stage.up("again", host="10.0.0.9", credentials=(WEB,))
        self.assertEqual([], self.stage.register("again", POOL, element(7, host="10.0.0.9")))
        self.stage.lose(P)
        (dialled,) = {each for each in self.stage.dialled(self.stage.effects) if each.port == 5000}
        answers = self.stage.sent("again", self.stage.refused(dialled))
        self.assertEqual([asap.RegistrationResponse(POOL, 7)], answers)
        self.assertEqual(("psk:web", SERVER), self.owner())

    def test_its_twin_comes_to_us(self) -> None:
        """The element answers at its home's: it keeps its identifier."""
        self.stage.up("twin", host="10.0.0.9", credentials=(WEB,))
        effects = self.stage.note(
            self.stage.registrar.receive("twin", asap.Registration(POOL, element(7, host="10.0.0.9")), self.stage.now)
        )
        self.stage.met("web", effects, (WEB,))
        before = len(self.stage.effects)
        self.stage.tell("web", asap.EndpointKeepAliveAck(POOL, 7))
        (answer,) = self.stage.sent("twin", self.stage.effects[before:])
        self.assertEqual((True, ("psk:web", P)), (answer.rejected, self.owner()))

    @rfc("5355", "2.15.3", "MUST NOT accept updates")
    @rfc("5355", "2.15.3", "either the entire ENRP server database MUST be secure")
    def test_no_element_without_an_owner(self) -> None:
        effects = self.stage.update(P, POOL, owned_by(None, P, 8))
        self.assertIsNone(self.owner(8))
        (told,) = self.stage.notified(effects, Acted)
        expected = (Act.REFUSED, "registrar 0x00001111", "pool 0x00000008", "nobody has proved to own it")
        self.assertEqual(expected, (told.act, told.identity, told.about, told.why))
        self.stage.update(P, POOL, owned_by(None, P))
        self.assertEqual(("psk:web", P), self.owner())

    def test_two_owners_of_one_identifier(self) -> None:
        """They registered while their registrars could not speak: whose it is does not hang on who tells it last."""
        self.stage.update(Q, POOL, owned_by(MAIL, Q))
        self.assertEqual(("psk:mail", Q), self.owner())
        self.stage.update(P, POOL, owned_by(WEB, P))
        self.assertEqual(("psk:mail", Q), self.owner())

    def test_two_owners_and_one_is_here(self) -> None:
        """We insist on ours, or give it up, and tell it so."""
        self.register("mail", MAIL, 8)
        effects = self.stage.update(P, POOL, owned_by(WEB, P, 8))
        self.assertEqual([8], [each.element.identifier for each in self.stage.to(P, effects, enrp.HandleUpdate)])
        self.assertEqual(("psk:mail", SERVER), self.owner(8))
        self.register("web", WEB, 9)
        effects = self.stage.update(P, POOL, owned_by(MAIL, P, 9))
        self.assertEqual([asap.DeregistrationResponse(POOL, 9)], self.stage.sent("web", effects))
        self.assertEqual(("psk:mail", P), self.owner(9))
