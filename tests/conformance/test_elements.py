"""What RFC 5352 requires of a pool element, where no other test shows it."""

from __future__ import annotations

from rserpool.core import CauseCode, ConfigurationError, Connect, PolicyParameter, SctpTransport, Send
from rserpool.core.element.events import ErrorReceived, RegistrationRefused
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL, ErrorCause
from rserpool.core.wire.tlv import Decoded
from tests.conformance import rfc
from tests.core.element.stage import FIRST, POOL, ROUND_ROBIN, SECOND, WEB, ElementTestCase


class RegistrationTests(ElementTestCase):
    """3.1."""

    @rfc("5352", "2.2.1", "MUST fill in the Pool Handle", "MUST be filled in by the registrant")
    @rfc("5352", "3.1", "In formulating the message, the PE MUST")
    def test_fills_in(self) -> None:
        """R2.1 to R2.5: pool handle, identifier, life, transport and policy; R2.2: drawn well, so never the same."""
        self.element.serve(POOL, WEB, PolicyParameter(2, b"\0\0\0\5"), self.now, life=33)
        self.element.serve(b"other", WEB, ROUND_ROBIN, self.now)
        first, second = self.sent(self.at_home())
        self.assertEqual((first.handle, second.handle), (POOL, b"other"))
        self.assertEqual(first.element.life, 33)
        self.assertEqual(first.element.user_transport, WEB)
        self.assertEqual(first.element.policy, PolicyParameter(2, b"\0\0\0\5"))
        self.assertEqual(second.element.life, DEFAULT.registration_life)
        self.assertNotEqual(first.element.identifier, second.element.identifier)
        for message in (first, second):
            self.assertEqual(asap.decode(asap.encode(message)), Decoded(message))

    @rfc("5352", "3.1", "MUST be followed to register")
    def test_r1_to_r4(self) -> None:
        """It is sent once, to the home alone, and T2 starts with it: then, and not before, the hunt begins."""
        self.serve(identifier=7)
        effects = self.at_home()
        self.assertEqual([e.association for e in effects if isinstance(e, Send)], ["home"])
        [message] = self.sent(effects)
        self.assertIsInstance(message, asap.Registration)
        self.assertEqual(self.pass_time(DEFAULT.t2_registration - 0.01), [])
        effects = self.pass_time(0.01)
        self.assertEqual({e.peer for e in effects if isinstance(e, Connect)}, {FIRST, SECOND})

    @rfc("5354", "3.4", "Transport Use: The field MUST be populated")
    def test_transport_use(self) -> None:
        """0 is data only, 1 data plus control; nothing else is sent."""
        for use in (DATA_ONLY, DATA_PLUS_CONTROL):
            self.setUp()
            self.element.serve(POOL, SctpTransport(80, use, ("10.0.0.7",)), ROUND_ROBIN, self.now, identifier=7)
            [message] = self.sent(self.at_home())
            self.assertEqual(message.element.user_transport.use, use)
            # message, handle with its padding, type and length of the element, 12 bytes, type, length and port
            self.assertEqual(asap.encode(message)[34:36], use.to_bytes(2, "big"))
        other = SctpTransport(80, 2, ("10.0.0.7",))
        with self.assertRaises(ConfigurationError):
            self.element.change(POOL, self.now, user_transport=other)
        with self.assertRaises(ConfigurationError):
            self.element.serve(b"other", other, ROUND_ROBIN, self.now)

    @rfc("5352", "3.1", "MUST stop the T2-registration")
    def test_an_answer_stops_t2(self) -> None:
        self.registered()
        self.assertEqual(self.pass_time(DEFAULT.t4_reregistration - 0.1), [])

    @rfc(
        "5352",
        "3.1",
        "MUST use the same PE identifier",
        "MUST start a T4-reregistration timer",
        "SHOULD be made starting at step",
    )
    def test_t4_starts_again_each_time(self) -> None:
        """Every registration is followed by the next, with the identifier that was drawn for the first."""
        self.serve()
        [message] = self.sent(self.at_home())
        identifier = message.element.identifier
        for _ in range(5):
            self.element.receive("home", asap.RegistrationResponse(POOL, identifier), self.now)
            self.assertEqual(self.pass_time(DEFAULT.t4_reregistration - 0.1), [])
            [message] = self.sent(self.pass_time(0.1))
            self.assertIsInstance(message, asap.Registration)
            self.assertEqual(message.element.identifier, identifier)

    @rfc("5352", "3.1", "MUST follow the overall transport type")
    def test_another_transport_than_the_pools_is_given_up(self) -> None:
        """Only the registrar knows the pool's; who is told that it has another one stays out, and says so."""
        for cause in (CauseCode.INCONSISTENT_TRANSPORT_TYPE, CauseCode.INCONSISTENT_DATA_CONTROL_CONFIGURATION):
            self.setUp()
            self.serve(identifier=7)
            self.at_home()
            refusal = asap.RegistrationResponse(POOL, 7, True, (ErrorCause(cause),))
            effects = self.element.receive("home", refusal, self.now)
            self.assertEqual(self.events(effects), [RegistrationRefused(POOL, 7, cause)])
            self.assertEqual(self.pass_time(3600.0), [])

    @rfc("5352", "3.2", "MUST stop the T3-Deregistration")
    def test_an_answer_stops_t3(self) -> None:
        self.registered()
        self.element.leave(POOL, self.now)
        self.element.receive("home", asap.DeregistrationResponse(POOL, 7), self.now)
        self.assertEqual([e for e in self.pass_time(3600.0) if isinstance(e, Send)], [])

    @rfc("5352", "4", "[PE] Furthermore")
    def test_messages_of_others(self) -> None:
        """Keep-alives are answered, errors are told; acknowledgements and reports are the registrar's: dropped."""
        self.registered()
        effects = self.element.receive("home", asap.EndpointKeepAlive(1, POOL), self.now)
        self.assertEqual(self.sent(effects), [asap.EndpointKeepAliveAck(POOL, 7, True)])
        causes = (ErrorCause(CauseCode.UNRECOGNIZED_MESSAGE, b"\x77\0\0\4"),)
        effects = self.element.receive("home", asap.Error(causes), self.now)
        self.assertEqual(self.events(effects), [ErrorReceived(causes)])
        for message in (asap.EndpointKeepAliveAck(POOL, 7), asap.EndpointUnreachable(POOL, 7)):
            self.assertEqual(self.element.receive("home", message, self.now), [])
        self.assertTrue(self.element.is_registered(POOL))
        self.assertEqual(self.element.home, FIRST)
