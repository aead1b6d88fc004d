"""Elements and users through a registrar's death (RFC 5352 sections 3.2, 3.3, 3.6)."""

from __future__ import annotations

from rserpool.core import UnknownPool
from rserpool.core.wire import asap
from tests.scenarios.stage import POOL, ScenarioTestCase, home_of, messages


class UserTests(ScenarioTestCase):
    """A user's calls succeed, whichever registrar dies."""

    def test_switch(self) -> None:
        """Its registrar is killed: the call in flight goes to another, none fails."""
        cluster = self.cluster(3)
        self.elements(cluster, 3)
        user = cluster.start_user(1)
        first = user.resolve(POOL)
        cluster.run(0.5)
        home = cluster.registrars[cluster.names[user.role.home.hosts[0]]]
        cluster.delay(user, home, 0.2)
        flying = user.resolve(POOL, fresh=True)
        cluster.run(0.1)
        cluster.crash(home)
        cluster.run(1.0)
        self.assertEqual(user.failures, [])
        self.assertEqual(len(user.outcomes[first].elements), 3)
        self.assertEqual(len(user.outcomes[flying].elements), 3)
        self.assertNotEqual(user.role.home.hosts, (home.host,))

    def test_silent(self) -> None:
        """Its registrar falls silent: the call is sent again to another within its deadline."""
        cluster = self.cluster(3)
        self.elements(cluster, 3)
        user = cluster.start_user(1)
        user.resolve(POOL)
        cluster.run(0.5)
        home = cluster.registrars[cluster.names[user.role.home.hosts[0]]]
        cluster.silence(home)
        request = user.resolve(POOL, fresh=True)
        cluster.until(lambda: request in user.outcomes, user.patience)
        self.assertEqual(len(user.outcomes[request].elements), 3)

    def test_subscription(self) -> None:
        """A subscription is armed again at the next registrar, and delivers what changed in between."""
        cluster = self.cluster(3)
        elements = self.elements(cluster, 2)
        user = cluster.start_user(1)
        user.subscribe(POOL)
        cluster.run(0.5)
        self.assertEqual(len(user.shown[POOL].elements), 2)
        home = cluster.registrars[cluster.names[user.role.home.hosts[0]]]
        cluster.crash(home)
        elements[0].leave()
        self.elements(cluster, 2)
        self.assert_settled(cluster, 5.0)
        self.assertEqual(len(user.shown[POOL].elements), 3)
        cluster.elements["e2"].leave()
        cluster.run(0.5)
        self.assertEqual(len(user.shown[POOL].elements), 2)

    def test_really_unknown(self) -> None:
        """A pool that no registrar knows is unknown: at once if the same registrar says so, else after 5 s."""
        cluster = self.cluster(1, topology="none")
        (element,) = self.elements(cluster, 1)
        user = cluster.start_user(1)
        user.resolve(POOL)
        cluster.run(0.5)
        element.leave()
        cluster.run(0.1)
        user.resolve(POOL, fresh=True)
        cluster.run(0.5)
        self.assertIsInstance(user.outcomes[2].error, UnknownPool)

    def test_unknown_after_a_restart(self) -> None:
        """All registrars were restarted and the elements are dead: after 5 s the user believes it."""
        cluster = self.cluster(1, topology="none")
        (element,) = self.elements(cluster, 1)
        user = cluster.start_user(1)
        user.resolve(POOL)
        cluster.run(0.5)
        cluster.crash(element, cluster.registrar(1))
        cluster.start_registrar(1, 0)
        cluster.run(1.0)
        for seconds, known in ((4.8, True), (5.0, True), (1.0, False)):
            request = user.resolve(POOL)
            cluster.run(seconds)
            self.assertEqual(hasattr(user.outcomes[request], "elements"), known, seconds)


class ElementTests(ScenarioTestCase):
    """An element stays registered, or leaves for good."""

    def test_new_home(self) -> None:
        """A new home that asks with the H flag is accepted; the element registers with it."""
        cluster = self.cluster(3)
        (element,) = self.elements(cluster, 1, home=1)
        cluster.partition([cluster.registrar(1)], cluster.living[1:])
        cluster.until(lambda: element.role.home is not None and element.role.home.hosts != ("10.0.0.1",), 10.0)
        claims = [m for _, target, m in messages(cluster, asap.EndpointKeepAlive) if m.home and target == "e1"]
        self.assertTrue(claims)
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
        home = cluster.registrar(1)
        if silent:
            cluster.silence(home)
        else:
            cluster.crash(home)
        element.leave()
        cluster.until(lambda: not element.role.pools, 10.0)
        cluster.run(0.1)
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
        cluster.crash(*cluster.living)
        cluster.start_registrar(1)
        element.leave()
        cluster.until(lambda: not element.role.pools, 10.0)
        cluster.start_registrar(2)
        self.assert_settled(cluster, 10.0)

    def test_registrars_come_and_go(self) -> None:
        """One registrar after the other is killed and comes back: every element always has a home soon."""
        cluster = self.cluster(3)
        elements = self.elements(cluster, 5)
        for number in (1, 2, 3, 1):
            cluster.crash(cluster.registrar(number))
            self.assertLess(self.assert_settled(cluster, 5.0), 1.5)
            cluster.start_registrar(number, 0)
            self.assert_settled(cluster, 5.0)
        self.assertNotIn(None, [home_of(cluster, element) for element in elements])

    def test_idle_after_the_last_pool(self) -> None:
        """An element that left its last pool, and had heard announcements, has nothing to do any more."""
        cluster = self.cluster(2, announcements=True)
        (element,) = self.elements(cluster, 1)
        element.leave()
        cluster.run(1.0)
        cluster.crash(*cluster.living)
        cluster.run(10.0)
        self.assertIsNone(element.role.next_deadline())

    def test_found_by_announcements(self) -> None:
        """Registrars that only announcements tell of, which get lost now and then."""
        cluster = self.cluster(3, announcements=True, known=False)
        cluster.announcement_loss = 0.7
        self.elements(cluster, 3)
        user = cluster.start_user(1)
        user.subscribe(POOL)
        cluster.run(3.0)
        self.assert_settled(cluster, 15.0)
        cluster.crash(cluster.registrar(1))
        self.assert_settled(cluster, 15.0)
