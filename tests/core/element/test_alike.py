"""Keep-alives that are like one before are answered without a look at what is in them (RFC 5352 section 3.4)."""

from __future__ import annotations

from rserpool.core import CauseCode, TransportAddress
from rserpool.core.element.alike import MOST
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause
from rserpool.core.wire.private import Draining
from tests.conformance import rfc
from tests.core.element.stage import POOL, ROUND_ROBIN, WEB, ElementTestCase

ASKED = asap.EndpointKeepAlive(1, POOL, False, 7)
ANSWER = asap.encode(asap.EndpointKeepAliveAck(POOL, 7, True))


class AlikeTests(ElementTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.registered()

    def ask(self, message: asap.EndpointKeepAlive = ASKED, association: str = "home") -> list[object]:
        """As a driver does it: what is sent, and C{"at once"} if it was."""
        at_once = self.element.at_once(association, asap.encode(message), self.now)
        if at_once is not None:
            return ["at once", at_once]
        effects = self.element.receive(association, message, self.now)
        return [asap.encode(each) for each in self.sent(effects, association)]

    @rfc("5352", "2.2.7", "MUST respond with an ASAP_ENDPOINT_KEEP_ALIVE_ACK to any")
    def test_again(self) -> None:
        self.assertEqual([ANSWER], self.ask())
        for _ in range(3):
            self.assertEqual(["at once", ANSWER], self.ask())
        self.assertEqual(1, self.element.home_identifier)

    def test_each_question_for_itself(self) -> None:
        """Of another registrar with the same words, of another pool, of another server: each is looked at."""
        self.ask()
        self.element.association_up("probe", TransportAddress(("10.0.0.3",), 3863), self.now)
        for _ in range(2):
            self.assertEqual([ANSWER], self.ask(association="probe"))
        self.element.serve(b"other", WEB, ROUND_ROBIN, self.now, identifier=8)
        other = asap.EndpointKeepAlive(1, b"other", False, 8)
        answers = [self.ask(each) for each in (other, ASKED, other)]
        acknowledgement = asap.encode(asap.EndpointKeepAliveAck(b"other", 8, True))
        self.assertEqual([[acknowledgement], ["at once", ANSWER], ["at once", acknowledgement]], answers)
        self.ask(asap.EndpointKeepAlive(2, POOL, False, 7))
        self.assertEqual(2, self.element.home_identifier)
        self.assertEqual(["at once", ANSWER], self.ask())
        self.assertEqual(1, self.element.home_identifier)

    def test_while_it_drains(self) -> None:
        """Who asks so has it in its handlespace: it is told that it is in no pool, and not what it was told before."""
        self.ask()
        self.ask(asap.EndpointKeepAlive(1, POOL, False, 7, draining=Draining(True)))
        # It has deregistered, which is not answered yet.
        self.assertEqual(["at once", ANSWER], self.ask())
        self.element.receive("home", asap.DeregistrationResponse(POOL, 7), self.now)
        for _ in range(2):
            self.assertEqual([ANSWER, asap.encode(asap.Deregistration(POOL, 7, True))], self.ask())

    def test_what_changes_is_not_kept(self) -> None:
        """How many connections there are, for example."""
        message = asap.EndpointKeepAlive(1, POOL, False, 7, draining=Draining(False))
        for connections in (1, 2):
            self.element.connections = {POOL: connections}.get
            [answer] = self.ask(message)
            assert isinstance(answer, bytes)
            decoded = asap.decode(answer).message
            assert isinstance(decoded, asap.EndpointKeepAliveAck) and decoded.draining is not None
            self.assertEqual(connections, decoded.draining.connections)

    def test_nothing_is_answered_any_more(self) -> None:
        """It has left, was refused, has another identifier, or another home."""
        refused = (ErrorCause(CauseCode.INCONSISTENT_POOLING_POLICY),)
        self.ask()
        self.element.leave(POOL, self.now)
        self.assertEqual(["at once", ANSWER], self.ask())
        self.element.receive("home", asap.DeregistrationResponse(POOL, 7), self.now)
        self.assertEqual([], self.ask())
        self.serve(identifier=7)
        self.assertEqual([ANSWER], self.ask())
        self.element.receive("home", asap.RegistrationResponse(POOL, 7, True, refused), self.now)
        self.assertEqual([], self.ask())

    def test_the_home_is_gone(self) -> None:
        self.ask()
        self.element.association_lost("home", self.now)
        self.assertIsNone(self.element.at_once("home", asap.encode(ASKED), self.now))

    def test_rarer(self) -> None:
        """That it is asked less often than it was is told; then all is as usual again."""
        self.ask()
        self.now += 10.0
        self.assertEqual([ANSWER], self.ask())
        self.assertIn("at once", self.ask())

    def test_few_are_kept(self) -> None:
        for server in range(1, MOST + 3):
            self.ask(asap.EndpointKeepAlive(server, POOL, False, 7))
        self.assertNotIn("at once", self.ask())
