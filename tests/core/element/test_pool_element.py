"""The pool element: finds a registrar, stays registered, and leaves (RFC 5352 sections 3.1 to 3.6)."""

from __future__ import annotations

from random import Random

from rserpool.core import (
    Abort,
    CauseCode,
    ConfigurationError,
    Connect,
    Notify,
    PolicyParameter,
    StopConnecting,
)
from rserpool.core.element import PoolElement
from rserpool.core.element.events import (
    Left,
    NoRegistrarFound,
    OutOfPlace,
    Registered,
    RegistrationRefused,
    RegistrationUnanswered,
    RegistrationWarned,
)
from rserpool.core.profiles import DEFAULT, RFC, Profile
from rserpool.core.server_hunt import HomeChanged
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause
from tests.conformance import rfc
from tests.core.element.stage import FIRST, POOL, ROUND_ROBIN, SECOND, WEB, ElementTestCase


class RegisteringTests(ElementTestCase):
    """3.1."""

    @rfc("5352", "2.2.1", "MUST fill in the Pool Handle")
    @rfc(
        "5352",
        "3.1",
        "MUST use the procedures outlined in this",
        "MUST follow the procedures specified in Section",
        "MUST be followed to register",
        "MUST formulate an ASAP_REGISTRATION message, as defined",
    )
    @rfc("5352", "4", "A PE MUST implement the handling")
    def test_hunts_registers_and_tells(self):
        self.assertEqual(self.serve(identifier=7), [Connect(FIRST), Connect(SECOND)])
        effects = self.at_home()
        self.assertIn(StopConnecting(SECOND), effects)
        [message] = self.sent(effects)
        life = DEFAULT.registration_life
        self.assertEqual((message.handle, message.element.identifier, message.element.life), (POOL, 7, life))
        self.assertEqual(message.element.user_transport, WEB)
        effects = self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)
        self.assertEqual(self.events(effects), [Registered(POOL, 7, FIRST)])

    def test_identifiers_are_drawn(self):
        self.serve()
        self.element.serve(b"other", WEB, ROUND_ROBIN, self.now)
        self.assertNotEqual(self.element.identifier(POOL), self.element.identifier(b"other"))

    def test_several_pools_in_one_process(self):
        self.serve()
        self.element.serve(b"other", WEB, ROUND_ROBIN, self.now)
        self.assertEqual([m.handle for m in self.sent(self.at_home())], [POOL, b"other"])

    @rfc(
        "5352",
        "3.1",
        "MUST re-register before the registration expires",
        "MUST start a T4-reregistration timer",
        "SHOULD be made starting at step",
    )
    def test_registers_again_before_its_life_ends(self):
        self.registered()
        [message] = self.sent(self.pass_time(20.0))
        self.assertIsInstance(message, asap.Registration)

    @rfc("5352", "3.1", "MUST re-register before the registration expires")
    def test_short_lives_register_at_half_time(self):
        self.serve(identifier=7, life=10)
        self.at_home()
        self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)
        self.assertEqual(self.sent(self.pass_time(4.9)), [])
        self.assertEqual(len(self.sent(self.pass_time(0.2))), 1)

    @rfc("5352", "3.1", "If the T2-registration timer expires")
    @rfc("5352", "3.1", "SHOULD restart the registration procedure")
    @rfc("5352", "3.6", "MUST establish a new Home ENRP")
    def test_a_lost_answer_leads_to_another_registrar(self):
        self.serve(identifier=7)
        self.at_home()
        effects = self.pass_time(2.0)  # T2
        self.assertIn(Abort("home"), effects)
        self.assertIn(Connect(SECOND), effects)
        [message] = self.sent(self.at_home("second", SECOND), "second")
        self.assertIsInstance(message, asap.Registration)

    @rfc("5352", "3.1", "MUST use the same PE identifier")
    @rfc("5352", "3.6", "MUST establish a new Home ENRP")
    def test_a_lost_registrar_leads_to_another(self):
        self.registered()
        effects = self.element.association_lost("home", self.now)
        self.assertEqual(effects[:2], [Connect(SECOND), Connect(FIRST)])
        self.assertEqual(self.events(effects), [HomeChanged(None)])
        [message] = self.sent(self.at_home("second", SECOND), "second")
        self.assertEqual(message.element.identifier, 7)

    def test_changed_values_are_registered_at_once(self):
        self.registered()
        effects = self.element.change(POOL, self.now, policy=PolicyParameter(2, b"\0\0\0\5"))
        [message] = self.sent(effects)
        self.assertEqual(message.element.policy.type, 2)
        self.assertEqual(self.element.change(POOL, self.now, policy=PolicyParameter(2, b"\0\0\0\5")), [])

    def test_the_end_of_its_life_does_not_end_it(self):
        self.registered()
        effects = self.element.receive("home", asap.DeregistrationResponse(POOL, 7), self.now)
        self.assertIsInstance(self.sent(effects)[0], asap.Registration)

    def test_an_identifier_that_is_taken_is_replaced(self):
        self.serve()
        [first] = self.sent(self.at_home())
        taken = (ErrorCause(CauseCode.NON_UNIQUE_PE_IDENTIFIER),)
        self.element.receive("home", asap.RegistrationResponse(POOL, first.element.identifier, True, taken), self.now)
        [second] = self.sent(self.pass_time(0.5))
        self.assertNotEqual(second.element.identifier, first.element.identifier)

    def identifiers(self, profile: Profile) -> list[int]:
        """Those that an element asks for, whose drawn identifier was granted once, and is refused from then on."""
        self.role = self.element = PoolElement((FIRST, SECOND), profile=profile, random=Random(1))
        self.serve()
        [first] = self.sent(self.at_home())
        self.element.receive("home", asap.RegistrationResponse(POOL, first.element.identifier), self.now)
        # Its addresses are others now, and the registrar still believes in the old ones.
        taken, asked = (ErrorCause(CauseCode.NON_UNIQUE_PE_IDENTIFIER),), [first.element.identifier]
        self.element.register_again(POOL, self.now)
        for _ in range(4):
            self.element.receive("home", asap.RegistrationResponse(POOL, asked[-1], True, taken), self.now)
            # Postponed for 0.5, 1, 2 and 4 s.
            while not (sent := self.sent(self.pass_time(0.5))):
                pass
            asked.append(sent[0].element.identifier)
        return asked

    def test_an_identifier_that_was_granted_is_kept(self):
        """It insists on it as long as the registrar may need to find the old one gone; then it takes another one."""
        first, *asked = self.identifiers(DEFAULT)
        self.assertEqual([True, True, True, False], [identifier == first for identifier in asked])

    def test_an_identifier_is_not_waited_for(self):
        """Where that would take a minute and more it takes another one at once."""
        first, second, *_ = self.identifiers(RFC)
        self.assertNotEqual(first, second)

    def test_a_refusal_for_good_is_told_and_not_repeated(self):
        self.serve(identifier=7)
        self.at_home()
        other = (ErrorCause(CauseCode.INCONSISTENT_POOLING_POLICY),)
        effects = self.element.receive("home", asap.RegistrationResponse(POOL, 7, True, other), self.now)
        self.assertEqual(self.events(effects), [RegistrationRefused(POOL, 7, 5)])
        self.assertEqual(self.sent(self.pass_time(3600)), [])
        # What the registrar says then is ignored, and told.
        for message, name in (
            (asap.RegistrationResponse(POOL, 7), "ASAP_REGISTRATION_RESPONSE"),
            (asap.DeregistrationResponse(POOL, 7), "ASAP_DEREGISTRATION_RESPONSE"),
        ):
            self.assertEqual([Notify(OutOfPlace(POOL, name))], self.element.receive("home", message, self.now))

    @rfc("5352", "3.1", "SHOULD keep a record of the number")
    def test_registrations_that_nobody_answers_are_told(self):
        """A registrar accepts and says nothing: told after 2, 10, 100 registrations; an answer begins anew."""
        self.serve(identifier=7)
        self.at_home("0")
        told = []
        for attempt in range(1, 121):
            effects = self.pass_time(DEFAULT.t2_registration)
            told += [event for event in self.events(effects) if isinstance(event, RegistrationUnanswered)]
            effects = self.at_home(str(attempt))
            self.assertEqual(len(self.sent(effects, str(attempt))), 1)
        self.assertEqual(told, [RegistrationUnanswered(POOL, 7, attempts) for attempts in (2, 10, 100)])
        self.element.receive("120", asap.RegistrationResponse(POOL, 7), self.now)
        # One that closes instead.
        self.element.register_again(POOL, self.now)
        told = self.events(self.element.association_lost("120", self.now))
        self.assertEqual(told, [HomeChanged(None)])
        self.at_home("121")
        told = self.events(self.element.association_lost("121", self.now))
        self.assertEqual(told, [HomeChanged(None), RegistrationUnanswered(POOL, 7, 2)])

    @rfc("5352", "2.2.3", "serves as a warning to the registering PE")
    def test_a_warning_is_told_once(self):
        """R=0 with an error."""
        self.registered()
        cut = (ErrorCause(CauseCode.INVALID_VALUES, b"0005"),)
        for expected in ([RegistrationWarned(POOL, 7, cut)], []):
            self.element.register_again(POOL, self.now)
            effects = self.element.receive("home", asap.RegistrationResponse(POOL, 7, False, cut), self.now)
            self.assertEqual(self.events(effects), [Registered(POOL, 7, FIRST), *expected])
        self.assertTrue(self.element.is_registered(POOL))

    def test_answers_about_others_are_ignored(self):
        self.registered()
        for message in (asap.RegistrationResponse(POOL, 8, True), asap.DeregistrationResponse(b"x", 7)):
            self.assertEqual(self.element.receive("home", message, self.now), [])

    def test_values_that_cannot_be(self):
        for options in ({"identifier": 0}, {"identifier": 2**32}, {"life": 0}):
            with self.assertRaises(ConfigurationError):
                self.serve(**options)
        self.serve()
        with self.assertRaises(ConfigurationError):
            self.serve()


