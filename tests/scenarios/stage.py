"""Scenarios: small stories in a scope by seed, and what all of them look at."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.profiles import DEFAULT
from rserpool.testing import ElementProcess, RegistrarProcess
from tests.simulation import invariants
from tests.simulation.cluster import Cluster

POOL = "pool"


class ScenarioTestCase(SynchronousTestCase):
    """A story about a cluster; at its end nothing may have gone wrong inside."""

    def cluster(self, registrars: int = 3, **options: Any) -> Cluster:
        """A cluster that is cleaned up; by default it has started and every registrar is ready."""
        options.setdefault("profile", DEFAULT)
        cluster = Cluster(options.pop("seed", 1), registrars, **options)

        def finish() -> None:
            cluster.close()
            self.assertEqual(cluster.errors, [])

        self.addCleanup(finish)
        if options.get("start", True):
            cluster.advance(3.0)
            self.assert_settled(cluster)
        return cluster

    def elements(
        self, cluster: Cluster, count: int, home: int | None = None, pool: bytes | str = POOL, **options: Any
    ) -> list[ElementProcess]:
        """Elements that are registered, at registrar C{home} if that is given."""
        where = cluster.addresses
        if home is not None:
            where = (where[home - 1], *where[: home - 1], *where[home:])
        service = {} if home is None else {"registrars": where}
        elements = [cluster.element(pool, service=service, **options) for _ in range(count)]
        cluster.advance(0.5)
        return elements

    def assert_settled(self, cluster: Cluster, within: float = 0.0) -> float:
        """All is as it must be once things are calm, after C{within} seconds at most; returns how long it took."""
        start = cluster.now
        while faults := invariants.unsettled(cluster):
            if cluster.now - start >= within:
                self.fail("\n".join([*faults, *cluster.trace.lines()[-60:]]))
            cluster.advance(0.05)
        return cluster.now - start

    def assert_stays_settled(self, cluster: Cluster, seconds: float = 5.0) -> None:
        """And so it stays."""
        cluster.advance(seconds)
        self.assert_settled(cluster, 0.2)


def home_of(cluster: Cluster, element: ElementProcess, seen_by: RegistrarProcess | None = None) -> str | None:
    """The name of the registrar that owns an element, as one registrar (any, by default) sees it."""
    registrar = seen_by or cluster.living[0]
    (handle,) = element.role.pools
    found = registrar.role.handlespace.find(handle, element.identifier(handle))
    if found is None:
        return None
    owner = cluster.by_identifier(found.home)
    return owner.name if owner is not None else f"0x{found.home:x}"
