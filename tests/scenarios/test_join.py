"""Initialization of a registrar: mentor, peer list, handle table (RFC 5353 section 3.2)."""

from __future__ import annotations

from rserpool.core.peering.events import Initialized
from rserpool.core.user import ResolutionFailed
from rserpool.core.wire import asap, enrp
from rserpool.testing import RegistrarProcess
from tests.scenarios.stage import POOL, ScenarioTestCase, home_of
from tests.simulation.cluster import Cluster


class MentorTests(ScenarioTestCase):
    """3.2.2: who is asked, and what if it does not help."""

    def test_alone(self) -> None:
        """Without configured peers a registrar is ready at once."""
        cluster = self.cluster(1, topology="none", start=False)
        self.assertTrue(cluster.registrar().ready)

    def test_nobody_there(self) -> None:
        """With configured peers that are all dead it is ready after a short while."""
        cluster = self.cluster(3, start=False)
        registrar = cluster.registrar()
        self.assertFalse(registrar.ready)
        self.assertLess(cluster.until(lambda: registrar.ready, 10.0), 2.0)

    def test_found(self) -> None:
        """The mentor is asked for its list, then for the whole handlespace; then the registrar is ready."""
        cluster = self.cluster(2, start=False)
        first = cluster.registrar()
        cluster.advance(3.0)
        elements = self.elements(cluster, 3)
        second = cluster.registrar()
        self.assertLess(cluster.until(lambda: second.ready, 5.0), 0.5)
        self.assertEqual(len(second.role.handlespace), len(elements))
        listing = cluster.trace.messages(enrp.ListRequest, source="r2", target="r1")[0]
        request = cluster.trace.messages(enrp.HandleTableRequest, source="r2", target="r1")[0]
        self.assertFalse(request.message.own_children_only)
        # Before it has said who it is.
        self.assertEqual(listing.message.receiver, 0)
        self.assertEqual(request.message.receiver, first.identifier)
        self.assert_settled(cluster, 1.0)

    def test_list(self) -> None:
        """Whom the mentor knows is dialled: here, everybody is configured with the first alone."""
        cluster = self.cluster(4, topology="star")
        self.assertEqual([len(registrar.role.peering.peers) for registrar in cluster.living], [3, 3, 3, 3])

    def test_both_at_once(self) -> None:
        """Two that start together reject each other; soon both are ready all the same."""
        cluster = self.cluster(2, start=False)
        pair = [cluster.registrar(), cluster.registrar()]
        cluster.until(lambda: all(registrar.ready for registrar in pair), 5.0)
        self.assertTrue([each for each in cluster.trace.messages(enrp.ListResponse) if each.message.rejected])
        self.assert_settled(cluster, 3.0)

    def test_not_ready(self) -> None:
        """Before it is ready a registrar refuses resolutions and registrations with Lack of Resources (0x6)."""
        cluster = self.cluster(2, start=False)
        cluster.registrar()
        cluster.element(POOL)
        cluster.user().service.resolve(POOL)
        cluster.advance(0.3)
        refusal = cluster.trace.messages(asap.RegistrationResponse, target="e1")[0]
        answer = cluster.trace.messages(asap.HandleResolutionResponse, target="u1")[0]
        self.assertEqual([cause.code for cause in refusal.message.causes], [6])
        self.assertEqual([cause.code for cause in answer.message.causes], [6])
        cluster.advance(5.0)
        self.assert_settled(cluster, 5.0)

    def test_silent_mentor(self) -> None:
        """A mentor that does not answer in time is left for a backup mentor."""
        cluster = self.cluster(3, start=False)
        silent, good = cluster.registrar(identifier=1), cluster.registrar(identifier=2)
        cluster.advance(3.0)
        self.elements(cluster, 2)
        third = cluster.registrar(identifier=3)
        cluster.until(lambda: cluster.trace.messages(enrp.ListRequest, source="r3", target="r1"))
        cluster.freeze(silent)
        cluster.until(lambda: third.ready, 5.0)
        ready = self._ready(cluster, third)
        self.assertEqual((ready.mentor, ready.elements), (good.identifier, 2))

    def test_mentor_killed(self) -> None:
        """A mentor that dies during the download is replaced by the backup."""
        cluster = self.cluster(3, start=False)
        dying, good = cluster.registrar(identifier=1), cluster.registrar(identifier=2)
        cluster.advance(3.0)
        self.elements(cluster, 2)
        third = cluster.registrar(identifier=3)
        cluster.until(lambda: cluster.trace.messages(enrp.ListRequest, source="r3", target="r1"))
        cluster.silence(dying)
        cluster.until(lambda: third.ready, 5.0)
        cluster.kill(dying)
        self.assertEqual(self._ready(cluster, third).mentor, good.identifier)
        self.assert_settled(cluster, 10.0)

    def _ready(self, cluster: Cluster, registrar: RegistrarProcess) -> Initialized:
        (ready,) = cluster.trace.events(Initialized, registrar.name)
        return ready  # type: ignore[no-any-return]