class LeavingTests(ElementTestCase):
    """3.2."""

    @rfc("5352", "2.2.2", "MUST fill in the Pool Handle")
    @rfc(
        "5352",
        "3.2",
        "SHOULD use the following procedure",
        "SHOULD use the SCTP association that was",
        "MUST take the following actions",
        "MUST be the same as used",
    )
    @rfc("5352", "4", "A PE MUST implement the handling")
    def test_deregisters_waits_and_tells(self):
        self.registered()
        effects = self.element.leave(POOL, self.now)
        self.assertEqual(self.sent(effects), [asap.Deregistration(POOL, 7)])
        effects = self.element.receive("home", asap.DeregistrationResponse(POOL, 7), self.now)
        self.assertEqual(self.events(effects), [Left(POOL)])
        self.assertEqual(self.element.pools, [])

    def test_what_was_never_registered_leaves_at_once(self):
        self.serve()
        self.assertEqual(self.events(self.element.leave(POOL, self.now)), [Left(POOL, never=True)])
        self.assertEqual(self.element.tick(self.now), [StopConnecting(FIRST), StopConnecting(SECOND)])

    @rfc("5352", "3.2", "SHOULD restart the de-registration procedure")
    def test_a_deregistration_that_met_a_dead_registrar_is_finished_at_another(self):
        self.registered()
        self.element.leave(POOL, self.now)
        self.element.association_lost("home", self.now)
        effects = self.at_home("second", SECOND)
        self.assertEqual(self.sent(effects, "second"), [asap.Deregistration(POOL, 7)])

    def test_and_so_is_one_that_began_without_a_registrar(self):
        self.registered()
        self.element.association_lost("home", self.now)
        self.assertEqual(self.events(self.element.leave(POOL, self.now)), [])
        self.assertEqual(self.sent(self.at_home("second", SECOND), "second"), [asap.Deregistration(POOL, 7)])

    @rfc("5352", "3.2", "If the T3-Deregistration timer expires")
    @rfc("5352", "3.2", "MUST take the following actions", "SHOULD restart the de-registration procedure")
    def test_a_silent_registrar_is_left_for_another(self):
        self.registered()
        self.element.leave(POOL, self.now)
        effects = self.pass_time(2.0)  # T3
        self.assertIn(Abort("home"), effects)
        self.assertEqual(self.sent(self.at_home("second", SECOND), "second"), [asap.Deregistration(POOL, 7)])


class HuntingTests(ElementTestCase):
    """3.6, as far as the element tells about it."""

    def test_says_once_in_a_while_that_no_registrar_can_be_found(self):
        self.serve()
        told = []
        for _ in range(12):
            for peer in (FIRST, SECOND):
                told += self.events(self.element.connect_failed(peer, self.now))
            self.pass_time(2.0)
        self.assertEqual(told, [NoRegistrarFound((FIRST, SECOND))] * 2)
