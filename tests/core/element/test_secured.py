"""An element that has a key: it believes nobody who has proved nothing (RFC 5355 sections 2.1 and 2.6)."""

from __future__ import annotations

from rserpool.core import Abort, Connect, Send
from rserpool.core.element import registration
from rserpool.core.errors import CauseCode
from rserpool.core.identity import Identity
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause
from tests.conformance import rfc
from tests.core.element.stage import FIRST, POOL, SECOND, ElementTestCase

PROVED = (Identity("psk", "web"),)


class SecuredTests(ElementTestCase):
    """Two registrars, an element with a key."""

    def setUp(self):
        super().setUp()
        self.element.secured = True
        self.serve(identifier=7)

    def up(self, association="home", peer=FIRST, credentials=PROVED):
        return self.element.association_up(association, peer, self.now, True, credentials)

    def test_registers_over_tls(self):
        self.assertEqual([asap.Registration], [type(each) for each in self.sent(self.up())])

    @rfc("5355", "2.6.3", "The PE MUST authenticate the ENRP server")
    def test_never_in_the_clear(self):
        """A registrar that proves nothing is left, and another one is looked for."""
        for credentials in (None, ()):
            self.setUp()
            effects = self.up(credentials=credentials)
            self.assertEqual(effects[0], Abort("home"))
            self.assertFalse([each for each in effects if isinstance(each, Send)])
            self.element.association_lost("home", self.now)
            self.assertEqual([], self.element.connect_failed(SECOND, self.now))
            self.assertIn(Connect(FIRST), self.pass_time(1.0))

    def test_no_keep_alive_in_the_clear_is_acknowledged(self):
        """Nor does it take whoever sends one for its home."""
        self.up()
        self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)
        self.assertEqual([Abort("clear")], self.element.association_up("clear", SECOND, self.now))
        for home in (False, True):
            keep_alive = asap.EndpointKeepAlive(0x99, POOL, home, 7)
            self.assertEqual([], self.element.receive("clear", keep_alive, self.now))
        self.assertEqual(FIRST, self.element.home)
        self.element.association_up("tls", SECOND, self.now, False, PROVED)
        effects = self.element.receive("tls", asap.EndpointKeepAlive(0x99, POOL, True, 7), self.now)
        self.assertEqual([asap.EndpointKeepAliveAck(POOL, 7, True)], self.sent(effects, "tls")[:1])
        self.assertEqual(SECOND, self.element.home)

    def test_a_registrar_that_has_not_heard_of_it_yet(self):
        """Its files are older than those of the one that granted it: it is asked again until it knows."""
        self.up()
        self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)
        self.element.association_lost("home", self.now)
        self.up("second", SECOND)
        refused = asap.RegistrationResponse(POOL, 7, True, (ErrorCause(CauseCode.REJECTED_FOR_SECURITY),))
        self.element.receive("second", refused, self.now)
        self.assertIsInstance(self.element.state_of(POOL), registration.Postponed)
        self.assertEqual([asap.Registration], [type(each) for each in self.sent(self.pass_time(0.6), "second")])
        self.element.receive("second", asap.RegistrationResponse(POOL, 7), self.now)
        self.assertIsInstance(self.element.state_of(POOL), registration.Member)

    def test_who_was_never_granted_is_refused_for_good(self):
        self.up()
        refused = asap.RegistrationResponse(POOL, 7, True, (ErrorCause(CauseCode.REJECTED_FOR_SECURITY),))
        self.element.receive("home", refused, self.now)
        self.assertIsInstance(self.element.state_of(POOL), registration.Refused)

    def test_another_key(self):
        """It proves it to the same registrar, and registers anew."""
        self.up()
        self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)
        effects = self.element.identity_changed(self.now)
        self.assertEqual([Abort("home"), Connect(FIRST)], [each for each in effects if not self.events([each])][:2])
        self.element.association_lost("home", self.now)
        self.assertEqual([asap.Registration], [type(each) for each in self.sent(self.up("again"), "again")])
        self.element.receive("again", asap.RegistrationResponse(POOL, 7), self.now)
        self.assertIsInstance(self.element.state_of(POOL), registration.Member)

    def test_another_key_without_a_home(self):
        self.assertEqual([], self.element.identity_changed(self.now))
