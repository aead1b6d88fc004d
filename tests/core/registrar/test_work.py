"""What a few bytes may make a registrar do: work, messages and memory are bounded, whoever sends them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import CauseCode, PolicyParameter, Send
from rserpool.core.registrar import Limits
from rserpool.core.registrar.answers import AT_ONCE, QUIET, RATE
from rserpool.core.registrar.contests import MOST_RIVALS
from rserpool.core.wire import asap
from tests.core.registrar.stage import RegistrarStage
from tests.core.stage import element
from tests.work import calls

POOL = b"pool"


class SubscriberTests(SynchronousTestCase):
    """400 subscribers to a pool with elements that register again and again."""

    def setUp(self) -> None:
        self.stage = RegistrarStage(keep_alives=False)
        self.stage.up("element")
        for number in range(1, 201):
            self.stage.register("element", POOL, element(number, "least-used:load=0.5", life=600))
        for number in range(400):
            self.stage.up(f"user {number}", host=f"10.1.{number // 200}.{number % 200}", protocol="tcp")
            self.stage.resolve(f"user {number}", POOL, subscribe=True)
        self.stage.pass_time(1.0)
        self.stage.effects.clear()

    def updates(self) -> list[Any]:
        """What the subscribers were told, in bytes each."""
        told = [each for each in self.stage.effects if isinstance(each, Send) and each.association != "element"]
        self.stage.effects.clear()
        return [each.message for each in told]

    def test_unchanged_values_are_no_news(self) -> None:
        for _ in range(100):
            self.stage.register("element", POOL, element(7, "least-used:load=0.5", life=600))
            self.stage.pass_time(0.1)
        self.assertEqual(self.updates(), [])
        self.stage.register("element", POOL, element(7, "least-used:load=0.6", life=600))
        self.stage.pass_time(0.0)
        self.assertEqual(len(self.updates()), 400)

    def test_the_larger_the_less_often(self) -> None:
        """Values that change all the time: so many bytes go out in a second, after a first update."""
        for number in range(100):
            self.stage.register("element", POOL, element(7, f"least-used:load=0.{number + 10}", life=600))
            self.stage.pass_time(0.1)
        told = self.updates()
        self.assertLess(sum(map(len, told)), 10.0 * RATE + 2 * 400 * len(told[0]))
        self.assertGreater(len(told), 400)
        # The last word reaches everybody.
        self.stage.pass_time(60.0)
        last = asap.decode(self.updates()[-1]).message
        assert isinstance(last, asap.HandleResolutionResponse)
        [seven] = [each for each in last.elements if each.identifier == 7]
        self.assertEqual(seven.policy.data, element(7, "least-used:load=0.109").policy.data)

    def test_some_at_once(self) -> None:
        """So many are told one after the other, all the same bytes; in between others are served, and what changes
        meanwhile follows for all."""
        work = calls(lambda: self.stage.register("element", POOL, element(7, "least-used:load=0.6", life=600)))
        self.assertEqual(len(told := self.updates()), AT_ONCE)
        self.assertEqual(len(set(map(id, told))), 1)
        resolution = asap.HandleResolution(POOL, items=1)
        served = calls(lambda: self.stage.registrar.receive("element", resolution, self.stage.now))
        self.assertLess(work, 200 * served)
        self.stage.register("element", POOL, element(7, "least-used:load=0.7", life=600))
        self.stage.pass_time(0.0)
        self.assertEqual(len(self.updates()), 400 - AT_ONCE)
        self.stage.pass_time(2 * QUIET + 400 * len(told[0]) / RATE)
        self.assertEqual(len(self.updates()), 400)


class HoldingTests(SynchronousTestCase):
    def test_bytes_of_an_association(self) -> None:
        """Large elements are refused past a limit; what goes, or becomes smaller, makes room."""
        stage = RegistrarStage(limits=Limits(bytes_per_association=100_000))
        stage.up("a")
        stage.up("b", host="10.0.0.2")
        large = replace(element(1), policy=PolicyParameter(1, bytes(20_000)))
        granted = [not stage.register("a", b"%d" % number, large)[0].rejected for number in range(10)]
        self.assertEqual(granted, [True] * 4 + [False] * 6)
        self.assertEqual(stage.registrar.handlespace.bytes // 1000, 80)
        [other] = stage.register(
            "b", b"other", replace(large, user_transport=element(1, host="10.0.0.2").user_transport)
        )
        self.assertFalse(other.rejected)
        stage.register("a", b"0", element(1))
        self.assertFalse(stage.register("a", b"5", large)[0].rejected)
        stage.tell("a", asap.Deregistration(b"1", 1))
        self.assertFalse(stage.register("a", b"6", large)[0].rejected)
        self.assertTrue(stage.register("a", b"7", large)[0].rejected)
        for number in range(10):
            stage.tell("a", asap.Deregistration(b"%d" % number, 1))
        stage.tell("b", asap.Deregistration(b"other", 1))
        self.assertEqual(stage.registrar.handlespace.bytes, 0)

    def test_bytes_of_all(self) -> None:
        stage = RegistrarStage(limits=Limits(bytes=100_000))
        granted = 0
        for number in range(10):
            stage.up(f"{number}", host=f"10.0.1.{number}")
            large = element(1, host=f"10.0.1.{number}")
            large = replace(large, policy=PolicyParameter(1, bytes(20_000)))
            granted += not stage.register(f"{number}", b"%d" % number, large)[0].rejected
        self.assertEqual(granted, 4)


class ContestTests(SynchronousTestCase):
    def test_so_many_wait(self) -> None:
        """An element is asked whether it lives; so many of those who want its identifier wait, each once."""
        stage = RegistrarStage()
        stage.up("a")
        stage.register("a", POOL, element(1))
        stage.lost("a")
        answers = []
        for number in range(2 * MOST_RIVALS):
            stage.up(f"r{number}", host=f"10.0.1.{number}")
            for _ in range(10):
                answers += stage.register(f"r{number}", POOL, element(1, host=f"10.0.1.{number}"))
        self.assertEqual(len(answers), 10 * MOST_RIVALS)
        self.assertEqual({cause.code for each in answers for cause in each.causes}, {CauseCode.LACK_OF_RESOURCES})
        stage.lost("r1")
        effects = stage.pass_time(2.0)
        answers = [each for number in (0, 1, 2) for each in stage.sent(f"r{number}", effects)]
        granted = [not each.rejected for each in answers if isinstance(each, asap.RegistrationResponse)]
        self.assertEqual(granted, [True, False])

    def test_so_many_bytes_wait(self) -> None:
        stage = RegistrarStage(limits=Limits(elements_per_association=1_000, bytes_per_association=2**30))
        stage.up("a")
        for number in range(1, 601):
            stage.register("a", POOL, element(number))
        stage.lost("a")
        stage.up("rival", host="10.0.0.2")
        refused = 0
        for number in range(1, 601):
            large = replace(element(number, host="10.0.0.2"), policy=PolicyParameter(1, bytes(30_000)))
            refused += len(stage.register("rival", POOL, large))
        self.assertIn(refused, range(300, 340))


class ReportTests(SynchronousTestCase):
    def test_who_is_reported_and_lives_is_told(self) -> None:
        """Users at four machines say that it is unreachable: it is removed, hears of that, and is back at once."""
        stage = RegistrarStage()
        stage.up("a")
        stage.register("a", POOL, element(1))
        for number in range(4):
            stage.up(f"u{number}", host=f"10.0.9.{number}", protocol="tcp")
            stage.tell(f"u{number}", asap.EndpointUnreachable(POOL, 1))
        told = [each for each in stage.sent("a", stage.effects) if isinstance(each, asap.DeregistrationResponse)]
        self.assertEqual(told, [asap.DeregistrationResponse(POOL, 1)])
        self.assertFalse(stage.register("a", POOL, element(1))[0].rejected)

    def test_keep_alives_to_one_element(self) -> None:
        """However it is asked for, by reports and by rivals: ten a second (RFC 5355 section 2.14)."""
        stage = RegistrarStage()
        stage.up("a")
        stage.register("a", POOL, element(1))
        for number in range(200):
            stage.up(f"u{number}", host="10.0.9.9")
            stage.tell(f"u{number}", asap.EndpointUnreachable(POOL, 1))
            stage.register(f"u{number}", POOL, element(1))
            stage.pass_time(0.005)
            stage.tell("a", asap.EndpointKeepAliveAck(POOL, 1))
        asked = [each for each in stage.sent("a", stage.effects) if isinstance(each, asap.EndpointKeepAlive)]
        self.assertLessEqual(len(asked), 11)
