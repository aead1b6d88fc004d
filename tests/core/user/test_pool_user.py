"""The pool user: finds a registrar, asks it, reports to it (RFC 5352 sections 3.3, 3.5 to 3.7)."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Abort, Close, Connect, NoRegistrar, Notify, Send, StopConnecting, TransportAddress
from rserpool.core.profiles import DEFAULT
from rserpool.core.server_hunt import HomeChanged
from rserpool.core.user import PoolUser
from rserpool.core.user.pool_user import MOST_UNSENT
from rserpool.core.user.questions import LATE
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import ErrorCause
from rserpool.user import Resolved
from tests.conformance import rfc
from tests.core.user.stage import UserStage, answer, registrar


class HomeTests(SynchronousTestCase):
    """The home registrar, found and lost."""

    @rfc("5352", "3.3", "MUST take the following actions")
    @rfc("5352", "3.6", "MUST establish a new Home ENRP")
    @rfc("5353", "1.1", "SHOULD select one of the available")
    def test_hunts_when_asked(self) -> None:
        """NR2: nobody is dialled before there is a question; then up to three are."""
        stage = UserStage(5)
        self.assertEqual(stage.dialling, [])
        self.assertIsNone(stage.user.next_deadline())
        stage.resolve("a")
        self.assertEqual(stage.dialling, [registrar(1), registrar(2), registrar(3)])
        self.assertEqual(stage.asked(), [])
        stage.up(2)
        self.assertEqual(stage.user.home, registrar(2))
        self.assertEqual(stage.dialling, [])
        self.assertEqual(stage.asked(), [asap.HandleResolution(b"pool")])

    def test_tells(self) -> None:
        """Its user is told which registrar is the home, and when there is none."""
        user = PoolUser([registrar(1)], profile=DEFAULT, random=Random(1))
        user.resolve("a", b"pool", 0.0, deadline=10.0)
        effects = user.association_up("it", registrar(1), 0.0, True)
        self.assertIn(Notify(HomeChanged(registrar(1))), effects)
        effects = user.association_lost("it", 1.0)
        self.assertEqual(effects, [Connect(registrar(1)), Notify(HomeChanged(None))])

    @rfc("5352", "3.3", "SHOULD start the Server Hunt procedure", "SHOULD restart the handle resolution procedure")
    @rfc("5352", "3.7.1", "SHOULD discard the message and start", "MUST be capable of reconstructing the original")
    def test_lost(self) -> None:
        """3.7.1: what was asked goes to the next registrar, in the order of the questions."""
        stage = UserStage(2)
        stage.resolve("a", b"one")
        stage.up(1)
        stage.resolve("b", b"two")
        stage.asked()
        stage.lost(1)
        stage.up(2)
        self.assertEqual(stage.asked(), [asap.HandleResolution(b"one"), asap.HandleResolution(b"two")])
        self.assertEqual(stage.told(), [])

    def test_stranger_is_lost(self) -> None:
        """The loss of another association changes nothing."""
        stage = UserStage(2)
        stage.resolve("a")
        stage.up(1)
        stage.lost(2)
        self.assertEqual(stage.user.home, registrar(1))

    def test_stranger_answers(self) -> None:
        """Only the home is believed."""
        stage = UserStage(2)
        stage.resolve("a")
        stage.up(1)
        stage.says(answer(b"pool", 1), 2)
        self.assertEqual(stage.told(), [])
        stage.says(answer(b"pool", 1), 1)
        self.assertIsInstance(stage.told()[0], Resolved)

    def test_accepted_association(self) -> None:
        """A user is nobody's server: an association that it did not open is ignored."""
        stage = UserStage(1)
        stage.do(stage.user.association_up("peer", registrar(7), stage.now))
        self.assertIsNone(stage.user.home)

    def test_other_messages(self) -> None:
        """Messages that are not for users are ignored."""
        stage = UserStage(1)
        stage.resolve("a")
        stage.up(1)
        stage.asked()
        stage.says(asap.EndpointKeepAlive(1, b"pool"))
        stage.do(stage.user.receive("another", asap.Error((ErrorCause(0),)), stage.now))
        stage.says(asap.HandleResolutionResponse(b"another", None, answer(b"another", 1).elements))
        self.assertEqual((stage.asked(), stage.told()), ([], []))

    def test_announced(self) -> None:
        """A registrar that announces itself is found without any configuration."""
        stage = UserStage(0)
        stage.resolve("a", timeout=30.0)
        stage.pass_time(5)
        stage.do(stage.user.announcement(asap.ServerAnnounce(1), "10.0.0.1", stage.now))
        self.assertEqual(stage.dialling, [registrar(1)])
        self.assertEqual(stage.user.known_registrars, [registrar(1)])
        stage.do(stage.user.announcement(asap.EndpointKeepAlive(1, b"pool"), "10.0.0.2", stage.now))
        self.assertEqual(stage.dialling, [registrar(1)])

    @rfc("5352", "3.3", "SHOULD take the steps described in Section")
    @rfc("5352", "3.7.2", "SHOULD adopt the responding ENRP server")
    def test_t1_goes_to_another(self) -> None:
        """3.7.2: a registrar that is silent is left for another one, though it is still connected."""
        stage = UserStage(2)
        stage.resolve("a")
        stage.up(1)
        stage.pass_time(DEFAULT.t1_enrp_request)
        self.assertEqual(stage.ended, [registrar(1)])
        self.assertEqual(stage.dialling, [registrar(2), registrar(1)])
        stage.asked()
        stage.up(2)
        self.assertEqual(stage.asked(), [asap.HandleResolution(b"pool")])
        stage.says(answer(b"pool", 5), 1)
        self.assertEqual(stage.told(), [])
        stage.says(answer(b"pool", 6), 2)
        self.assertEqual(stage.told()[0].elements[0].identifier, 6)

    def test_no_registrar_is_known(self) -> None:
        """Without configuration and announcements the error says so."""
        stage = UserStage(0)
        stage.resolve("a", timeout=1.0)
        stage.pass_time(1)
        (event,) = stage.told()
        self.assertIsInstance(event.error, NoRegistrar)
        self.assertEqual(str(event.error), "no registrar is known")

    def test_stop_at_home(self) -> None:
        """Who stops shuts its association down."""
        stage = UserStage(1)
        stage.resolve("a")
        stage.up(1)
        self.assertEqual(stage.user.stop(), [Close(registrar(1))])

    def test_stop_while_hunting(self) -> None:
        """Or gives up its attempts."""
        stage = UserStage(2)
        stage.resolve("a")
        self.assertEqual(stage.user.stop(), [StopConnecting(registrar(1)), StopConnecting(registrar(2))])

    @rfc("5352", "2.1", "MUST use either SCTP or TCP")
    def test_tcp(self) -> None:
        """2.1: over TCP all is the same."""
        address = TransportAddress(("10.0.0.1",), 3863, protocol="tcp")
        user = PoolUser([address], profile=DEFAULT, random=Random(1), protocol="tcp")
        self.assertEqual(user.resolve("a", b"pool", 0.0, deadline=9.0), [Connect(address)])
        effects = user.association_up("it", address, 0.0, True)
        self.assertIn(Send("it", asap.HandleResolution(b"pool")), effects)


