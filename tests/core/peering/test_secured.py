"""Registrars where TLS is required: who is a peer, and whose an element is (RFC 5353 section 6, RFC 5355 section 2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Abort, CauseCode, Close, Connect, PoolElementParameter, Send
from rserpool.core.access import Access, Principal, State
from rserpool.core.identity import Identity
from rserpool.core.peering.events import TakenOver
from rserpool.core.registrar.events import Act, Acted, ElementRemoved, NotYetRequired
from rserpool.core.wire import asap, enrp
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, element, owned, place

POOL = b"pool"
WEB, MAIL, DESK, OWN = (Identity("psk", name) for name in ("web", "mail", "desk", "own"))
REGISTRARS = {number: Identity("psk", f"reg{number:x}") for number in (P, Q, R)}


def access(*without: Identity, state: State = State.REQUIRED, own: Identity = OWN) -> Access:
    """Who may be what, but for these."""
    everybody = [Principal(str(each), frozenset({each}), registrar=True) for each in REGISTRARS.values()]
    everybody += [Principal(str(each), frozenset({each}), element=True) for each in (WEB, MAIL)]
    everybody.append(Principal("desk", frozenset({DESK}), operator=True))
    return Access([each for each in everybody if each.identities.isdisjoint(without)], state, own=own)


def owned_by(owner: Identity | None, home: int, identifier: int = 7) -> PoolElementParameter:
    """An element of a peer."""
    return replace(owned(home, identifier), owner=owner)


class SecuredTestCase(SynchronousTestCase):
    """P and Q are peers; P has element 7 of C{psk:web}."""

    state = State.REQUIRED

    def setUp(self) -> None:
        self.stage = PeeringStage(access=access(state=self.state))
        self.stage.proved = {number: (identity,) for number, identity in REGISTRARS.items()}
        self.stage.ready(P, Q)
        self.stage.update(P, POOL, owned_by(WEB, P))

    def up(self, name: Any, credentials: Any, outbound: bool = False, number: int = R) -> list[Any]:
        return self.stage.note(
            self.stage.enrp.association_up(name, place(number), self.stage.now, outbound, credentials)
        )

    def says(self, name: Any, message: Any) -> list[Any]:
        return self.stage.note(self.stage.enrp.receive(name, message, self.stage.now))

    def owner(self, identifier: int = 7) -> tuple[str, int] | None:
        found = self.stage.registrar.handlespace.find(POOL, identifier)
        return None if found is None else (str(found.owner), found.home)

    def peers(self) -> list[int]:
        return sorted(peer.identifier for peer in self.stage.peering.peers)


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

    def test_an_elements_key(self) -> None:
        """And a user's certificate, and nobody in particular: they are cut off before they say anything."""
        for credentials in ((WEB,), (Identity("dns", "reg1111"),), ()):
            effects = self.up("element", credentials)
            self.assertEqual(([Abort("element")], 2), (effects[:1], len(effects)))
            for message in MESSAGES:
                self.assertEqual([], [each for each in self.says("element", message) if isinstance(each, Send)])
        self.assertEqual((("psk:web", P), [P, Q]), (self.owner(), self.peers()))

    def test_we_dial_nobody_in_the_clear(self) -> None:
        """Whoever answers there counts as not reached: it is tried again."""
        stage = PeeringStage(R, access=access())
        for credentials in (None, (WEB,)):
            effects = stage.enrp.association_up("clear", place(R), stage.now, True, credentials)
            self.assertEqual((Abort("clear"), []), (effects[0], [each for each in effects if isinstance(each, Send)]))
            self.assertEqual([place(R)], stage.calls(stage.pass_time(5.0)))

    def test_an_operator_looks_on(self) -> None:
        self.up("desk", (DESK,))
        (table,) = self.stage.to("desk", self.says("desk", enrp.HandleTableRequest(0, 0)), enrp.HandleTableResponse)
        self.assertEqual([7], [each.identifier for entry in table.entries for each in entry.elements])
        self.says("desk", enrp.HandleUpdate(0, 0, 1, POOL, owned_by(WEB, P)))
        self.assertIn(Abort("desk"), self.says("desk", enrp.TakeoverServer(R, 0, P)))
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

    def test_no_element_without_an_owner(self) -> None:
        self.stage.update(P, POOL, owned_by(None, P, 8))
        self.assertIsNone(self.owner(8))
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


