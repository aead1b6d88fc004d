"""Handlespaces become equal again: audit, split and heal, two homes, two policies (RFC 5353 section 3.6)."""

from __future__ import annotations

from operator import gt

from rserpool.core import PoolElementParameter
from rserpool.core.element import registration
from rserpool.core.handlespace.changes import Why
from rserpool.core.peering.events import Audited
from rserpool.core.wire import enrp
from tests.scenarios.stage import POOL, ScenarioTestCase, home_of

HANDLE = POOL.encode()


class UpdateTests(ScenarioTestCase):
    """3.3: what the home says reaches everybody."""

    def test_added_changed_removed(self) -> None:
        cluster = self.cluster(3)
        (element,) = self.elements(cluster, 1, policy="weighted-round-robin:weight=2")
        self.assert_settled(cluster)
        element.change(POOL, "weighted-round-robin:weight=7")
        cluster.advance(0.1)
        self.assert_settled(cluster)
        element.leave(POOL)
        cluster.advance(0.1)
        self.assert_settled(cluster)
        actions = [int(update.message.action) for update in cluster.trace.messages(enrp.HandleUpdate)]
        self.assertEqual(actions, [0, 0, 0, 0, 1, 1])

    def test_killed_element(self) -> None:
        """An element that dies is removed everywhere."""
        cluster = self.cluster(3)
        (element,) = self.elements(cluster, 1)
        cluster.kill(element)
        self.assertLess(self.assert_settled(cluster, 3.0), 0.5)


class AuditTests(ScenarioTestCase):
    """3.6: checksums differ, and marks."""

    def test_lost_and_invented(self) -> None:
        """What a copy lacks is added, what its home does not have is removed, at the next heartbeat."""
        cluster = self.cluster(2)
        self.elements(cluster, 3, home=1)
        first, second = cluster.living
        copy = second.role.handlespace
        lost = next(iter(copy.owned_by(first.identifier)))
        parameter = lost.parameter()
        copy.deregister(lost, Why.DELETED)
        invented = PoolElementParameter(77, first.identifier, 60, parameter.user_transport, parameter.policy)
        copy.register(HANDLE, invented)
        self.assertLess(self.assert_settled(cluster, 3.0), 1.2)
        self.assertEqual(cluster.trace.events(Audited, "r2")[-1].removed, 1)
        requests = cluster.trace.messages(enrp.HandleTableRequest, source="r2", target="r1")
        self.assertTrue(requests[-1].message.own_children_only)

    def test_equal_checksums(self) -> None:
        """A new association brings a whole table of its own: also what a checksum does not show becomes equal."""
        cluster = self.cluster(2)
        (element,) = self.elements(cluster, 1, home=1, policy="weighted-round-robin:weight=2")
        cluster.partition([cluster.registrars[0]], [cluster.registrars[1]])
        element.change(POOL, "weighted-round-robin:weight=5")
        cluster.advance(1.3)
        cluster.heal()
        self.assert_settled(cluster, 10.0)


