"""Keep-alives at the pool element: acknowledged, and who is its home by them (RFC 5352 section 3.4)."""

from __future__ import annotations

from rserpool.core import CauseCode, Close, Connect, TransportAddress
from rserpool.core.element.former import DISTRUST, MOST_DISTRUSTED
from rserpool.core.profiles import DEFAULT
from rserpool.core.server_hunt import HomeChanged
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause
from tests.conformance import rfc
from tests.core.element.stage import FIRST, POOL, ROUND_ROBIN, SECOND, WEB, ElementTestCase


class KeepAliveTests(ElementTestCase):
    """3.4."""

    def setUp(self):
        super().setUp()
        self.registered()

    @rfc("5352", "2.2.7", "MUST respond with an ASAP_ENDPOINT_KEEP_ALIVE_ACK to any")
    @rfc("5352", "3.4", "MUST be taken")
    def test_acknowledged_on_the_association_that_asked(self):
        self.element.association_up("probe", TransportAddress(("10.0.0.3",), 3863), self.now)
        for association in ("home", "probe"):
            effects = self.element.receive(association, asap.EndpointKeepAlive(1, POOL), self.now)
            self.assertEqual(self.sent(effects, association), [asap.EndpointKeepAliveAck(POOL, 7, True)])

    @rfc("5352", "3.4", "MUST be taken")
    @rfc("5352", "2.2.7", "MUST respond with an ASAP_ENDPOINT_KEEP_ALIVE_ACK to any")
    def test_acknowledged_whatever_it_does(self):
        """While it registers, is a member, changes, is put off, leaves, has no home: with the H flag and without."""
        lack = (ErrorCause(CauseCode.LACK_OF_RESOURCES),)
        homes = 0

        def registering():
            self.element.register_again(POOL, self.now)

        def put_off():
            self.element.receive(f"home {homes}", asap.RegistrationResponse(POOL, 7, True, lack), self.now)

        def member():
            self.element.receive(f"home {homes}", asap.RegistrationResponse(POOL, 7), self.now)

        def homeless():
            self.element.association_lost(f"home {homes}", self.now)

        def leaving():
            self.element.leave(POOL, self.now)

        self.at_home("home 0", FIRST)
        for number, step in enumerate((member, registering, put_off, member, homeless, leaving, homeless)):
            step()
            for home in (False, True):
                if home:
                    homes = number + 1
                asker = f"home {number + 1}"
                self.element.association_up(asker, TransportAddress(("10.0.0.3",), 4000 + number), self.now)
                effects = self.element.receive(asker, asap.EndpointKeepAlive(3, POOL, home, 7), self.now)
                acknowledgement = asap.EndpointKeepAliveAck(POOL, 7, True)
                self.assertEqual([m for m in self.sent(effects, asker) if m == acknowledgement], [acknowledgement])

    def test_who_was_refused_does_not_answer(self):
        """It is in no pool; whoever asks it is to find that out."""
        refused = (ErrorCause(CauseCode.INCONSISTENT_POOLING_POLICY),)
        self.setUp()
        self.element.leave(POOL, self.now)
        self.element.receive("home", asap.DeregistrationResponse(POOL, 7), self.now)
        self.serve(identifier=7)
        self.element.receive("home", asap.RegistrationResponse(POOL, 7, True, refused), self.now)
        self.assertEqual(self.element.receive("home", asap.EndpointKeepAlive(1, POOL), self.now), [])

    @rfc("5352", "3.4", "MUST be taken")
    def test_each_pool_by_its_own_name(self):
        """KA2.1, KA2.2: in two pools it has two identifiers; a keep-alive is acknowledged for its pool alone."""
        self.element.serve(b"other", WEB, ROUND_ROBIN, self.now, identifier=8)
        for handle, identifier in ((POOL, 7), (b"other", 8)):
            for told in (None, identifier):
                effects = self.element.receive("home", asap.EndpointKeepAlive(1, handle, False, told), self.now)
                self.assertEqual(self.sent(effects), [asap.EndpointKeepAliveAck(handle, identifier, True)])

    @rfc("5352", "3.4", "MUST silently discard the message")
    def test_other_pools_and_identifiers_are_discarded(self):
        for message in (asap.EndpointKeepAlive(1, b"other"), asap.EndpointKeepAlive(1, POOL, identifier=8)):
            self.assertEqual(self.element.receive("home", message, self.now), [])

    @rfc("5353", "1.1", "MUST keep track of this master/slave relationship")
    @rfc("5352", "3.4", "MUST be taken")
    @rfc("5352", "2.2.7", "MUST respond with an ASAP_ENDPOINT_KEEP_ALIVE_ACK to any")
    @rfc("5352", "1.1", "MUST know and keep track of this")
    @rfc("5353", "1.1", "MUST only have one Home ENRP")
    def test_h_flag_makes_the_sender_the_home(self):
        other = TransportAddress(("10.0.0.3",), 3863)
        self.element.association_up("new", other, self.now)
        effects = self.element.receive("new", asap.EndpointKeepAlive(1, POOL, True, 7), self.now)
        self.assertEqual(self.sent(effects, "new")[0], asap.EndpointKeepAliveAck(POOL, 7, True))
        self.assertEqual(self.events(effects), [HomeChanged(other)])
        self.assertEqual(self.element.home, other)
        # The one before it stays until this one grants the registration.
        self.assertNotIn(Close("home"), effects)
        self.assertEqual(self.sent(effects, "new")[1].element.identifier, 7)
        effects = self.element.receive("new", asap.RegistrationResponse(POOL, 7), self.now)
        self.assertIn(Close("home"), effects)
        self.element.association_lost("home", self.now)
        self.assertEqual(self.element.home, other)
        # It is kept, and tried when it is lost.
        effects = self.element.association_lost("new", self.now)
        self.assertEqual([e.peer for e in effects if isinstance(e, Connect)], [FIRST, SECOND, other])

    @rfc("5353", "1.1", "MUST keep track of this master/slave relationship")
    def test_who_asks_is_kept(self):
        """Another registrar asks it whether it lives: the home is the same, and when that is lost, both are tried."""
        other = TransportAddress(("10.0.0.3",), 3863)
        self.element.receive("home", asap.EndpointKeepAlive(1, POOL, False, 7), self.now)
        self.element.association_up("probe", other, self.now)
        self.element.receive("probe", asap.EndpointKeepAlive(2, POOL, False, 7), self.now)
        self.assertEqual((self.element.home, self.element.home_identifier), (FIRST, 1))
        self.element.association_lost("probe", self.now)
        effects = self.element.association_lost("home", self.now)
        self.assertEqual([e.peer for e in effects if isinstance(e, Connect)], [SECOND, other, FIRST])

    def test_who_asks_about_another_is_no_registrar(self):
        other = TransportAddress(("10.0.0.3",), 3863)
        self.element.association_up("probe", other, self.now)
        self.element.receive("probe", asap.EndpointKeepAlive(2, b"another", False, 7), self.now)
        self.assertEqual(self.element.known_registrars, [FIRST, SECOND])

    def steal(self, number):
        """A stranger wants to be the home; what it is sent."""
        stranger = TransportAddress((f"10.0.6.{number}",), 3863)
        self.element.association_up(f"stranger {number}", stranger, self.now)
        keep_alive = asap.EndpointKeepAlive(0x666, POOL, True, 7)
        return self.element.receive(f"stranger {number}", keep_alive, self.now)

    def at_the_first(self, effects):
        """It is at home again, and registers there; there it never was away."""
        self.assertEqual(self.element.home, FIRST)
        self.assertEqual([type(each) for each in self.sent(effects)], [asap.Registration])
        self.assertNotIn(Close("home"), effects)
        self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)
        self.assertTrue(self.element.is_registered(POOL))

    def test_who_wants_to_be_the_home_and_refuses(self):
        """Whatever the reason is: the element goes back at once, and does not believe that one again so soon."""
        for number, cause in enumerate((0x3, 0x4, 0x5, 0x6, 0xA)):
            self.assertEqual(len(self.sent(self.steal(number), f"stranger {number}")), 2)
            refusal = asap.RegistrationResponse(POOL, 7, True, (ErrorCause(cause),))
            effects = self.element.receive(f"stranger {number}", refusal, self.now)
            self.assertIn(Close(f"stranger {number}"), effects)
            self.at_the_first(effects)
            self.assertEqual(self.element.identifier(POOL), 7)
        [acknowledgement] = self.sent(self.steal(0), "stranger 0")
        self.assertIsInstance(acknowledgement, asap.EndpointKeepAliveAck)
        self.assertEqual(self.element.home, FIRST)
        self.pass_time(DISTRUST)
        self.steal(0)
        self.assertNotEqual(self.element.home, FIRST)

    def test_who_wants_to_be_the_home_and_says_nothing_or_goes(self):
        self.steal(1)
        self.at_the_first(self.pass_time(DEFAULT.t2_registration))
        self.steal(2)
        self.at_the_first(self.element.association_lost("stranger 2", self.now))
        # One after the other: it goes back to the one that granted something.
        self.steal(3)
        self.assertIn(Close("stranger 3"), self.steal(4))
        self.at_the_first(self.element.association_lost("stranger 4", self.now))

    def test_nothing_is_said_to_who_is_gone(self):
        """The newcomer is lost: there is nobody to say goodbye to; one that says nothing is told."""
        self.steal(1)
        effects = self.element.association_lost("stranger 1", self.now)
        self.assertEqual([], [each for each in effects if isinstance(each, Close)])
        self.steal(2)
        effects = self.pass_time(DEFAULT.t2_registration)
        self.assertEqual([Close("stranger 2")], [each for each in effects if isinstance(each, Close)])

    def test_the_former_home_wants_it_back(self):
        """The former home asks again, with the H flag: it is the home, the newcomer is the former one, and is left."""
        self.steal(1)
        effects = self.element.receive("home", asap.EndpointKeepAlive(1, POOL, True, 7), self.now)
        self.assertEqual(FIRST, self.element.home)
        self.assertEqual([], [each for each in effects if each == Close("home")])
        effects = self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)
        self.assertNotIn(Close("home"), effects)
        self.assertEqual(FIRST, self.element.home)
        self.assertTrue(self.element.is_registered(POOL))

    def test_so_many_are_distrusted(self):
        """Of those that granted nothing the last ones are remembered."""
        former, hunt = self.element._former, self.element._hunt
        places = [TransportAddress((f"10.0.6.{number}",), 3863) for number in range(MOST_DISTRUSTED + 1)]
        for place in [*places[:-1], places[0], places[-1]]:
            former.replaced(hunt, True, "stranger")
            hunt.adopt("stranger", place, self.now)
            former.restored(hunt, True, self.now)
        first, second, third, *_, last = (former.trusts(place, self.now) for place in places)
        self.assertEqual([False, True, False, False], [first, second, third, last])

    def test_the_home_dies_meanwhile(self):
        """The newcomer refuses, and there is none to go back to: it is looked for."""
        self.steal(1)
        self.element.association_lost("home", self.now)
        refusal = asap.RegistrationResponse(POOL, 7, True, (ErrorCause(0x6),))
        self.element.receive("stranger 1", refusal, self.now)
        self.assertNotEqual(self.element.home, FIRST)

    def test_leaving_meanwhile(self):
        """It leaves where it is registered."""
        self.steal(1)
        effects = self.element.leave(POOL, self.now)
        self.assertEqual([type(each) for each in self.sent(effects)], [asap.Registration, asap.Deregistration])
