"""Distances, as registrars measure them and users feel them (draft-dreibholz-rserpool-delay)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.addresses import ENRP_PORT
from rserpool.element import PoolElementService
from rserpool.registrar import RegistrarService
from tests.node.scene import Scene

POLICY = "least-used-dpf:load=0.1,load-dpf=0.1%"


class DistanceTests(SynchronousTestCase):
    """Two sites, 200 ms there and back apart, with a registrar each."""

    def setUp(self) -> None:
        self.scene = Scene(self)
        self.near = self.scene.registrar()
        self.far = self.scene.registrar(peers=[TransportAddress(self.scene.stacks[self.near].hosts, ENRP_PORT, 9899)])
        self.apart(self.near, self.far)
        self.scene.until(lambda: self.far.registrar.peering.ready)

    def apart(self, one: Any, other: Any, seconds: float = 0.1) -> None:
        self.scene.network.delay(self.scene.stacks[one], self.scene.stacks[other], seconds)

    def member(self, registrar: RegistrarService, identifier: int, seconds: float = 0.0) -> PoolElementService:
        element = self.scene.element(registrar)
        self.apart(element, registrar, seconds)
        self.scene.result(element.serve("pool", self.scene.transport(element), POLICY, identifier=identifier))
        return element

    def distances(self, registrar: RegistrarService) -> dict[int, int]:
        pool = registrar.registrar.handlespace.pools.get(b"pool")
        return {} if pool is None else {number: element.values[2] for number, element in pool.elements.items()}

    def test_home_measures_and_others_add_the_way_to_it(self) -> None:
        self.member(self.near, 1)
        self.member(self.near, 2, 0.05)
        self.member(self.far, 3)
        self.scene.until(lambda: len(self.distances(self.near)) == len(self.distances(self.far)) == 3)
        self.assertEqual({1: 0, 2: 50, 3: 100}, self.distances(self.near))
        self.assertEqual({1: 100, 2: 150, 3: 0}, self.distances(self.far))

    def test_a_registrar_that_joins_adds_the_way_to_its_mentor(self) -> None:
        """In its table a mentor has what it sees itself."""
        self.member(self.near, 1)
        joining = self.scene.registrar(peers=[TransportAddress(self.scene.stacks[self.near].hosts, ENRP_PORT, 9899)])
        self.apart(joining, self.near, 0.05)
        self.scene.until(lambda: self.distances(joining))
        self.assertEqual({1: 50}, self.distances(joining))

    def test_users_are_sent_to_what_is_near_them(self) -> None:
        self.member(self.near, 1)
        self.member(self.far, 2)
        self.scene.until(lambda: len(self.distances(self.near)) == len(self.distances(self.far)) == 2)
        for registrar, order in ((self.near, [1, 2]), (self.far, [2, 1])):
            user = self.scene.user(registrar)
            found = self.scene.result(user.resolve("pool"))
            self.assertEqual(order, [each.identifier for each in found.elements])

    def test_measured_again_with_each_keep_alive(self) -> None:
        """When an element registers, SCTP has hardly had the time to measure; and ways change. A little is nothing."""
        element = self.member(self.near, 1)
        self.scene.until(lambda: self.distances(self.far))
        announced: list[int] = []
        for seconds in (0.05, 0.079, 0.021, 0.081, 0.071, 0.069):
            self.apart(element, self.near, seconds)
            self.scene.pass_time(2.0)
            announced.append(self.distances(self.far)[1] - 100)
        self.assertEqual([50, 50, 50, 100, 100, 50], announced)

    def test_what_the_element_says_about_its_distance_does_not_count(self) -> None:
        element = self.scene.element(self.near)
        self.scene.result(element.serve("pool", self.scene.transport(element), POLICY + ",distance=1000", identifier=1))
        self.assertEqual({1: 0}, self.distances(self.near))
