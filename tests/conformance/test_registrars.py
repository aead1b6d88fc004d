"""What RFC 5352 requires of a registrar, where no other test shows it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Announce, CauseCode, SctpTransport, TcpTransport
from rserpool.core.profiles import RFC
from rserpool.core.registrar.events import ElementRemoved
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import DATA_ONLY, DATA_PLUS_CONTROL
from tests.conformance import rfc
from tests.core.registrar.stage import SERVER, RegistrarStage
from tests.core.stage import element

POOL = b"www"


class ResolutionTests(SynchronousTestCase):
    """3.3."""

    @rfc(
        "5352",
        "3.3",
        "MUST first look up the pool",
        "MUST compose and send back an ASAP_HANDLE_RESOLUTION_RESPONSE",
        "SHOULD list all the PEs currently registered",
    )
    def test_all_elements(self) -> None:
        stage = RegistrarStage()
        stage.up("a")
        for identifier in range(1, 51):
            stage.register("a", POOL, element(identifier))
        stage.register("a", b"other", element(99))
        answer = stage.resolve("a", POOL)
        self.assertEqual([found.identifier for found in answer.elements], list(range(1, 51)))
        stage.tell("a", asap.Deregistration(POOL, 7))
        self.assertEqual(len(stage.resolve("a", POOL).elements), 49)


class TransportUseTests(SynchronousTestCase):
    """RFC 5354 section 3.4."""

    @rfc("5354", "3.4", "Transport Use: The field MUST be populated")
    def test_only_two_uses(self) -> None:
        """Of an element data only, or data plus control: another is refused. What the registrar adds is data only."""
        stage = RegistrarStage()
        stage.up("a")
        for use in (DATA_ONLY, DATA_PLUS_CONTROL):
            wanted = replace(element(1 + use), user_transport=SctpTransport(80, use, ("10.0.0.1",)))
            [answer] = stage.register("a", b"pool %d" % use, wanted)
            self.assertFalse(answer.rejected)
            [found] = stage.resolve("a", b"pool %d" % use).elements
            self.assertEqual((found.user_transport.use, found.asap_transport.use), (use, DATA_ONLY))
        for use in (2, 0x8000, 0xFFFF):
            wanted = replace(element(7), user_transport=SctpTransport(80, use, ("10.0.0.1",)))
            [answer] = stage.register("a", POOL, wanted)
            self.assertTrue(answer.rejected)
            self.assertEqual([cause.code for cause in answer.causes], [CauseCode.INVALID_VALUES])
        self.assertNotIn(POOL, stage.registrar.handlespace.pools)


class SupervisionTests(SynchronousTestCase):
    """3.5."""

    @rfc(
        "5352",
        "3.5",
        "MUST consider the PE as truly unreachable",
        "If this ASAP_ENDPOINT_KEEP_ALIVE fails ..., the ENRP server ... MUST remove",
    )
    def test_a_report_about_a_dead_element(self) -> None:
        """It does not answer; or its association is gone, and it cannot be dialled."""
        for dead in (False, True):
            stage = RegistrarStage(profile=RFC)
            stage.up("a")
            stage.up("u", host="10.0.0.9")
            stage.register("a", POOL, element(1))
            if dead:
                [peer] = stage.dialled(stage.lost("a"))
            stage.tell("u", asap.EndpointUnreachable(POOL, 1))
            effects = stage.refused(peer) if dead else stage.pass_time(RFC.keep_alive_timeout)
            self.assertEqual(stage.notified(effects, ElementRemoved), [ElementRemoved(POOL, 1, "unreachable")])
            self.assertIsNone(stage.registrar.handlespace.find(POOL, 1))

    @rfc("5352", "3.5", "MUST distribute the ASAP_ENDPOINT_KEEP_ALIVE")
    def test_keep_alives_are_spread(self) -> None:
        """Of a thousand elements that registered at once, no second of a minute asks more than a tenth.

        Thirty-two that are due at about the same time are asked together.
        """
        stage = RegistrarStage(profile=RFC)
        stage.up("a")
        for identifier in range(1, 1001):
            stage.register("a", POOL, element(identifier, life=3600))
        seconds: Counter[int] = Counter()
        for second in range(60):
            for message in stage.sent("a", stage.pass_time(1.0)):
                self.assertIsInstance(message, asap.EndpointKeepAlive)
                seconds[second] += 1
                stage.tell("a", asap.EndpointKeepAliveAck(POOL, message.identifier))
        self.assertGreaterEqual(seconds.total(), 1000)
        self.assertLess(max(seconds.values()), 100)


class AnnouncementTests(SynchronousTestCase):
    """3.6."""

    @rfc("5352", "3.6", "MUST send periodically every (N+1)*T6-Serverannounce")
    def test_announces_its_transports(self) -> None:
        """Every T6 alone, every 3 * T6 once two others have been heard; with all transports for ASAP."""
        transports = (SctpTransport(3863, DATA_PLUS_CONTROL, ("10.0.0.1",)), TcpTransport(3863, "10.0.0.1"))
        announcement = Announce(asap.ServerAnnounce(SERVER, transports, 9899))
        stage = RegistrarStage(profile=RFC)
        self.assertEqual(stage.registrar.announce(transports, 9899, stage.now), [announcement])
        for _ in range(3):
            self.assertEqual(stage.pass_time(0.99), [])
            self.assertEqual(stage.pass_time(0.01), [announcement])
        times = []
        for second in range(30):
            for server in (7, 8):
                stage.registrar.announcement(asap.ServerAnnounce(server), f"10.0.0.{server}", stage.now)
            times += [second] * len(stage.pass_time(1.0))
        self.assertEqual({later - earlier for earlier, later in zip(times[1:], times[2:], strict=False)}, {3})