class ReportTests(SynchronousTestCase):
    """3.5: ASAP_ENDPOINT_UNREACHABLE."""

    def setUp(self) -> None:
        self.stage = UserStage(1)
        self.stage.resolve("a")
        self.stage.up(1)
        self.stage.says(answer(b"pool", 1, 2))
        self.stage.asked()

    def report(self, identifier: int) -> None:
        self.stage.do(self.stage.user.report(b"pool", identifier, self.stage.now))

    @rfc("5352", "3.5", "SHOULD report the unavailability of the PE")
    def test_report(self) -> None:
        """The registrar is told."""
        self.report(1)
        self.assertEqual(self.stage.asked(), [asap.EndpointUnreachable(b"pool", 1)])

    @rfc("5355", "2.13.3", "SHOULD be limited")
    @rfc("5352", "3.5", "MUST report no more than once")
    def test_once(self) -> None:
        """A hundred connections that fail are one report; another element is another report."""
        for _ in range(100):
            self.report(1)
        self.report(2)
        self.assertEqual(len(self.stage.asked()), 2)

    def test_again(self) -> None:
        """An element that fails later is reported again."""
        self.report(1)
        self.stage.pass_time(10)
        self.report(1)
        self.assertEqual(len(self.stage.asked()), 2)

    def test_no_registrar(self) -> None:
        """Without a registrar nobody is told, and the element comes last all the same; the next one is told."""
        self.stage.lost(1)
        self.report(1)
        self.assertEqual(self.stage.asked(), [])
        self.stage.told()
        self.stage.resolve("b")
        self.stage.resolve("c")
        for event in self.stage.told():
            self.assertEqual([element.identifier for element in event.elements], [2, 1])
        self.stage.pass_time(1)
        self.stage.up(1)
        self.assertEqual(self.stage.asked(), [asap.EndpointUnreachable(b"pool", 1)])

    def test_not_for_ever(self) -> None:
        """What was reported to nobody a while ago is not told any more; nor is all of very much."""
        self.stage.lost(1)
        self.report(1)
        self.stage.pass_time(60)
        for identifier in range(2, 300):
            self.report(identifier)
        self.stage.up(1)
        told = [message.identifier for message in self.stage.asked()]
        self.assertEqual(list(range(300 - MOST_UNSENT, 300)), told)


