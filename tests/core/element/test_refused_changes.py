"""What is refused takes nobody out: the registration before it stands (RFC 5352 section 3.1)."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    CauseCode,
    Connect,
    PolicyParameter,
    TcpTransport,
)
from rserpool.core.element import PoolElement
from rserpool.core.element.events import RegistrationRefused
from rserpool.core.element.plain import FOR, Plain
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause
from tests.core.element.stage import FIRST, POOL, ROUND_ROBIN, SECOND, WEB, ElementTestCase


class RefusedTests(ElementTestCase):
    """A change, a renewal, a change while there is no home."""

    def refuse(self, cause=CauseCode.INCONSISTENT_POOLING_POLICY):
        return self.element.receive("home", asap.RegistrationResponse(POOL, 7, True, (ErrorCause(cause),)), self.now)

    def assert_registered(self):
        """As before: it answers keep-alives, registers again with what was granted, and can leave."""
        self.assertTrue(self.element.is_registered(POOL))
        effects = self.element.receive("home", asap.EndpointKeepAlive(1, POOL, False, 7), self.now)
        self.assertEqual(self.sent(effects), [asap.EndpointKeepAliveAck(POOL, 7, True)])
        [again] = self.sent(self.pass_time(DEFAULT.t4_reregistration))
        self.assertEqual(again.element.policy, ROUND_ROBIN)
        self.assertEqual(again.element.user_transport, WEB)
        self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)
        self.assertEqual(self.sent(self.element.leave(POOL, self.now)), [asap.Deregistration(POOL, 7)])

    def test_a_refused_change_leaves_the_registration(self):
        for cause in (CauseCode.INCONSISTENT_POOLING_POLICY, CauseCode.INVALID_VALUES, CauseCode.REJECTED_FOR_SECURITY):
            self.setUp()
            self.registered()
            self.element.change(POOL, self.now, policy=PolicyParameter(2, b"\0\0\0\5"))
            told = self.events(self.refuse(cause))
            self.assertEqual(told, [RegistrationRefused(POOL, 7, cause, stands=True)])
            self.assertEqual(self.element.element(POOL).policy, ROUND_ROBIN)
            self.assert_registered()

    def test_a_refused_address_leaves_the_registration(self):
        self.registered()
        self.element.change(POOL, self.now, user_transport=TcpTransport(80, "10.0.0.8"))
        self.refuse(CauseCode.INVALID_VALUES)
        self.assert_registered()

    def test_a_change_that_waits_leaves_the_registration(self):
        """Lack of Resources: the element answers keep-alives, and leaves the pool if it wants to."""
        self.registered()
        self.pass_time(DEFAULT.t4_reregistration)
        self.refuse(CauseCode.LACK_OF_RESOURCES)
        effects = self.element.receive("home", asap.EndpointKeepAlive(1, POOL, False, 7), self.now)
        self.assertEqual(self.sent(effects), [asap.EndpointKeepAliveAck(POOL, 7, True)])
        self.assertTrue(self.element.is_registered(POOL))
        self.assertEqual(self.sent(self.element.leave(POOL, self.now)), [asap.Deregistration(POOL, 7)])

    def test_a_refused_renewal_is_tried_again(self):
        """What was granted does not fit the pool any more, which others made another one: it may be as it was again."""
        self.registered()
        self.element.receive("home", asap.DeregistrationResponse(POOL, 7, (ErrorCause(5),)), self.now)
        pauses = []
        for _ in range(6):
            [event] = self.events(self.refuse())
            pauses.append(event.pause)
            [again] = self.sent(self.pass_time(event.pause))
            self.assertEqual(again.element.policy, ROUND_ROBIN)
        self.assertEqual(pauses[-1], 10.0)
        self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)
        self.assertTrue(self.element.is_registered(POOL))

    def test_an_address_without_a_way(self):
        """What was granted is refused by the next home, which cannot see one of our networks: it may soon."""
        self.registered()
        self.element.association_lost("home", self.now)
        self.at_home("home", SECOND)
        for _ in range(3):
            [event] = self.events(self.refuse(CauseCode.INVALID_VALUES))
            [again] = self.sent(self.pass_time(event.pause))
            self.assertEqual(again.element.user_transport, WEB)

    def test_a_renewal_that_is_refused_for_good(self):
        """What is registered is refused when it is renewed: it stands until its life is over, and can be left."""
        self.registered()
        self.pass_time(DEFAULT.t4_reregistration)
        self.assertEqual(self.events(self.refuse(0xA)), [RegistrationRefused(POOL, 7, 0xA, stands=True)])
        effects = self.element.receive("home", asap.EndpointKeepAlive(1, POOL, False, 7), self.now)
        self.assertEqual(self.sent(effects), [asap.EndpointKeepAliveAck(POOL, 7, True)])
        self.assertEqual(self.sent(self.pass_time(3600)), [])
        self.assertEqual(self.sent(self.element.leave(POOL, self.now)), [asap.Deregistration(POOL, 7)])

    def test_a_change_that_is_refused_elsewhere(self):
        """It changes while it has no home: the next home refuses that, and gets what was granted before."""
        self.registered()
        self.element.association_lost("home", self.now)
        self.element.change(POOL, self.now, policy=PolicyParameter(2, b"\0\0\0\5"))
        self.at_home("home", SECOND)
        self.refuse()
        [again] = self.sent(self.pass_time(0.01))
        self.assertEqual(again.element.policy, ROUND_ROBIN)

    def test_a_second_change_while_the_first_is_refused(self):
        self.registered()
        self.element.change(POOL, self.now, policy=PolicyParameter(2, b"\0\0\0\5"))
        self.element.change(POOL, self.now, policy=PolicyParameter(1, b""), user_transport=TcpTransport(81, "10.0.0.7"))
        [second] = self.sent(self.refuse())
        self.assertEqual(second.element.user_transport.port, 81)
        self.refuse(CauseCode.INVALID_VALUES)
        self.assert_registered()


class CauseTests(ElementTestCase):
    """What a registrar says is told, and nothing that another answer said."""

    def answer(self, *causes):
        answer = asap.RegistrationResponse(POOL, 7, True, tuple(map(ErrorCause, causes)))
        return self.events(self.element.receive("home", answer, self.now))

    def test_a_refusal_without_a_cause(self):
        """The one before had one: that is over."""
        self.serve(identifier=7)
        self.at_home()
        self.answer(CauseCode.LACK_OF_RESOURCES)
        self.pass_time(0.5)
        self.assertEqual(self.answer(), [RegistrationRefused(POOL, 7, CauseCode.UNSPECIFIED)])

    def test_a_registrar_that_is_only_slow_does_not_rest(self):
        """The only one says nothing, again and again: it is dialled again at once. If it refuses, it rests."""
        self.role = self.element = PoolElement([FIRST], profile=DEFAULT, random=Random(7))
        self.serve(identifier=7)
        for number in range(5):
            self.assertEqual(len(self.sent(self.at_home(f"home {number}"), f"home {number}")), 1)
            effects = self.pass_time(DEFAULT.t2_registration)
            self.assertEqual([each.peer for each in effects if isinstance(each, Connect)], [FIRST])


class PlainTests(SynchronousTestCase):
    """Registrations that a registrar does not answer: perhaps it cannot read our private parameters."""

    def test_a_hundred_without(self):
        """After two that had some; more silence does not make them fewer; and then it is tried anew."""
        plain = Plain()
        asked = []
        for number in range(250):
            asked.append(plain.asks(FIRST))
            self.assertFalse(plain.asks(SECOND))
            plain.asks(FIRST)
            if number < 10:
                plain.unanswered()
            else:
                plain.answered()
        self.assertEqual(asked, [False] * 2 + [True] * (8 + FOR) + [False] * 140)
