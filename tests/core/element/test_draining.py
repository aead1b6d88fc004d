"""An element that drains is in no pool: whoever asks it as one that serves hears so."""

from __future__ import annotations

from rserpool.core import TransportAddress
from rserpool.core.wire import asap
from rserpool.core.wire.private import Draining
from tests.core.element.stage import POOL, SECOND, ElementTestCase

IT_DRAINS = Draining(True, None)


class MistakenTests(ElementTestCase):
    def setUp(self):
        super().setUp()
        self.registered()
        self.asked("home", Draining(True))

    def asked(self, association, draining=None, home=False):
        """A registrar asks; what the element sends back over the same association."""
        question = asap.EndpointKeepAlive(1, POOL, home, 7, draining)
        return self.sent(self.element.receive(association, question, self.now), association)

    def drains(self):
        self.element.receive("home", asap.DeregistrationResponse(POOL, 7), self.now)

    def up(self, association, host="10.0.0.3"):
        self.element.association_up(association, TransportAddress((host,), 3863), self.now)

    def test_another_registrar_that_has_it(self):
        """It was its home, and was cut off when it moved and was told to drain: it is told that it serves no more."""
        for _ in range(2):
            self.up("other")
            self.assertEqual(
                [asap.EndpointKeepAliveAck(POOL, 7, True), asap.Deregistration(POOL, 7)], self.asked("other")
            )
            self.drains()
        # Which looks after it yet, and knows.
        told = asap.EndpointKeepAliveAck(POOL, 7, True, IT_DRAINS)
        self.assertEqual([told], self.asked("home", Draining(True)))

    def test_another_registrar_that_asks_whether_it_drains(self):
        self.drains()
        self.up("other")
        told = asap.EndpointKeepAliveAck(POOL, 7, True, IT_DRAINS)
        self.assertEqual([told, asap.Deregistration(POOL, 7)], self.asked("other", Draining(False)))
        # It is not its home: nothing has changed.
        self.assertEqual([told], self.asked("home", Draining(True)))

    def test_its_home_that_has_it_by_a_takeover(self):
        self.drains()
        for home in (False, True):
            expected = [asap.EndpointKeepAliveAck(POOL, 7, True), asap.Deregistration(POOL, 7, True)]
            self.assertEqual(expected, self.asked("home", home=home))

    def test_its_home_that_has_not_answered_yet(self):
        self.assertEqual([asap.EndpointKeepAliveAck(POOL, 7, True)], self.asked("home"))

    def test_a_registrar_that_asks_while_there_is_no_home(self):
        self.drains()
        self.element.association_lost("home", self.now)
        self.up("other")
        self.assertEqual([asap.EndpointKeepAliveAck(POOL, 7, True), asap.Deregistration(POOL, 7)], self.asked("other"))
        effects = self.element.association_up("next", SECOND, self.now, True)
        self.assertEqual([asap.Deregistration(POOL, 7, True)], self.sent(effects, "next"))

    def test_who_serves_again_does_not(self):
        self.drains()
        self.asked("home", Draining(False))
        self.up("other")
        self.assertEqual([asap.EndpointKeepAliveAck(POOL, 7, True)], self.asked("other"))