class RestTests(SynchronousTestCase):
    """Nobody wants anything for a while."""

    def setUp(self) -> None:
        self.stage = UserStage(registrars=4)
        self.stage.resolve("a")
        for number in (1, 2, 3):
            self.stage.refused(number)
        self.stage.up(4)
        self.stage.says(answer(b"pool", 1, 2), 4)
        self.stage.asked()
        self.stage.told()
        self.stage.user.rest()

    def test_nothing_to_do(self) -> None:
        """There is no home, and nothing is due."""
        self.assertIsNone(self.stage.user.home)
        self.assertFalse(self.stage.user.hunting)

    def test_known(self) -> None:
        """What is known is told, the elements in turn, as long as it is not stale."""
        user, now = self.stage.user, self.stage.now
        told = [user.recall(b"pool", now) for _ in range(2)]
        self.assertEqual([2, 1], [each.elements[0].identifier for each in told if each is not None])
        self.assertIsNone(user.recall(b"other", now))
        self.assertIsNone(user.recall(b"pool", now + DEFAULT.stale_cache_value))

    def test_stale(self) -> None:
        """What has become stale is no answer, though there is no home: one is found, and asked."""
        self.stage.pass_time(DEFAULT.stale_cache_value)
        self.stage.resolve("b")
        self.assertEqual([], self.stage.told())
        self.assertEqual(self.stage.peer(4), self.stage.dialling[0])
        self.stage.up(4)
        self.assertEqual([asap.HandleResolution(b"pool")], self.stage.asked())


class LateTests(SynchronousTestCase):
    """An answer that is late: is the registrar still there?"""

    def setUp(self) -> None:
        self.stage = UserStage()
        self.stage.resolve("a")
        self.stage.up()

    def test_late(self) -> None:
        """The transport is asked, and again when the answer is twice as late."""
        self.stage.pass_time(LATE - 0.001)
        self.assertEqual(self.stage.probed, [])
        self.stage.pass_time(0.002)
        self.assertEqual(self.stage.probed, [registrar(1)])
        self.stage.pass_time(5 * LATE)
        self.assertEqual(self.stage.probed, [registrar(1)] * 3)

    def test_later_and_later(self) -> None:
        """Each time after twice as long."""
        times: list[int] = []
        began = self.stage.now
        while len(times) < 4:
            self.stage.pass_time(LATE / 10)
            times += [round((self.stage.now - began) / LATE)] * (len(self.stage.probed) - len(times))
        self.assertEqual(times, [1, 2, 4, 8])

    def test_many(self) -> None:
        """A hundred answers that are late are no more than one: what is slow is not asked more often for that."""
        for number in range(100):
            self.stage.pass_time(LATE / 1000)
            self.stage.resolve(str(number), b"pool %d" % number)
        self.stage.pass_time(10 * LATE)
        self.assertEqual(self.stage.probed, [registrar(1)] * 4)

    def test_in_time(self) -> None:
        """An answer that came is not late."""
        self.stage.says(answer(b"pool", 1))
        self.stage.pass_time(1.0)
        self.assertEqual(self.stage.probed, [])


class AbortTests(SynchronousTestCase):
    """What ends how."""

    def test_silent_home_is_aborted(self) -> None:
        """A registrar that does not answer would not answer a shutdown either."""
        user = PoolUser([registrar(1)], profile=DEFAULT, random=Random(1))
        user.resolve("a", b"pool", 0.0, deadline=10.0)
        user.association_up("it", registrar(1), 0.0, True)
        effects = user.tick(DEFAULT.t1_enrp_request)
        self.assertEqual(effects[:2], [Abort("it"), Connect(registrar(1))])
