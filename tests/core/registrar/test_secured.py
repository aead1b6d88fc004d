"""A registrar where TLS is required: what comes in the clear, and whose an element is (RFC 5355 section 2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, Close, PolicyParameter
from rserpool.core.access import Access, State, access_by_keys
from rserpool.core.identity import Identity, parse_identity
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar import Limits
from rserpool.core.registrar.events import ElementRemoved
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause
from tests.conformance import rfc
from tests.core.registrar.stage import RegistrarStage
from tests.core.stage import element

POOL = b"www"
SECURITY, TAKEN = [CauseCode.REJECTED_FOR_SECURITY], [CauseCode.NON_UNIQUE_PE_IDENTIFIER]


def keys(**options: Any) -> Access:
    """Two elements, mail and web, and a registrar."""
    return access_by_keys(["reg"], ["web", "mail"], **options)


def proved(*texts: str) -> tuple[Identity, ...]:
    return tuple(map(parse_identity, texts))


def causes(message: Any) -> list[int]:
    return [cause.code for cause in message.causes]


class SecuredTestCase(SynchronousTestCase):
    """One element of C{psk:web}, which is there."""

    access = keys()

    def setUp(self) -> None:
        self.stage = RegistrarStage(access=self.access)
        self.stage.up("web", credentials=proved("psk:web"))
        [self.answer] = self.stage.register("web", POOL, element(1))

    def table(self) -> list[tuple[int, str, bytes]]:
        elements = self.stage.registrar.handlespace.owned_by(self.stage.registrar.identifier)
        return [(each.identifier, str(each.owner), each.wire) for each in elements]

    def refused(self, name: str, message: Any) -> tuple[Any, list[Any]]:
        """The answer to what changes nothing, and every effect of it."""
        before, seen = self.table(), len(self.stage.effects)
        (answer,) = self.stage.tell(name, message)
        self.assertEqual(before, self.table())
        return answer, self.stage.effects[seen:]


class ClearTests(SecuredTestCase):
    """Who comes in the clear hears so, once, and changes nothing."""

    def setUp(self) -> None:
        super().setUp()
        # From the very address of the element.
        self.stage.up("clear")

    @rfc("5355", "2.1.3", "MUST NOT create or update state information until it has authenticated the PE")
    @rfc("5355", "2.3.3", "MUST NOT create or update state information until it has authenticated the PE")
    @rfc("5355", "2.12.3", "A provision for authentication MUST be present")
    @rfc("5355", "2.15.3", "MUST reject any PE server registration", "any information not sent using TLS")
    def test_requests(self) -> None:
        for message in (
            asap.Registration(POOL, element(2)),
            asap.Registration(POOL, element(1, port=81)),
            asap.Deregistration(POOL, 1),
            asap.HandleResolution(POOL, subscribe=True),
            asap.EndpointUnreachable(POOL, 1),
        ):
            answer, effects = self.refused("clear", message)
            self.assertEqual(SECURITY, causes(answer), message)
            self.assertIn(Close("clear"), effects)
        self.assertEqual(0, self.stage.registrar.answers.subscriptions)

    def test_acknowledgements_and_errors(self) -> None:
        """They get no answer: an error is never answered by an error."""
        for message in (asap.EndpointKeepAliveAck(POOL, 1), asap.Error((ErrorCause(0),))):
            self.assertEqual([], self.stage.tell("clear", message))

    def test_no_more_answers_than_reports_are_allowed(self) -> None:
        """Who does not hear that it is closed is answered no longer."""
        messages = [asap.Deregistration(POOL, 1)] * 1000
        answers = [answer for message in messages for answer in self.stage.tell("clear", message)]
        self.assertEqual(self.stage.registrar.limits.reports_per_second, len(answers))

    def test_it_was_registered_over_tls(self) -> None:
        self.assertEqual(asap.RegistrationResponse(POOL, 1), self.answer)
        self.assertEqual([(1, "psk:web")], [each[:2] for each in self.table()])


class PlainUsersTests(SecuredTestCase):
    """Users in the clear are answered where the operator wants that; nothing else is."""

    access = keys(plain_users=True)

    def test_resolution(self) -> None:
        self.stage.up("user", host="10.0.9.9")
        self.assertEqual([1], [each.identifier for each in self.stage.resolve("user", POOL).elements])

    def test_the_rest(self) -> None:
        self.stage.up("user", host="10.0.9.9")
        for message in (asap.EndpointUnreachable(POOL, 1), asap.Registration(POOL, element(2, host="10.0.9.9"))):
            answer, effects = self.refused("user", message)
            self.assertEqual(SECURITY, causes(answer))
            self.assertNotIn(Close("user"), effects)


class IdentityTests(SecuredTestCase):
    """Over TLS: who serves is said by identity, never by address."""

    @rfc("5355", "2.2.3", "MUST NOT create or update state information until the authentication information")
    @rfc("5355", "2.4.3", "MUST NOT create or update state information until it has authorized")
    def test_without_an_identity(self) -> None:
        """It may resolve and report, and nothing else."""
        for name, credentials in (("nobody", ()), ("certificate", proved("dns:web")), ("reg", proved("psk:reg"))):
            self.stage.up(name, credentials=credentials)
            self.assertEqual([1], [each.identifier for each in self.stage.resolve(name, POOL).elements])
            for message in (asap.Registration(POOL, element(2)), asap.Deregistration(POOL, 1)):
                self.assertEqual(SECURITY, causes(self.refused(name, message)[0]), (name, message))
        self.stage.up("user", credentials=(), host="10.0.8.8")
        self.assertEqual([], self.stage.tell("user", asap.EndpointUnreachable(POOL, 1)))
        self.assertEqual(
            [asap.EndpointKeepAlive], [type(each) for each in self.stage.sent("web", self.stage.effects)[1:]]
        )

    def test_reports(self) -> None:
        """Who proves no identity has the element asked, from however many machines; others count, each once."""
        most = DEFAULT.max_bad_pe_reports
        for number in range(most + 5):
            self.stage.up(f"nobody {number}", host=f"10.0.8.{number}", credentials=())
            self.stage.tell(f"nobody {number}", asap.EndpointUnreachable(POOL, 1))
            self.stage.up(f"one {number}", host=f"10.0.7.{number}", credentials=proved("dns:user.example"))
            self.stage.tell(f"one {number}", asap.EndpointUnreachable(POOL, 1))
        self.assertEqual(1, len(self.table()))
        for number in range(most):
            self.stage.up(f"user {number}", credentials=proved(f"dns:user{number}.example"))
            self.stage.tell(f"user {number}", asap.EndpointUnreachable(POOL, 1))
        self.assertEqual([], self.table())

    def test_no_more_than_one_identity_may_hold(self) -> None:
        """Over any number of associations; what goes makes room, and others have their own."""
        self.stage = RegistrarStage(access=self.access, limits=Limits(elements_per_identity=2))
        for number, identity in ((1, "web"), (2, "web"), (3, "web"), (4, "mail")):
            self.stage.up(str(number), host=f"10.0.0.{number}", credentials=proved(f"psk:{identity}"))
        answers = [
            self.stage.register(str(number), POOL, element(number, host=f"10.0.0.{number}"))[0]
            for number in range(1, 5)
        ]
        self.assertEqual([False, False, True, False], [each.rejected for each in answers])
        self.assertEqual([CauseCode.LACK_OF_RESOURCES], causes(answers[2]))
        self.stage.register("2", POOL, element(2, host="10.0.0.2", port=81))
        self.stage.tell("1", asap.Deregistration(POOL, 1))
        self.assertFalse(self.stage.register("3", POOL, element(3, host="10.0.0.3"))[0].rejected)

    def test_no_more_bytes_than_one_identity_may_hold(self) -> None:
        """Counted as they are now: what becomes smaller or goes makes room."""
        self.stage = RegistrarStage(access=self.access, limits=Limits(bytes_per_identity=45_000))
        self.stage.up("1", credentials=proved("psk:web"))
        self.stage.up("2", credentials=proved("psk:web"))
        large = replace(element(1), policy=PolicyParameter(1, bytes(20_000)))
        granted = [not self.stage.register("12"[n % 2], b"%d" % n, large)[0].rejected for n in range(4)]
        self.assertEqual([True, True, False, False], granted)
        self.stage.register("1", b"0", element(1))
        self.assertFalse(self.stage.register("2", b"5", large)[0].rejected)
        self.assertTrue(self.stage.register("2", b"6", large)[0].rejected)
        for number, who in ((0, "1"), (1, "2"), (5, "2")):
            self.stage.tell(who, asap.Deregistration(b"%d" % number, 1))
        self.assertEqual({}, self.stage.registrar.handlespace._held)

    @rfc("5355", "2.3.3", "A PE can register only for itself")
    def test_another_identity_from_its_address(self) -> None:
        self.stage.up("mail", credentials=proved("psk:mail"))
        for message, cause in (
            (asap.Registration(POOL, element(1, port=81)), TAKEN),
            (asap.Deregistration(POOL, 1), SECURITY),
        ):
            self.assertEqual(cause, causes(self.refused("mail", message)[0]))

    @rfc("5355", "2.3.3", "A PE can register only for itself")
    def test_also_when_its_association_is_gone(self) -> None:
        self.stage.lost("web")
        self.stage.up("mail", credentials=proved("psk:mail"))
        self.assertEqual(TAKEN, causes(self.refused("mail", asap.Registration(POOL, element(1)))[0]))

    def test_its_identity_from_another_address(self) -> None:
        """The element is asked whether it lives; it does not, so its place is free."""
        self.stage.up("again", host="10.0.0.7", port=6000, credentials=proved("psk:web"))
        dialled = self.stage.lost("web")
        self.assertEqual([], self.stage.register("again", POOL, element(1, host="10.0.0.7")))
        (place,) = self.stage.dialled(dialled)
        granted = self.stage.sent("again", self.stage.refused(place))
        self.assertEqual([asap.RegistrationResponse(POOL, 1)], granted)
        self.assertEqual([(1, "psk:web")], [each[:2] for each in self.table()])

    def test_a_twin_with_the_same_key(self) -> None:
        """Two elements of one key and identifier: the first keeps it, as long as it answers."""
        self.stage.up("twin", host="10.0.0.7", credentials=proved("psk:web"))
        self.assertEqual([], self.stage.register("twin", POOL, element(1, host="10.0.0.7")))
        before = len(self.stage.effects)
        self.stage.tell("web", asap.EndpointKeepAliveAck(POOL, 1))
        (answer,) = self.stage.sent("twin", self.stage.effects[before:])
        self.assertEqual((True, TAKEN), (answer.rejected, causes(answer)))

    def test_its_own_deregistration_from_another_address(self) -> None:
        self.stage.up("again", host="10.0.0.7", credentials=proved("psk:web"))
        self.assertEqual([asap.DeregistrationResponse(POOL, 1)], self.stage.tell("again", asap.Deregistration(POOL, 1)))
        self.assertEqual([], self.table())

    def test_somebody_else_answers_at_its_address(self) -> None:
        """It is dialled, and another identity is there: it is gone, and nobody else is asked in its name."""
        for credentials in (proved("psk:mail"), (), None):
            self.setUp()
            dialled = self.stage.lost("web")
            effects = self.stage.met("other", dialled, credentials)
            self.assertEqual([], self.stage.sent("other", effects))
            self.assertIn(Close("other"), effects)
            removed = self.stage.notified(effects, ElementRemoved)
            self.assertEqual([ElementRemoved(POOL, 1, "unreachable")], removed)

    def test_it_answers_at_its_address(self) -> None:
        effects = self.stage.met("web again", self.stage.lost("web"), proved("psk:web"))
        self.assertEqual([asap.EndpointKeepAlive], [type(each) for each in self.stage.sent("web again", effects)])
        self.stage.tell("web again", asap.EndpointKeepAliveAck(POOL, 1))
        self.assertEqual(1, len(self.table()))


class OfferedTests(SecuredTestCase):
    """TLS is offered: both are believed, but what has an owner belongs to it."""

    access = keys(state=State.OFFERED)

    @rfc("5355", "2.15.3", "or the entire database MUST be insecure")
    def test_in_the_clear(self) -> None:
        self.stage.up("clear", host="10.0.0.5")
        (answer,) = self.stage.register("clear", POOL, element(2, host="10.0.0.5"))
        self.assertEqual(asap.RegistrationResponse(POOL, 2), answer)
        self.assertEqual([(1, "psk:web"), (2, "None")], [each[:2] for each in self.table()])

    @rfc("5355", "2.15.3", "or the entire database MUST be insecure")
    def test_never_back(self) -> None:
        """What an identity registered is not changed in the clear, from whatever address."""
        self.stage.up("clear")
        answer, effects = self.refused("clear", asap.Registration(POOL, element(1, port=81)))
        self.assertEqual(TAKEN, causes(answer))
        self.assertNotIn(Close("clear"), effects)

    def test_it_comes_back_with_a_key(self) -> None:
        self.stage.up("clear", host="10.0.0.5")
        self.stage.register("clear", POOL, element(2, host="10.0.0.5"))
        self.stage.up("mail", host="10.0.0.5", credentials=proved("psk:mail"))
        (answer,) = self.stage.register("mail", POOL, element(2, host="10.0.0.5"))
        self.assertFalse(answer.rejected)
        self.assertEqual([(1, "psk:web"), (2, "psk:mail")], [each[:2] for each in self.table()])

    def test_a_wrong_key_is_told(self) -> None:
        self.stage.up("reg", credentials=proved("psk:reg"))
        self.assertEqual(SECURITY, causes(self.refused("reg", asap.Registration(POOL, element(3)))[0]))