class DownloadTests(ScenarioTestCase):
    """3.2.3: the handlespace comes in several messages."""

    def test_many(self) -> None:
        """A table of 1,000 elements comes in pieces (M flag), each asked for; nothing is lost or twice."""
        cluster = self.cluster(2, start=False)
        first = cluster.registrar()
        cluster.advance(3.0)
        element = cluster.element(POOL)
        for number in range(1000):
            element.serve(f"another pool with a long name {number % 50}/{number}")
        cluster.advance(0.4)
        self.assertEqual(len(first.role.handlespace), 1001)
        second = cluster.registrar()
        cluster.until(lambda: second.ready, 5.0)
        answers = cluster.trace.messages(enrp.HandleTableResponse, source="r1", target="r2")
        tables = [answer.message for answer in answers]
        self.assertGreater(len(tables), 3)
        self.assertEqual([table.more_to_send for table in tables], [True] * (len(tables) - 1) + [False])
        self.assertEqual(len(second.role.handlespace), 1001)
        self.assertEqual(
            second.role.handlespace.checksum_of(first.identifier), first.role.handlespace.checksum_of(first.identifier)
        )

    def test_change_during_the_download(self) -> None:
        """What is registered, changed or removed while the table is under way is right in the end."""
        cluster = self.cluster(3, start=False)
        cluster.network.latency = 0.05
        cluster.registrar()
        cluster.registrar()
        cluster.advance(4.0)
        elements = self.elements(cluster, 6)
        third = cluster.registrar()
        cluster.until(lambda: cluster.trace.messages(enrp.HandleTableRequest, source="r3"))
        self.assertFalse(third.ready)
        elements[0].leave(POOL)
        elements[1].change(POOL, "round-robin")
        self.elements(cluster, 2)
        cluster.kill(elements[2])
        cluster.until(lambda: third.ready, 10.0)
        self.assert_settled(cluster, 5.0)


class RestartTests(ScenarioTestCase):
    """A registrar comes back."""

    def test_same_identifier(self) -> None:
        """Restarted at once with its old identifier, it takes up its elements again where they have not moved."""
        cluster = self.cluster(2)
        (element,) = self.elements(cluster, 1, home=1)
        cluster.registrars[0].restart(identifier=cluster.registrars[0].identifier)
        self.assert_settled(cluster, 5.0)
        self.assertIn(home_of(cluster, element), ("r1", "r2"))

    def test_never_out_of_the_pool(self) -> None:
        """Elements that know this registrar alone stay in the pool, as the other one sees it, while it is restarted."""
        cluster = self.cluster(2)
        element = cluster.element(POOL, service={"registrars": cluster.addresses[:1]})
        cluster.advance(0.5)
        again, other = cluster.registrars
        again.restart(identifier=again.identifier)
        cluster.until(lambda: again.ready, 1.0)
        self.assertEqual(home_of(cluster, element, again), "r1")
        for _ in range(300):
            cluster.advance(0.01)
            self.assertIsNotNone(home_of(cluster, element, other))
        self.assert_settled(cluster)

    def test_new_identifier(self) -> None:
        """Restarted with another identifier, it is another registrar; the old one is taken over."""
        cluster = self.cluster(3)
        self.elements(cluster, 3, home=1)
        cluster.restart(cluster.registrars[0])
        self.assert_settled(cluster, 5.0)

    def test_all(self) -> None:
        """After a restart of all registrars the elements register again by themselves; users notice nothing."""
        cluster = self.cluster(3)
        self.elements(cluster, 5)
        user = cluster.user()
        asked = [user.service.resolve(POOL)]
        cluster.advance(1.0)
        cluster.kill(*cluster.living)
        for registrar in cluster.registrars:
            registrar.start()
        for _ in range(80):
            asked.append(user.service.resolve(POOL))
            cluster.advance(0.1)
        self.assertEqual(cluster.trace.events(ResolutionFailed), [])
        self.assertEqual(len([self.successResultOf(each) for each in asked]), 81)
        self.assert_settled(cluster, 5.0)
