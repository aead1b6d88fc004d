"""Initialization of a registrar: mentor, peer list, handle table (RFC 5353 section 3.2)."""

from __future__ import annotations

from rserpool.core import TcpTransport
from rserpool.core.peering.events import Initialized
from rserpool.core.wire import asap, enrp
from tests.scenarios.stage import ScenarioTestCase, home_of, messages
from tests.simulation.members import RegistrarProcess


class MentorTests(ScenarioTestCase):
    """3.2.2: who is asked, and what if it does not help."""

    def test_alone(self) -> None:
        """Without configured peers a registrar is ready at once."""
        cluster = self.cluster(1, topology="none", start=False)
        self.assertTrue(cluster.start_registrar(1).ready)

    def test_nobody_there(self) -> None:
        """With configured peers that are all dead it is ready after a short while."""
        cluster = self.cluster(3, start=False)
        registrar = cluster.start_registrar(1)
        self.assertFalse(registrar.ready)
        self.assertLess(cluster.until(lambda: registrar.ready, 10.0), 2.0)

    def test_found(self) -> None:
        """The mentor is asked for its list, then for the whole handlespace; then the registrar is ready."""
        cluster = self.cluster(2, start=False)
        first = cluster.start_registrar(1)
        cluster.run(3.0)
        elements = self.elements(cluster, 3)
        second = cluster.start_registrar(2)
        self.assertLess(cluster.until(lambda: second.ready, 5.0), 0.5)
        self.assertEqual(len(second.role.handlespace), len(elements))
        (listing,) = messages(cluster, enrp.ListRequest, second, first)[:1]
        (request, *_) = messages(cluster, enrp.HandleTableRequest, second, first)
        self.assertFalse(request[2].own_children_only)
        self.assertEqual(listing[2].receiver, first.identifier)
        self.assert_settled(cluster, 1.0)

    def test_list(self) -> None:
        """Whom the mentor knows is dialled: here, everybody is configured with the first alone."""
        cluster = self.cluster(4, topology="star")
        self.assertEqual([len(registrar.role.peering.peers) for registrar in cluster.living], [3, 3, 3, 3])

    def test_both_at_once(self) -> None:
        """Two that start together reject each other; soon both are ready all the same."""
        cluster = self.cluster(2, start=False)
        pair = [cluster.start_registrar(1), cluster.start_registrar(2)]
        cluster.until(lambda: all(registrar.ready for registrar in pair), 5.0)
        self.assertTrue([message for _, _, message in messages(cluster, enrp.ListResponse) if message.rejected])
        self.assert_settled(cluster, 3.0)

    def test_not_ready(self) -> None:
        """Before it is ready a registrar refuses resolutions and registrations with Lack of Resources (0x6)."""
        cluster = self.cluster(2, start=False)
        cluster.start_registrar(1)
        element, user = cluster.start_element(1), cluster.start_user(1)
        user.resolve(b"pool")
        cluster.run(0.3)
        ((_, _, refusal), *_) = messages(cluster, asap.RegistrationResponse, None, element)
        ((_, _, answer), *_) = messages(cluster, asap.HandleResolutionResponse, None, user)
        self.assertEqual([cause.code for cause in refusal.causes], [6])
        self.assertEqual([cause.code for cause in answer.causes], [6])
        cluster.run(5.0)
        self.assert_settled(cluster, 5.0)

    def test_silent_mentor(self) -> None:
        """A mentor that does not answer in time is left for a backup mentor."""
        cluster = self.cluster(3, start=False)
        silent, good = cluster.start_registrar(1, 1), cluster.start_registrar(2, 2)
        cluster.run(3.0)
        self.elements(cluster, 2)
        third = cluster.start_registrar(3, 3)
        cluster.until(lambda: messages(cluster, enrp.ListRequest, third, silent))
        cluster.stop(silent)
        cluster.until(lambda: third.ready, 5.0)
        ready = self._ready(cluster, third)
        self.assertEqual((ready.mentor, ready.elements), (good.identifier, 2))

    def test_mentor_killed(self) -> None:
        """A mentor that dies during the download is replaced by the backup."""
        cluster = self.cluster(3, start=False)
        dying, good = cluster.start_registrar(1, 1), cluster.start_registrar(2, 2)
        cluster.run(3.0)
        self.elements(cluster, 2)
        third = cluster.start_registrar(3, 3)
        cluster.until(lambda: messages(cluster, enrp.ListRequest, third, dying))
        cluster.silence(dying)
        cluster.until(lambda: third.ready, 5.0)
        cluster.crash(dying)
        self.assertEqual(self._ready(cluster, third).mentor, good.identifier)
        self.assert_settled(cluster, 10.0)

    def _ready(self, cluster, registrar: RegistrarProcess) -> Initialized:
        (ready,) = [
            what
            for _, who, _, what, _ in cluster.trace.entries
            if who == registrar.name and isinstance(what, Initialized)
        ]
        return ready