class RevocationTests(SecuredTestCase):
    """Who may be what changes while all is running."""

    def change(self, *without: Identity, **options: Any) -> list[Any]:
        return self.stage.note(self.stage.registrar.access_changed(access(*without, **options), self.stage.now))

    def test_an_element_of_ours(self) -> None:
        """It is told so and cut off, and the peers hear that it is gone."""
        self.stage.up("web", credentials=(WEB,))
        self.stage.register("web", POOL, element(8))
        effects = self.change(WEB)
        self.assertEqual(
            [CauseCode.REJECTED_FOR_SECURITY], [each.code for each in self.stage.sent("web", effects)[0].causes]
        )
        self.assertIn(Abort("web"), effects)
        self.assertEqual(
            [ElementRemoved(POOL, 8, "not authorized any more")], self.stage.notified(effects, ElementRemoved)
        )
        updates = self.stage.to(Q, effects, enrp.HandleUpdate)
        self.assertEqual([(1, 8)], [(each.action, each.element.identifier) for each in updates])
        self.assertEqual([], self.stage.lost("web"))

    def test_of_another_home(self) -> None:
        """Its home alone removes it: it may have another file, yet."""
        self.change(WEB)
        self.assertEqual(("psk:web", P), self.owner())
        self.stage.update(P, POOL, owned_by(WEB, P), action=1)
        self.assertIsNone(self.owner())

    def test_that_becomes_ours(self) -> None:
        """Whoever takes it over knows that it is revoked."""
        self.change(WEB)
        self.stage.all_of(P, enrp.HandleUpdate(P, SERVER, 0, POOL, owned_by(WEB, P), True))
        self.assertIsNone(self.owner())

    def test_until_it_is_known_again(self) -> None:
        self.change(WEB)
        self.change()
        self.stage.all_of(P, enrp.HandleUpdate(P, SERVER, 0, POOL, owned_by(WEB, P), True))
        self.assertEqual(("psk:web", SERVER), self.owner())

    def test_one_that_we_do_not_know_yet(self) -> None:
        """A new key comes to each registrar at another time: nothing is lost."""
        new = Identity("psk", "new")
        self.stage.all_of(P, enrp.HandleUpdate(P, SERVER, 0, POOL, owned_by(new, P, 8), True))
        self.assertEqual(("psk:new", SERVER), self.owner(8))
        self.change()
        self.assertEqual(("psk:new", SERVER), self.owner(8))

    def test_a_registrar(self) -> None:
        """It is cut off; its elements are taken over, and stay."""
        effects = self.change(REGISTRARS[P])
        self.assertEqual([Abort(P)], [each for each in effects if isinstance(each, Abort)])
        self.assertEqual([place(P)], self.stage.calls(effects))
        self.assertEqual([], self.stage.lose(P))
        effects = self.stage.note(self.stage.enrp.connect_failed(place(P), self.stage.now))
        self.assertEqual([P], [each.target for each in self.stage.to(Q, effects, enrp.InitTakeover)])
        effects = self.stage.all_of(Q, enrp.InitTakeoverAck(Q, SERVER, P))
        self.assertEqual([TakenOver(P, SERVER, 1)], self.stage.notified(effects, TakenOver))
        self.assertEqual(("psk:web", SERVER), self.owner())
        self.assertIn(Abort("again"), self.up("again", (REGISTRARS[P],), number=P))

    def test_our_own_key(self) -> None:
        """Who proved to have the old one proves to have the new one."""
        self.stage.proved[R] = (OWN,)
        self.stage.meet(R, outbound=True)
        self.assertEqual([P, Q, R], self.peers())
        effects = self.change(own=Identity("psk", "new"))
        self.assertEqual([Abort(R)], [each for each in effects if isinstance(each, Abort)])

    def test_nothing_changed(self) -> None:
        self.assertEqual([], self.change())


