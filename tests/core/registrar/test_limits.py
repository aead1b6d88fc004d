"""What a registrar does not let its peers do (RFC 5352 section 9.1), and what it announces (section 3.6)."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    CauseCode,
    PolicyParameter,
    PoolElementParameter,
    SctpTransport,
    WireError,
)
from rserpool.core.handlespace.limits import TokenBucket
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar import Limits
from rserpool.core.wire import asap
from rserpool.core.wire.parameters import OpaqueTransport
from tests.core.registrar.stage import RegistrarStage
from tests.core.stage import element

POOL = b"www"


def causes(message):
    return [cause.code for cause in message.causes]


class LimitTests(SynchronousTestCase):
    """Each limit refuses clearly, and nothing else changes."""

    def stage(self, **limits):
        stage = RegistrarStage(limits=Limits(**limits))
        stage.up("a")
        return stage

    def refused(self, stage, handle, parameter, cause=CauseCode.LACK_OF_RESOURCES):
        [answer] = stage.register("a", handle, parameter)
        self.assertTrue(answer.rejected)
        self.assertEqual(causes(answer), [cause])

    def test_pools(self):
        stage = self.stage(pools=2)
        stage.register("a", b"1", element(1))
        stage.register("a", b"2", element(1))
        self.refused(stage, b"3", element(1))
        [answer] = stage.register("a", b"2", element(2))
        self.assertFalse(answer.rejected)

    def test_elements_of_a_pool(self):
        stage = self.stage(elements_per_pool=1)
        stage.register("a", POOL, element(1))
        self.refused(stage, POOL, element(2))
        [answer] = stage.register("a", POOL, element(1))
        self.assertFalse(answer.rejected)

    def test_elements_of_an_association(self):
        stage = self.stage(elements_per_association=1)
        stage.register("a", POOL, element(1))
        self.refused(stage, POOL, element(2))
        stage.tell("a", asap.Deregistration(POOL, 1))
        [answer] = stage.register("a", POOL, element(2))
        self.assertFalse(answer.rejected)

    def test_length_of_a_handle(self):
        """For good: it does not become shorter."""
        stage = self.stage(handle_length=4)
        self.refused(stage, b"12345", element(1), CauseCode.INVALID_VALUES)
        self.refused(self.stage(), bytes(65_000), element(1), CauseCode.INVALID_VALUES)

    def test_length_of_an_element(self):
        """One that registrars could not tell each other about is refused, whatever makes it long."""
        stage = self.stage()
        for parameter in (
            replace(element(1), policy=PolicyParameter(1, bytes(40_000))),
            replace(element(1), policy=PolicyParameter(1, bytes(65_300))),
            replace(element(1), user_transport=OpaqueTransport(bytes(65_400))),
            PoolElementParameter(
                1, 0, 60, SctpTransport(1, 0, ("10.0.0.1",) * 1000), PolicyParameter(1, bytes(16_000))
            ),
        ):
            self.refused(stage, POOL, parameter, CauseCode.INVALID_VALUES)
        many = replace(element(1), user_transport=SctpTransport(1, 0, ("10.0.0.1",) * 1100))
        error = self.assertRaises(WireError, stage.register, "a", POOL, many)
        self.assertEqual(error.cause, CauseCode.INVALID_VALUES)

    def test_requests_a_second(self):
        stage = self.stage(requests_per_second=5)
        answers = [stage.resolve("a", POOL) for _ in range(6)]
        self.assertEqual(causes(answers[4]), [CauseCode.UNKNOWN_POOL_HANDLE])
        self.assertEqual(causes(answers[5]), [CauseCode.LACK_OF_RESOURCES])
        self.refused(stage, POOL, element(1))
        stage.now += 1
        self.assertEqual(causes(stage.resolve("a", POOL)), [CauseCode.UNKNOWN_POOL_HANDLE])

    def test_subscriptions_of_an_association(self):
        stage = self.stage(subscriptions_per_association=1)
        stage.register("a", b"1", element(1))
        stage.register("a", b"2", element(1))
        self.assertTrue(stage.resolve("a", b"1", subscribe=True).accepted)
        answer = stage.resolve("a", b"2", subscribe=True)
        self.assertFalse(answer.accepted)
        self.assertEqual(len(answer.elements), 1)


class AnnouncementTests(SynchronousTestCase):
    """3.6: server announcements."""

    def test_rate_follows_the_number_of_registrars(self):
        stage = RegistrarStage()
        start = stage.now
        stage.registrar.announce((), 0, stage.now)
        self.assertEqual(stage.registrar.next_deadline(), start + 1)
        for server in (7, 8):
            stage.registrar.announcement(asap.ServerAnnounce(server), "10.0.0.7", stage.now)
        stage.pass_time(1.0)
        self.assertEqual(stage.registrar.next_deadline(), start + 4)
        stage.pass_time(60)
        self.assertEqual(stage.registrar.next_deadline() - stage.now <= 1.0, True)

    def test_strangers_do_not_silence_it(self):
        """Thousands of registrars that do not exist: whoever listens still hears of ours before T7 is over."""
        stage = RegistrarStage()
        stage.registrar.announce((), 0, stage.now)
        for server in range(5000):
            stage.registrar.announcement(asap.ServerAnnounce(1 + server), "10.0.0.7", stage.now)
        stage.pass_time(1.0)
        for _ in range(10):
            self.assertLess(stage.registrar.next_deadline() - stage.now, DEFAULT.t7_enrp_outdate)
            stage.pass_time(stage.registrar.next_deadline() - stage.now)
        stage.pass_time(20)
        self.assertLessEqual(stage.registrar.next_deadline() - stage.now, 1.0)


class BucketTests(SynchronousTestCase):
    """So many events a second on average, and so many at once."""

    def taken(self, bucket, now, tries=1000):
        return sum(bucket.take(now) for _ in range(tries))

    def test_silence_is_not_saved_up(self):
        """After an hour there are no more at once than after a second."""
        bucket = TokenBucket(20.0, 1000.0)
        self.assertEqual(self.taken(bucket, 1000.0), 20)
        self.assertEqual(self.taken(bucket, 1000.5), 10)
        self.assertEqual(self.taken(bucket, 4600.0), 20)
        self.assertEqual(self.taken(bucket, 4601.0), 20)

    def test_another_most(self):
        bucket = TokenBucket(2.0, 0.0, 64)
        self.assertEqual(self.taken(bucket, 0.0), 64)
        self.assertEqual(self.taken(bucket, 1.0), 2)
        self.assertEqual(self.taken(bucket, 1000.0), 64)

    def test_what_is_left_of_one_is_kept(self):
        """Asked ten times a second, at three a second."""
        bucket = TokenBucket(3.0, 0.0)
        self.taken(bucket, 0.0)
        self.assertEqual(sum(bucket.take(tenth / 10) for tenth in range(1, 101)), 30)

    def test_reports(self):
        """A user that was silent for long has no more reports than others."""
        stage = RegistrarStage(keep_alives=False)
        stage.up("a")
        stage.up("u", host="10.0.0.9")
        for identifier in range(1, 101):
            stage.register("a", POOL, element(identifier, life=-1))
        stage.pass_time(3600.0)
        asked = [
            message
            for identifier in range(1, 101)
            for message in stage.sent(
                "a", stage.registrar.receive("u", asap.EndpointUnreachable(POOL, identifier), stage.now)
            )
        ]
        self.assertEqual(len(asked), 20)
