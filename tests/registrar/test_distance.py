"""Distances, as registrars measure them and users feel them (draft-dreibholz-rserpool-delay)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.testing import ElementProcess, RegistrarProcess, Scope

POLICY = "least-used-dpf:load=0.1,load-dpf=0.1%"


class DistanceTests(SynchronousTestCase):
    """Two sites, 200 ms there and back apart, with a registrar each."""

    def setUp(self) -> None:
        self.scope = Scope(2)
        self.addCleanup(self.scope.stop)
        self.near, self.far = self.scope.registrars
        self.scope.delay(self.near, self.far, 0.1)
        self.scope.until(lambda: self.far.ready)

    def member(
        self, registrar: RegistrarProcess, identifier: int, seconds: float = 0.0, policy: str = POLICY
    ) -> ElementProcess:
        def begin(element: ElementProcess) -> None:
            self.scope.delay(element, registrar, seconds)
            element.serve("pool", policy=policy, identifier=identifier)

        element = self.scope.element(setup=begin, service={"registrars": [registrar.address]})
        self.scope.until(lambda: element.pools[b"pool"])
        return element

    def distances(self, registrar: RegistrarProcess) -> dict[int, int]:
        return {number: element.values[2] for number, element in registrar.elements("pool").items()}

    def test_home_measures_and_others_add_the_way_to_it(self) -> None:
        self.member(self.near, 1)
        self.member(self.near, 2, 0.05)
        self.member(self.far, 3)
        self.scope.until(lambda: len(self.distances(self.near)) == len(self.distances(self.far)) == 3)
        self.assertEqual({1: 0, 2: 50, 3: 100}, self.distances(self.near))
        self.assertEqual({1: 100, 2: 150, 3: 0}, self.distances(self.far))

    def test_a_registrar_that_joins_adds_the_way_to_its_mentor(self) -> None:
        """In its table a mentor has what it sees itself."""
        self.member(self.near, 1)
        joining = self.scope.registrar(peers=self.scope.peers_of(self.far.host)[:1])
        self.scope.delay(joining, self.near, 0.05)
        self.scope.until(lambda: self.distances(joining))
        self.assertEqual({1: 50}, self.distances(joining))

    def test_users_are_sent_to_what_is_near_them(self) -> None:
        self.member(self.near, 1)
        self.member(self.far, 2)
        self.scope.until(lambda: len(self.distances(self.near)) == len(self.distances(self.far)) == 2)
        for registrar, order in ((self.near, [1, 2]), (self.far, [2, 1])):
            user = self.scope.user(registrars=[registrar.address])
            found = self.scope.result(user.service.resolve("pool"))
            self.assertEqual(order, [each.identifier for each in found.elements])

    def test_measured_again_with_each_keep_alive(self) -> None:
        """When an element registers, SCTP has hardly had the time to measure; and ways change. A little is nothing."""
        element = self.member(self.near, 1)
        self.scope.until(lambda: self.distances(self.far))
        announced: list[int] = []
        for seconds in (0.05, 0.079, 0.021, 0.081, 0.071, 0.069):
            self.scope.delay(element, self.near, seconds)
            self.scope.advance(2.0)
            announced.append(self.distances(self.far)[1] - 100)
        self.assertEqual([50, 50, 50, 100, 100, 50], announced)

    def test_what_the_element_says_about_its_distance_does_not_count(self) -> None:
        self.member(self.near, 1, policy=POLICY + ",distance=1000")
        self.assertEqual({1: 0}, self.distances(self.near))