class SplitTests(ScenarioTestCase):
    """Two halves live on by themselves, and find each other."""

    def split(self, seconds: float, size: int = 4, **options) -> None:
        cluster = self.cluster(size, **options)
        self.elements(cluster, 3, home=1)
        self.elements(cluster, 3, home=size)
        elements = list(cluster.elements)
        half = size // 2
        left = [*cluster.living[:half], *elements[:3]]
        right = [*cluster.living[half:], *elements[3:]]
        cluster.partition(left, right)
        cluster.advance(seconds)
        for registrar in (cluster.living[0], cluster.living[-1]):
            self.assertTrue(registrar.ready)
        cluster.heal()
        self.assert_settled(cluster, 12.0)
        self.assert_stays_settled(cluster)

    def test_short(self) -> None:
        """Too short to be noticed."""
        self.split(0.3)

    def test_noticed(self) -> None:
        """Each half takes over what was the other's, finds it dead, and learns after the heal that it is not."""
        self.split(10.0)

    def test_long(self) -> None:
        """Long after everything has been taken over."""
        self.split(60.0)

    def test_two_and_three(self) -> None:
        self.split(10.0, 2)
        self.split(10.0, 5)

    def test_configured_with_one(self) -> None:
        """Where all are configured with the first registrar alone, they find each other through it."""
        self.split(10.0, 4, topology="star")

    def test_through_a_third(self) -> None:
        """Two that lost each other, and not the third, learn from it that the other is there."""
        cluster = self.cluster(3, topology="star")
        self.elements(cluster, 2, home=2)
        cluster.partition([cluster.registrars[1]], [cluster.registrars[2]])
        cluster.advance(10.0)
        cluster.heal()
        self.assert_settled(cluster, 10.0)

    def test_registrars_alone(self) -> None:
        """The registrars are split, and the elements see all of them: in the end each element has one home."""
        cluster = self.cluster(4)
        self.elements(cluster, 8)
        cluster.partition(cluster.living[:2], cluster.living[2:])
        cluster.advance(8.0)
        cluster.heal()
        self.assert_settled(cluster, 10.0)
        self.assert_stays_settled(cluster)

    def test_one_way(self) -> None:
        """What r1 sends does not reach r2, the rest does."""
        cluster = self.cluster(3)
        self.elements(cluster, 4)
        cluster.partition([cluster.registrars[0]], [cluster.registrars[1]], oneway=True)
        cluster.advance(8.0)
        cluster.heal()
        self.assert_settled(cluster, 10.0)

    def test_two_homes(self) -> None:
        """An element that moved during the split belongs to the registrar where it registered last."""
        cluster = self.cluster(2)
        (element,) = self.elements(cluster, 1, home=1)
        first, second = cluster.living
        cluster.partition([first], [second])
        cluster.advance(0.2)
        # It cannot reach its home either, and goes to the other.
        cluster.partition([first], [element])
        cluster.advance(6.0)
        self.assertEqual(home_of(cluster, element, second), "r2")
        cluster.heal()
        self.assert_settled(cluster, 6.0)
        self.assertEqual(home_of(cluster, element, first), "r2")

    def test_two_policies(self) -> None:
        """A pool that both halves created with different policies keeps the smaller policy type."""
        cluster = self.cluster(2)
        first, second = cluster.living
        cluster.partition([first], [second])
        cluster.advance(4.0)
        refused = cluster.element(POOL, policy="random", service={"registrars": cluster.addresses[:1]})
        element = cluster.element(POOL, service={"registrars": cluster.addresses[1:]})
        cluster.advance(1.0)
        self.assertEqual([len(r.role.handlespace) for r in (first, second)], [1, 1])
        cluster.heal()
        cluster.advance(6.0)
        self.assert_settled(cluster, 3.0)
        for registrar in (first, second):
            pool = registrar.role.handlespace.pools[HANDLE]
            self.assertEqual(pool.policy.name, "round-robin")
            self.assertEqual(list(pool.elements), [element.identifier(POOL)])
        self.assertIsInstance(refused.role.state_of(HANDLE), registration.Postponed)
        # Once that pool is gone the other one is as it was.
        cluster.kill(element)
        cluster.advance(12.0)
        self.assert_settled(cluster, 3.0)
        for registrar in (first, second):
            self.assertEqual(list(registrar.role.handlespace.pools[HANDLE].elements), [refused.identifier(POOL)])


class MixedTests(ScenarioTestCase):
    """A registrar that arbitrates the other way round, as rsplib does: there is exactly one owner in the end."""

    def test_mixed(self) -> None:
        for seed in range(16):
            self.mixed(seed)

    def mixed(self, seed: int) -> None:
        """Registrars r2 to r4, some of which arbitrate the other way round, all want the elements of r1."""
        cluster = self.cluster(4, seed=seed, start=False)
        for number in range(4):
            registrar = cluster.registrar()
            if seed >> number & 1:
                # Of two claimants the larger identifier gives way.
                registrar.role.peering.takeovers.gives_way = gt
        cluster.advance(4.0)
        elements = self.elements(cluster, 4, home=1)
        # The elements cannot look for another home by themselves.
        for element in elements:
            cluster.partition([element], cluster.living[1:], oneway=True)
        cluster.delay(cluster.registrars[1], cluster.registrars[2], 0.02 * (seed % 3))
        cluster.kill(cluster.registrars[0])
        cluster.until(lambda: cluster.trace.messages(enrp.TakeoverServer), 25.0)
        cluster.heal()
        self.assert_settled(cluster, 25.0)
        owners = {takeover.source for takeover in cluster.trace.messages(enrp.TakeoverServer)}
        self.assertEqual(len(owners), 1)