class DownloadTests(ScenarioTestCase):
    """3.2.3: the handlespace comes in several messages."""

    def test_many(self) -> None:
        """A table of 1,000 elements comes in pieces (M flag), each asked for; nothing is lost or twice."""
        cluster = self.cluster(2, start=False)
        first = cluster.start_registrar(1)
        cluster.run(3.0)
        element = cluster.start_element(1)
        for number in range(1000):
            pool = f"another pool with a long name {number % 50}".encode()
            element.perform(
                element.role.serve(pool + b"/%d" % number, _transport(element), element.policy, element.node.now())
            )
        cluster.run(0.4)
        self.assertEqual(len(first.role.handlespace), 1001)
        second = cluster.start_registrar(2)
        cluster.until(lambda: second.ready, 5.0)
        tables = [m for _, _, m in messages(cluster, enrp.HandleTableResponse, first, second)]
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
        cluster.start_registrar(1)
        cluster.start_registrar(2)
        cluster.run(4.0)
        elements = self.elements(cluster, 6)
        third = cluster.start_registrar(3)
        cluster.until(lambda: messages(cluster, enrp.HandleTableRequest, third))
        self.assertFalse(third.ready)
        elements[0].leave()
        elements[1].change("round-robin")
        self.elements(cluster, 2)
        cluster.crash(elements[2])
        cluster.until(lambda: third.ready, 10.0)
        self.assert_settled(cluster, 5.0)


class RestartTests(ScenarioTestCase):
    """A registrar comes back."""

    def test_same_identifier(self) -> None:
        """Restarted at once with its old identifier, it takes up its elements again where they have not moved."""
        cluster = self.cluster(2)
        (element,) = self.elements(cluster, 1, home=1)
        cluster.crash(cluster.registrar(1))
        cluster.start_registrar(1)
        self.assert_settled(cluster, 5.0)
        self.assertIn(home_of(cluster, element), ("r1", "r2"))

    def test_never_out_of_the_pool(self) -> None:
        """Elements that know this registrar alone stay in the pool, as the other one sees it, while it is restarted."""
        cluster = self.cluster(2)
        element = cluster.start_element(1, registrars=cluster.everywhere[:1])
        cluster.run(0.5)
        other = cluster.registrar(2)
        cluster.crash(cluster.registrar(1))
        again = cluster.start_registrar(1)
        cluster.until(lambda: again.ready, 1.0)
        self.assertEqual(home_of(cluster, element, again), "r1")
        for _ in range(300):
            cluster.run(0.01)
            self.assertIsNotNone(home_of(cluster, element, other))
        self.assert_settled(cluster)

    def test_new_identifier(self) -> None:
        """Restarted with another identifier, it is another registrar; the old one is taken over."""
        cluster = self.cluster(3)
        self.elements(cluster, 3, home=1)
        cluster.crash(cluster.registrar(1))
        cluster.start_registrar(1, 0)
        self.assert_settled(cluster, 5.0)

    def test_all(self) -> None:
        """After a restart of all registrars the elements register again by themselves; users notice nothing."""
        cluster = self.cluster(3)
        self.elements(cluster, 5)
        user = cluster.start_user(1)
        user.resolve(b"pool")
        cluster.run(1.0)
        cluster.crash(*cluster.living)
        for number in (1, 2, 3):
            cluster.start_registrar(number, 0)
        for _ in range(80):
            user.resolve(b"pool")
            cluster.run(0.1)
        self.assertEqual(user.failures, [])
        self.assertEqual(len(user.outcomes), 81)
        self.assert_settled(cluster, 5.0)


def _transport(element):
    return TcpTransport(80, element.host)
