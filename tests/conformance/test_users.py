"""What RFC 5352 requires of a pool user, where no other test shows it."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap
from tests.conformance import rfc
from tests.core.user.stage import UserStage, answer, element


class ResolutionTests(SynchronousTestCase):
    """2.2.6 and 3.3."""

    def setUp(self) -> None:
        self.stage = UserStage(2)
        self.stage.resolve("a")
        self.stage.up(1)

    @rfc("5352", "2.2.6", "MUST be ignored", "MUST NOT be used to determine the overall")
    def test_policies_of_elements_are_no_policy_of_the_pool(self) -> None:
        """Elements that say priority, in an answer that says nothing (round robin), are used in turns."""
        elements = tuple(element(identifier, f"priority:priority={identifier}") for identifier in (1, 2, 3))
        self.stage.resolve("b")
        self.stage.resolve("c")
        self.stage.says(asap.HandleResolutionResponse(b"pool", None, elements))
        events = self.stage.told()
        self.assertEqual([event.policy for event in events], [1, 1, 1])
        orders = [[each.identifier for each in event.elements] for event in events]
        self.assertEqual(orders, [[1, 2, 3], [2, 3, 1], [3, 1, 2]])

    @rfc("5352", "3.3", "MUST stop its T1-ENRPrequest timer")
    def test_an_answer_stops_t1(self) -> None:
        self.stage.says(answer(b"pool", 1))
        self.stage.asked()
        self.stage.pass_time(10 * DEFAULT.t1_enrp_request)
        self.assertEqual((self.stage.asked(), self.stage.ended, self.stage.dialling), ([], [], []))

    @rfc("5352", "3.7.1", "MUST NOT re-send the undeliverable", "SHOULD discard the message and start")
    def test_what_could_not_be_delivered_is_not_sent_again(self) -> None:
        """Another registrar is looked for, and asked anew; without one, nothing is sent."""
        self.stage.asked()
        self.stage.lost(1)
        self.stage.pass_time(1.0)
        self.assertEqual(self.stage.asked(), [])
        self.assertTrue(self.stage.dialling)
        self.stage.up(2)
        [(association, message)] = self.stage.sent
        self.assertEqual((association.hosts, message), (("10.0.0.2",), asap.HandleResolution(b"pool")))
