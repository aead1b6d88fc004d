"""Who may be what changes while all is running: revocation, the way to TLS, and the trail of it (RFC 5355)."""

from __future__ import annotations

from typing import Any

from rserpool.core import Abort, CauseCode, Close
from rserpool.core.access import State
from rserpool.core.identity import Identity
from rserpool.core.peering.events import PeerError, TakenOver
from rserpool.core.registrar.events import ElementRemoved, NotYetRequired
from rserpool.core.trail import Act, Acted
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.causes import ErrorCause
from tests.conformance import rfc
from tests.core.peering.secured import MAIL, OWN, POOL, REGISTRARS, WEB, SecuredTestCase, access, owned_by
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, element, place


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
        self.assertIn(Close("again"), self.up("again", (REGISTRARS[P],), number=P))

    def test_ours(self) -> None:
        """Others take us for no registrar any more: they live, and what is theirs stays theirs, until they know us."""
        error = enrp.Error(P, 0, (ErrorCause(CauseCode.REJECTED_FOR_SECURITY),))
        effects = self.stage.all_of(P, error)
        self.assertEqual(
            [(P, error.causes)], [(each.peer, each.causes) for each in self.stage.notified(effects, PeerError)]
        )
        self.stage.lose(P)
        effects = self.stage.note(self.stage.enrp.connect_failed(place(P), self.stage.now))
        effects += self.stage.silence(120.0, Q)
        self.assertEqual([], self.stage.to(Q, effects, enrp.InitTakeover))
        self.assertEqual(("psk:web", P), self.owner())
        self.stage.meet(P)
        self.stage.hear(P, enrp.HandleTableResponse(P, SERVER, ()))
        self.stage.update(P, POOL, owned_by(WEB, P))
        self.stage.lose(P)
        effects = self.stage.note(self.stage.enrp.connect_failed(place(P), self.stage.now))
        self.assertEqual([P], [each.target for each in self.stage.to(Q, effects, enrp.InitTakeover)])

    def test_who_is_nobody_cannot_say_so(self) -> None:
        """In a plain scope: only from where the peer is."""
        self.stage = PeeringStage().ready(P, Q)
        self.stage.enrp.association_up("stranger", place(R), self.stage.now)
        self.says("stranger", enrp.Error(P, 0, (ErrorCause(CauseCode.REJECTED_FOR_SECURITY),)))
        self.stage.lose(P)
        effects = self.stage.note(self.stage.enrp.connect_failed(place(P), self.stage.now))
        self.assertEqual([P], [each.target for each in self.stage.to(Q, effects, enrp.InitTakeover)])

    def test_our_own_key(self) -> None:
        """Who proved to have the old one proves to have the new one."""
        self.stage.proved[R] = (OWN,)
        self.stage.meet(R, outbound=True)
        self.assertEqual([P, Q, R], self.peers())
        effects = self.change(own=Identity("psk", "new"))
        self.assertEqual([Abort(R)], [each for each in effects if isinstance(each, Abort)])

    def meet_over_our_own_key(self, says: Identity | None) -> list[Any]:
        """We dial R, which has our key, as all registrars have; who it is it says itself."""
        self.stage.proved[R] = (OWN,)
        self.stage.note(self.stage.enrp.association_up(R, place(R), self.stage.now, True, (OWN,)))
        return self.stage.all_of(R, enrp.Presence(R, SERVER, 0xFFFF, None, False, True, says))

    def test_a_registrar_that_we_dialled(self) -> None:
        self.meet_over_our_own_key(REGISTRARS[R])
        self.assertEqual([P, Q, R], self.peers())
        self.assertIn(Abort(R), self.change(REGISTRARS[R]))
        self.assertEqual([], self.stage.lose(R))
        self.assertIn(Close(R), self.meet_over_our_own_key(REGISTRARS[R]))
        self.assertEqual([], self.stage.update(R, POOL, owned_by(WEB, R, 9)))
        self.assertIsNone(self.owner(9))

    def test_that_says_it_is_an_element(self) -> None:
        self.assertIn(Close(R), self.meet_over_our_own_key(WEB))

    def test_that_does_not_say_who_it_is(self) -> None:
        self.meet_over_our_own_key(None)
        self.assertEqual([P, Q, R], self.peers())

    def test_ourselves(self) -> None:
        """A name may stand for all registrars, ours among them: it is dialled no more."""
        self.stage.enrp.association_up("us", place(R), self.stage.now, True, (OWN,))
        effects = self.says("us", enrp.Presence(SERVER, SERVER, 0xFFFF, None, False, True, OWN))
        self.assertEqual([Close("us")], effects)

    def test_we_say_who_we_are(self) -> None:
        """Over TLS alone."""
        (presence,) = self.stage.presence(P, reply_required=True)
        self.assertEqual(OWN, presence.identity)

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

    @rfc("5355", "2.15.3", "either the entire ENRP server database MUST be secure")
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
        """Who comes in the clear is not told who we are: some end of a parameter that they do not know."""
        self.stage.proved = {}
        self.assertEqual({None}, {each.identity for each in self.stage.meet(R) if isinstance(each, enrp.Presence)})
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
