"""Scenarios: small stories on the deterministic cluster, and what all of them look at."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap, enrp
from tests.simulation import invariants
from tests.simulation.cluster import Cluster
from tests.simulation.members import ElementProcess, Process, RegistrarProcess

POOL = b"pool"


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
            cluster.run(3.0)
            self.assert_settled(cluster)
        return cluster

    def elements(self, cluster: Cluster, count: int, home: int | None = None, **options: Any) -> list[ElementProcess]:
        """Elements e1 ... that are registered, at registrar C{home} if that is given."""
        first = len(cluster.elements) + 1
        where = cluster.everywhere
        if home is not None:
            where = (where[home - 1], *where[: home - 1], *where[home:])
        elements = []
        for number in range(first, first + count):
            elements.append(cluster.start_element(number, registrars=where, **options))
        cluster.run(0.5)
        return elements

    def assert_settled(self, cluster: Cluster, within: float = 0.0) -> float:
        """All is as it must be once things are calm, after C{within} seconds at most; returns how long it took."""
        start = cluster.now
        while faults := invariants.unsettled(cluster):
            if cluster.now - start >= within:
                self.fail("\n".join([*faults, *cluster.trace.lines()[-60:]]))
            cluster.run(0.05)
        return cluster.now - start

    def assert_stays_settled(self, cluster: Cluster, seconds: float = 5.0) -> None:
        """And so it stays."""
        cluster.run(seconds)
        self.assert_settled(cluster, 0.2)


def home_of(cluster: Cluster, element: ElementProcess, seen_by: RegistrarProcess | None = None) -> str | None:
    """The name of the registrar that owns an element, as one registrar (any, by default) sees it."""
    registrar = seen_by or cluster.living[0]
    found = registrar.role.handlespace.find(element.handle, element.identifier)
    if found is None:
        return None
    owner = cluster.by_identifier(found.home)
    return owner.name if owner is not None else f"0x{found.home:x}"


def messages(cluster: Cluster, kind: type, source: Process | None = None, target: Process | None = None) -> list[Any]:
    """The messages of one kind that arrived so far."""
    codec = enrp if kind.__module__ == enrp.__name__ else asap
    return [
        message
        for message in cluster.trace.messages_of(codec)
        if isinstance(message[2], kind)
        and (source is None or message[0] == source.name)
        and (target is None or message[1] == target.name)
    ]
