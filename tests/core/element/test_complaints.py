"""ASAP_ERROR at a pool element (RFC 5352 section 2.2.14): told, and obeyed at once where it answers a request."""

from __future__ import annotations

from typing import Any

from rserpool.core import Abort, CauseCode
from rserpool.core.element import registration
from rserpool.core.element.events import ErrorReceived, RegistrationPostponed, RegistrationRefused
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause, pool_handle
from tests.conformance import rfc
from tests.core.element.stage import FIRST, POOL, ROUND_ROBIN, WEB, ElementTestCase

SECURITY = ErrorCause(CauseCode.REJECTED_FOR_SECURITY, b"no")
LACK = ErrorCause(CauseCode.LACK_OF_RESOURCES)


class ComplaintTests(ElementTestCase):
    """What becomes of the requests."""

    def complains(self, *causes: ErrorCause, association: str = "home") -> list[Any]:
        """The registrar sends an ASAP_ERROR, which is told; all that follows from it."""
        told, *effects = self.element.receive(association, asap.Error(causes), self.now)
        self.assertEqual([ErrorReceived(causes)], self.events([told]))
        return effects

    def registers(self, **options: Any) -> None:
        self.serve(identifier=7, **options)
        self.at_home()

    @rfc("5352", "4", "[PE] Furthermore")
    def test_refused(self) -> None:
        """As by a response: it is not tried again with these values."""
        self.registers()
        effects = self.complains(SECURITY)
        self.assertEqual([RegistrationRefused(POOL, 7, SECURITY.code, b"no", False)], self.events(effects))
        self.assertEqual([], self.pass_time(60.0))

    def test_not_now(self) -> None:
        """Lack of Resources: again soon, and not after T2."""
        self.registers()
        self.assertEqual([RegistrationPostponed(POOL, 7, LACK.code, 0.5)], self.events(self.complains(LACK)))
        self.assertEqual(1, len(self.sent(self.pass_time(0.6))))

    def test_private_parameter(self) -> None:
        """A registrar that takes no private parameter is asked again without: once is enough."""
        self.registers(framing=1)
        quoted = bytes.fromhex("8f02000801000000")
        self.complains(ErrorCause(CauseCode.UNRECOGNIZED_PARAMETER, quoted))
        [again] = self.sent(self.pass_time(0.6))
        self.assertEqual((7, 0), (again.element.identifier, again.element.framing))
        effects = self.complains(ErrorCause(CauseCode.UNRECOGNIZED_PARAMETER, quoted))
        self.assertIsInstance(self.events(effects)[0], RegistrationRefused)

    def test_change(self) -> None:
        """What was granted stands."""
        self.registered()
        self.element.change(POOL, self.now, policy=ROUND_ROBIN, user_transport=WEB.__class__(81, "10.0.0.7"))
        [refused] = self.events(self.complains(SECURITY))
        self.assertTrue(refused.stands)
        self.assertEqual(WEB, self.element.element(POOL).user_transport)

    def test_leaving(self) -> None:
        """Another registrar is looked for, at once."""
        self.registered()
        self.element.leave(POOL, self.now)
        effects = self.complains(SECURITY)
        self.assertIn(Abort("home"), effects)
        self.assertEqual(registration.LeavingHomeless(), self.element.state_of(POOL))

    def test_whose(self) -> None:
        """That which the cause quotes; else the one that was sent first."""
        self.registers()
        self.now += 0.1
        self.element.serve(b"other", WEB, ROUND_ROBIN, self.now, identifier=8)
        [refused] = self.events(self.complains(ErrorCause(CauseCode.INVALID_VALUES, pool_handle(b"other"))))
        self.assertEqual(b"other", refused.handle)
        [refused] = self.events(self.complains(SECURITY))
        self.assertEqual(POOL, refused.handle)

    def test_of_something_else(self) -> None:
        """No request was answered: a stranger's error, one about an acknowledgement, or about what was skipped."""
        acknowledgement = asap.encode(asap.EndpointKeepAliveAck(POOL, 7))
        skipped = ErrorCause(CauseCode.UNRECOGNIZED_PARAMETER, bytes.fromhex("ff000004"))
        self.registers()
        self.element.association_up("stranger", FIRST, self.now)
        self.assertEqual([], self.complains(SECURITY, association="stranger"))
        self.assertEqual([], self.complains(ErrorCause(CauseCode.UNRECOGNIZED_MESSAGE, acknowledgement)))
        self.assertEqual([], self.complains(skipped))
        self.assertIsInstance(self.element.state_of(POOL), registration.Registering)
        self.element.receive("home", asap.RegistrationResponse(POOL, 7), self.now)
        self.assertEqual([], self.complains(SECURITY))
        self.assertTrue(self.element.is_registered(POOL))
