"""The takeover suggestion flag: busy registrars share their elements (draft-dreibholz-rserpool-enrp-takeover)."""

from __future__ import annotations

from rserpool.core.wire import enrp
from tests.scenarios.stage import ScenarioTestCase, home_of


class SuggestionTests(ScenarioTestCase):
    """A registrar that has more elements than others suggests that they take some."""

    def test_elements_move_to_less_busy_registrars(self) -> None:
        cluster = self.cluster(3)
        first = cluster.living[0]
        first.role.peering.suggest = True
        elements = self.elements(cluster, 9, home=1)
        self.assert_settled(cluster, 5.0)
        homes = [home_of(cluster, element) for element in elements]
        self.assertEqual(sorted(homes.count(registrar.name) for registrar in cluster.living), [3, 3, 3])
        updates = [update.message for update in cluster.trace.messages(enrp.HandleUpdate, source=first.name)]
        self.assertTrue(all(update.receiver for update in updates if update.takeover_suggested))
        self.assert_stays_settled(cluster)

    def test_without_the_option_nothing_moves(self) -> None:
        cluster = self.cluster(2)
        elements = self.elements(cluster, 4, home=1)
        self.assert_settled(cluster, 5.0)
        self.assertEqual({home_of(cluster, element) for element in elements}, {cluster.living[0].name})