class MigrationTests(SecuredTestCase):
    """TLS is offered; to require it is refused as long as something would be lost."""

    state = State.OFFERED

    def require(self) -> list[Any]:
        return self.stage.note(self.stage.registrar.access_changed(access(), self.stage.now))

    def test_required(self) -> None:
        self.stage.up("clear", host="10.0.0.5")
        effects = self.require()
        self.assertEqual([Abort("clear")], effects)
        self.assertIs(State.REQUIRED, self.stage.registrar.access.state)
        self.assertTrue(self.stage.register("clear", POOL, element(8, host="10.0.0.5")) == [])

    def test_elements_without_an_owner(self) -> None:
        self.stage.up("clear", host="10.0.0.5")
        self.stage.register("clear", POOL, element(8, host="10.0.0.5"))
        self.stage.update(P, POOL, owned_by(None, P, 9))
        refusal = NotYetRequired(2, ((POOL, 8), (POOL, 9)), ())
        self.assertEqual([refusal], self.stage.notified(self.require(), NotYetRequired))
        self.assertIs(State.OFFERED, self.stage.registrar.access.state)
        bare = self.stage.registrar.in_the_clear
        self.assertEqual((2, ("10.0.0.5",)), (bare.elements, bare.clients[0].hosts))
        self.stage.tell("clear", asap.Deregistration(POOL, 8))
        self.stage.update(P, POOL, owned_by(WEB, P, 9))
        self.require()
        self.assertIs(State.REQUIRED, self.stage.registrar.access.state)

    def test_registrars_in_the_clear(self) -> None:
        self.stage.proved = {}
        self.stage.meet(R)
        self.assertEqual([NotYetRequired(0, (), (R,))], self.stage.notified(self.require(), NotYetRequired))
        self.assertEqual([P, Q, R], self.peers())

    def test_both_are_believed(self) -> None:
        self.stage.proved = {}
        self.stage.meet(R)
        self.stage.update(R, POOL, owned_by(None, R, 9))
        self.assertEqual(("None", R), self.owner(9))

    def test_revoked_meanwhile(self) -> None:
        """Identities count, whatever the state."""
        self.stage.update(P, POOL, owned_by(None, P, 9))
        self.stage.note(self.stage.registrar.access_changed(access(WEB), self.stage.now))
        self.assertIsNone(self.stage.registrar.access.serves(Identity("psk", "new"), POOL))
        self.assertIs(False, self.stage.registrar.access.serves(WEB, POOL))


class TrailTests(SecuredTestCase):
    """Who did what, and was refused, is told; in a plain scope nothing is."""

    def acted(self) -> list[tuple[Any, ...]]:
        events = self.stage.notified(self.stage.effects, Acted)
        self.stage.effects.clear()
        return [(each.act, each.identity, each.about, each.why) for each in events]

    def test_elements(self) -> None:
        self.stage.up("web", credentials=(WEB,))
        for port, life in ((80, 60), (80, 60), (81, 60)):
            self.stage.register("web", POOL, element(8, port=port, life=life))
        self.stage.tell("web", asap.Deregistration(POOL, 7))
        self.stage.tell("web", asap.Deregistration(POOL, 8))
        about = "pool 0x00000008"
        self.assertEqual(
            [
                (Act.REGISTERED, "psk:web", about, ""),
                (Act.CHANGED, "psk:web", about, ""),
                (Act.REMOVED, "psk:web", "pool 0x00000007", ""),
                (Act.REMOVED, "psk:web", about, ""),
            ],
            self.acted(),
        )

    def test_refused(self) -> None:
        self.stage.up("mail", credentials=(MAIL,))
        self.stage.register("mail", POOL, element(7))
        self.stage.tell("mail", asap.Deregistration(POOL, 7))
        self.stage.up("clear")
        self.stage.register("clear", POOL, element(8))
        self.up("enrp clear", None)
        self.says("enrp clear", enrp.ListRequest(P, 0))
        self.up("enrp element", (WEB,))
        self.assertEqual(
            [
                (Act.REFUSED, "psk:mail", "pool 0x00000007", "another pool element has this identifier (cause 0x4)"),
                (Act.REFUSED, "psk:mail", "pool 0x00000007", "rejected for security reasons"),
                (Act.REFUSED, "in the clear", "pool", "TLS is required"),
                (Act.REFUSED, "in the clear", "ENRP", "TLS is required"),
                (Act.REFUSED, "psk:web", "ENRP", "neither a registrar nor an operator"),
            ],
            self.acted(),
        )

    def test_claims_and_removals(self) -> None:
        self.stage.up("web", credentials=(WEB,))
        self.stage.register("web", POOL, element(8))
        self.acted()
        self.stage.all_of(Q, enrp.InitTakeover(Q, 0, P))
        self.stage.note(self.stage.registrar.access_changed(access(WEB), self.stage.now))
        self.assertEqual(
            [
                (Act.CLAIMED, "psk:reg2222", "the elements of registrar 0x00001111", "as registrar 0x00002222"),
                (Act.REMOVED, "this registrar", "pool 0x00000008", "not authorized any more"),
            ],
            self.acted(),
        )

    def test_in_a_plain_scope(self) -> None:
        self.stage = PeeringStage().ready(P)
        self.stage.up("pe")
        self.stage.register("pe", POOL, element(8))
        self.stage.tell("pe", asap.Deregistration(POOL, 8))
        self.stage.all_of(P, enrp.InitTakeover(P, 0, Q))
        self.assertEqual([], self.acted())
