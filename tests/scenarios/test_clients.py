"""Elements and users through a registrar's death (RFC 5352 sections 3.2, 3.3, 3.6)."""

from __future__ import annotations

from typing import Any

from rserpool.core import UnknownPool
from rserpool.core.user import ResolutionFailed
from rserpool.core.wire import asap
from rserpool.testing import RegistrarProcess, UserProcess
from tests.scenarios.stage import POOL, ScenarioTestCase, home_of
from tests.simulation.cluster import Cluster


class UserTests(ScenarioTestCase):
    """A user's calls succeed, whichever registrar dies."""

    def home(self, cluster: Cluster, user: UserProcess) -> RegistrarProcess:
        """The registrar that it asks."""
        (home,) = (registrar for registrar in cluster.registrars if user.role.home.hosts == (registrar.host,))
        return home

    def test_switch(self) -> None:
        """Its registrar is killed: the call in flight goes to another, none fails."""
        cluster = self.cluster(3)
        self.elements(cluster, 3)
        user = cluster.user()
        first = user.service.resolve(POOL)
        cluster.advance(0.5)
        home = self.home(cluster, user)
        cluster.delay(user, home, 0.2)
        flying = user.service.resolve(POOL, fresh=True)
        cluster.advance(0.1)
        cluster.kill(home)
        cluster.advance(1.0)
        self.assertEqual(cluster.trace.events(ResolutionFailed), [])
        self.assertEqual(len(self.successResultOf(first).elements), 3)
        self.assertEqual(len(self.successResultOf(flying).elements), 3)
        self.assertNotEqual(user.role.home.hosts, (home.host,))

    def test_silent(self) -> None:
        """Its registrar falls silent: the call is sent again to another within its deadline."""
        cluster = self.cluster(3)
        self.elements(cluster, 3)
        user = cluster.user()
        user.service.resolve(POOL)
        cluster.advance(0.5)
        cluster.silence(self.home(cluster, user))
        resolved = cluster.result(user.service.resolve(POOL, fresh=True), user.service.default_timeout)
        self.assertEqual(len(resolved.elements), 3)

    def test_subscription(self) -> None:
        """A subscription is armed again at the next registrar, and delivers what changed in between."""
        cluster = self.cluster(3)
        elements = self.elements(cluster, 2)
        user = cluster.user()
        seen = user.watch(POOL)
        cluster.advance(0.5)
        self.assertEqual(len(seen.elements), 2)
        cluster.kill(self.home(cluster, user))
        elements[0].leave(POOL)
        self.elements(cluster, 2)
        self.assert_settled(cluster, 5.0)
        self.assertEqual(len(seen.elements), 3)
        cluster.elements[1].leave(POOL)
        cluster.advance(0.5)
        self.assertEqual(len(seen.elements), 2)

    def test_really_unknown(self) -> None:
        """A pool that no registrar knows is unknown: at once if the same registrar says so, else after 5 s."""
        cluster = self.cluster(1, topology="none")
        (element,) = self.elements(cluster, 1)
        user = cluster.user()
        user.service.resolve(POOL)
        cluster.advance(0.5)
        element.leave(POOL)
        cluster.advance(0.1)
        unknown = user.service.resolve(POOL, fresh=True)
        cluster.advance(0.5)
        self.failureResultOf(unknown, UnknownPool)

    def test_unknown_after_a_restart(self) -> None:
        """All registrars were restarted and the elements are dead: after 5 s the user believes it."""
        cluster = self.cluster(1, topology="none")
        (element,) = self.elements(cluster, 1)
        user = cluster.user()
        user.service.resolve(POOL)
        cluster.advance(0.5)
        cluster.kill(element, cluster.registrars[0])
        cluster.registrars[0].start()
        cluster.advance(1.0)
        for seconds, known in ((4.8, True), (5.0, True), (1.0, False)):
            outcome: list[Any] = []
            user.service.resolve(POOL).addBoth(outcome.append)
            cluster.advance(seconds)
            self.assertEqual(hasattr(outcome[0], "elements"), known, seconds)


class ElementTests(ScenarioTestCase):
    """An element stays registered, or leaves for good."""

    def test_new_home(self) -> None:
        """A new home that asks with the H flag is accepted; the element registers with it."""
        cluster = self.cluster(3)
        (element,) = self.elements(cluster, 1, home=1)
        cluster.partition([cluster.registrars[0]], cluster.living[1:])
        cluster.until(lambda: element.role.home is not None and element.role.home.hosts != ("10.0.0.1",), 10.0)
        asked = cluster.trace.messages(asap.EndpointKeepAlive, target="e1")
        self.assertTrue([claim for claim in asked if claim.message.home])
        cluster.heal()
        self.assert_settled(cluster, 10.0)

    def test_deregistration_meets_a_dead_registrar(self) -> None:
        """It is finished at another: the element is gone everywhere at once, not when its supervision ends."""
        self.leave(silent=False)

    def test_deregistration_meets_a_silent_registrar(self) -> None:
        """The same, where nobody answers for it; it comes back later."""
        self.leave(silent=True)

    def leave(self, *, silent: bool) -> None:
        """Its home does not answer any more, and the element leaves."""
        cluster = self.cluster(3)
        (element,) = self.elements(cluster, 1, home=1)
        home = cluster.registrars[0]
        if silent:
            cluster.silence(home)
        else:
            cluster.kill(home)
        element.leave(POOL)
        cluster.until(lambda: not element.role.pools, 10.0)
        cluster.advance(0.1)
        for registrar in cluster.living:
            if registrar is not home:
                self.assertEqual(len(registrar.role.handlespace), 0)
        if silent:
            cluster.unsilence(home)
        self.assert_settled(cluster, 10.0)

    def test_deregistration_while_not_ready(self) -> None:
        """A registrar that is not ready refuses a deregistration; the element goes on, and is gone in the end."""
        cluster = self.cluster(2)
        (element,) = self.elements(cluster, 1, home=1)
        first, second = cluster.registrars
        cluster.kill(first, second)
        first.start(identifier=first.identifier)
        element.leave(POOL)
        cluster.until(lambda: not element.role.pools, 10.0)
        second.start(identifier=second.identifier)
        self.assert_settled(cluster, 10.0)

    def test_registrars_come_and_go(self) -> None:
        """One registrar after the other is killed and comes back: every element always has a home soon."""
        cluster = self.cluster(3)
        elements = self.elements(cluster, 5)
        for number in (1, 2, 3, 1):
            cluster.kill(cluster.registrars[number - 1])
            self.assertLess(self.assert_settled(cluster, 5.0), 1.5)
            cluster.registrars[number - 1].start()
            self.assert_settled(cluster, 5.0)
        self.assertNotIn(None, [home_of(cluster, element) for element in elements])

    def test_idle_after_the_last_pool(self) -> None:
        """An element that left its last pool, and had heard announcements, has nothing to do any more."""
        cluster = self.cluster(2, announcements=True)
        (element,) = self.elements(cluster, 1)
        element.leave(POOL)
        cluster.advance(1.0)
        cluster.kill(*cluster.living)
        cluster.advance(10.0)
        self.assertIsNone(element.role.next_deadline())

    def test_found_by_announcements(self) -> None:
        """Registrars that only announcements tell of, which get lost now and then."""
        cluster = self.cluster(3, announcements=True, known=False)
        cluster.network.multicast_loss = 0.7
        self.elements(cluster, 3)
        cluster.user().watch(POOL)
        cluster.advance(3.0)
        self.assert_settled(cluster, 15.0)
        cluster.kill(cluster.registrars[0])
        self.assert_settled(cluster, 15.0)
