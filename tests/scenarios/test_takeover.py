"""A registrar fails: detection, arbitration, takeover (RFC 5353 sections 3.4 and 3.5)."""

from __future__ import annotations

from typing import Any

from rserpool.core.wire import asap, enrp
from tests.scenarios.stage import POOL, ScenarioTestCase, home_of
from tests.simulation.cluster import Cluster


class TakeoverTests(ScenarioTestCase):
    """3.5: its elements have a new home."""

    def gap(self, cluster: Cluster, count: int) -> float:
        """Seconds until all elements belong to a registrar that lives, as all living ones see it, and know it."""
        return self.assert_settled(cluster, 20.0) if count else 0.0

    def test_killed(self) -> None:
        """The elements of a killed registrar have a new home within 1 s."""
        for size in (2, 3, 5):
            cluster = self.cluster(size, seed=size)
            self.elements(cluster, 6, home=1)
            cluster.kill(cluster.registrars[0])
            self.assertLess(self.gap(cluster, 6), 1.0)
            self.assertNotEqual(home_of(cluster, cluster.elements[0]), "r1")

    def test_silent(self) -> None:
        """Those of one that falls silent, within 3 s; the elements themselves keep serving."""
        for size in (2, 3, 5):
            cluster = self.cluster(size, seed=size)
            self.elements(cluster, 6, home=1)
            victim = cluster.registrars[0]
            cluster.silence(victim)
            cluster.advance(3.0)
            for number in range(1, 7):
                element = cluster.elements[number - 1]
                for registrar in cluster.living:
                    if registrar is not victim:
                        self.assertNotIn(home_of(cluster, element, registrar), ("r1", None))

    def test_owner(self) -> None:
        """3.5.1, 3.5.2: one claims, all others acknowledge, it announces the takeover and asks with the H flag."""
        cluster = self.cluster(4)
        self.elements(cluster, 2, home=1)
        # The elements still see their home, and do not look for another by themselves.
        cluster.partition([cluster.registrars[0]], cluster.living[1:])
        cluster.until(lambda: cluster.trace.messages(enrp.TakeoverServer), 5.0)
        cluster.advance(0.1)
        winners = {takeover.source for takeover in cluster.trace.messages(enrp.TakeoverServer)} - {"r1"}
        self.assertEqual(len(winners), 1)
        (winner,) = winners
        acknowledged = {each.source for each in cluster.trace.messages(enrp.InitTakeoverAck, target=winner)}
        self.assertEqual(len(acknowledged), 2)
        asked = {
            (source, target)
            for _, source, target, message in cluster.trace.messages(asap.EndpointKeepAlive)
            if message.home and message.server == cluster.processes[winner].role.identifier
        }
        self.assertEqual(asked, {(winner, "e1"), (winner, "e2")})

    def test_both_claim(self) -> None:
        """3.5.1 (2): of two that claim at the same time the larger identifier wins, whichever claims first."""
        for identifiers in ((10, 20), (20, 10)):
            cluster = self.cluster(3, start=False)
            for identifier in (5, *identifiers):
                cluster.registrar(identifier=identifier)
            cluster.advance(4.0)
            self.elements(cluster, 3, home=1)
            cluster.delay(cluster.registrars[1], cluster.registrars[2], 0.05)
            cluster.kill(cluster.registrars[0])
            self.assert_settled(cluster, 3.0)
            claims = {claim.source for claim in cluster.trace.messages(enrp.InitTakeover)}
            self.assertEqual(claims, {"r2", "r3"})
            winners = cluster.trace.messages(enrp.TakeoverServer)
            self.assertEqual({cluster.processes[each.source].role.identifier for each in winners}, {20})

    def test_false_alarm(self) -> None:
        """3.5.1 (1): a target that lives says so before all have acknowledged, and nothing is taken over."""
        cluster = self.cluster(3)
        self.elements(cluster, 2, home=1)
        cluster.delay(cluster.registrars[1], cluster.registrars[2], 0.05)
        first, second = cluster.registrars[0], cluster.registrars[1]
        peer = second.role.peering.peers.get(first.identifier)
        assert peer is not None
        second.node.perform(second.role.peering._failed(peer, second.node.now()))
        cluster.advance(1.0)
        self.assertEqual(cluster.trace.messages(enrp.TakeoverServer), [])
        self.assert_settled(cluster)

    def test_two_die(self) -> None:
        """Two of four die at once: neither's acknowledgement is waited for in vain."""
        cluster = self.cluster(4)
        self.elements(cluster, 4, home=1)
        self.elements(cluster, 4, home=2)
        cluster.kill(cluster.registrars[0], cluster.registrars[1])
        self.assertLess(self.gap(cluster, 8), 1.0)

    def test_two_fall_silent(self) -> None:
        """The same without ICMP."""
        cluster = self.cluster(4)
        self.elements(cluster, 4, home=1)
        victims = [cluster.registrars[0], cluster.registrars[1]]
        for victim in victims:
            cluster.silence(victim)
        cluster.advance(5.0)
        cluster.kill(*victims)
        self.assert_settled(cluster, 1.0)

    def test_fresh_lifetime(self) -> None:
        """After a takeover the lifetime of an element starts again."""
        cluster = self.cluster(2)
        (element,) = self.elements(cluster, 1, home=1, life=4)
        for _ in range(4):
            cluster.advance(1.5)
            home = home_of(cluster, element)
            assert home is not None
            number = int(home[1:])
            cluster.kill(cluster.registrars[number - 1])
            self.assert_settled(cluster, 2.0)
            cluster.registrars[number - 1].start()
            self.assert_settled(cluster, 5.0)

    def test_last_element_dies_with_its_home(self) -> None:
        """Elements that died together with their home are removed after the takeover."""
        cluster = self.cluster(3)
        elements = self.elements(cluster, 3, home=1)
        cluster.kill(cluster.registrars[0], *elements)
        self.assertLess(self.gap(cluster, 3), 3.0)

    def test_stalled(self) -> None:
        """A registrar that stood still and comes back takes nothing from the living."""
        for seconds in (1.0, 2.5, 6.0, 20.0):
            cluster = self.cluster(3, seed=int(seconds))
            self.elements(cluster, 4, home=1)
            victim = cluster.registrars[0]
            cluster.freeze(victim)
            cluster.advance(seconds)
            homes = [element.role.home for element in cluster.elements]
            cluster.thaw(victim)
            cluster.advance(0.5)
            self.assert_settled(cluster, 5.0)
            if seconds > 5:
                self.assertEqual(homes, [element.role.home for element in cluster.elements])

    def test_taken_over_from_each_other(self) -> None:
        """Two that a third declared dead to each other, over an association that is up, are peers again (seed 3550)."""
        cluster = self.cluster(3)
        self.elements(cluster, 2, home=1)
        self.elements(cluster, 2, home=3)
        # Between two heartbeats.
        cluster.advance(0.3)
        first, _, third = cluster.living
        for told, target in ((first, third), (third, first)):
            told.role.peering.peers.remove(target.identifier)
        cluster.advance(0.01)
        self.assertNotIn(third.identifier, first.role.peering.peers)
        self.assertNotIn(first.identifier, third.role.peering.peers)
        self.assert_settled(cluster, 5.0)

    def test_orphans(self) -> None:
        """Elements whose home nobody knows find one, or are removed where they are dead."""
        cluster = self.cluster(2)
        alive, dead = self.elements(cluster, 2, home=1)
        second = cluster.registrars[1]
        cluster.kill(cluster.registrars[0], dead)
        cluster.silence(alive)
        # Nobody remembers the first registrar, only its elements.
        second.role.peering.peers.remove(cluster.registrars[0].identifier)
        cluster.advance(0.5)
        cluster.unsilence(alive)
        self.assert_settled(cluster, 10.0)
        self.assertEqual(home_of(cluster, alive), "r2")


class ReferenceFaultTests(ScenarioTestCase):
    """What the reference implementation does wrong, and ours does not."""

    def test_two_registrars(self) -> None:
        """With two registrars a takeover is completed: there is nobody to wait for."""
        cluster = self.cluster(2)
        self.elements(cluster, 2, home=1)
        cluster.kill(cluster.registrars[0])
        self.assertLess(self.assert_settled(cluster, 5.0), 1.0)

    def test_long_handle(self) -> None:
        """A pool handle of 33 bytes, or of 1,000, kills nobody, and reaches everybody."""
        cluster = self.cluster(2)
        self.elements(cluster, 1, pool=b"h" * 33)
        self.elements(cluster, 1, pool=b"h" * 1000)
        self.assert_settled(cluster, 1.0)

    def test_no_such_limit_on_static_peers(self) -> None:
        """A registrar with configured peers has their data when it is ready, not at a later audit."""
        cluster = self.cluster(2, start=False)
        cluster.registrar()
        cluster.advance(3.0)
        self.elements(cluster, 5)
        second = cluster.registrar()
        cluster.until(lambda: second.ready, 2.0)
        self.assertEqual(len(second.role.handlespace), 5)

    def test_mutated_messages(self) -> None:
        """2,000 mutated messages of ASAP and ENRP, skippable unknown parameters among them, kill nobody."""
        cluster = self.cluster(2)
        self.elements(cluster, 2)
        user = cluster.user()
        user.service.resolve(POOL)
        cluster.advance(1.5)
        first, second = cluster.living
        seen = [(entry.what, entry.ppid) for entry in cluster.trace.entries if entry.target]
        dice = cluster.random
        for _ in range(1000):
            for wanted, ppid in ((11, 11), (12, 12)):
                data = bytearray(dice.choice([what for what, kind in seen if kind == wanted]))
                for _ in range(dice.randint(1, 4)):
                    data[dice.randrange(len(data))] = dice.randrange(256)
                if ppid == 12:
                    # As a stranger, so that the peer keeps its good name.
                    data[4:8] = bytes(4)
                    self._stranger(cluster, second, data)
                elif user.role._hunt.home is not None:
                    home: Any = user.role._hunt.home
                    home.send(bytes(data), ppid)
            cluster.advance(0.01)
        cluster.advance(1.0)
        self.assertTrue(first.ready and second.ready)
        for element in cluster.elements:
            # Whatever the mutated messages registered is the user's, not theirs.
            self.assertTrue(element.role.is_registered(b"pool"))
        cluster.kill(user)
        cluster.advance(5.0)
        self.assert_settled(cluster, 65.0)

    def _stranger(self, cluster, target, data: bytearray) -> None:
        peer = target.role.peering.peers.get(cluster.registrars[0].identifier)
        association = None if peer is None else peer.association
        channel = target.node.channels["enrp"]
        if association is not None:
            channel.messageReceived(association, bytes(data), 12, 0, False)

    def test_foreign_deregistration(self) -> None:
        """Nobody removes or overwrites another's element, neither at its home nor at another registrar."""
        cluster = self.cluster(2)
        (element,) = self.elements(cluster, 1, home=1)
        stranger = cluster.user()
        stranger.service.resolve(POOL)
        cluster.advance(0.2)
        home: Any = stranger.role._hunt.home
        home.send(asap.encode(asap.Deregistration(b"pool", element.identifier(POOL))), 11)
        cluster.advance(0.2)
        (response,) = cluster.trace.messages(asap.DeregistrationResponse, target=stranger.name)
        self.assertEqual([cause.code for cause in response.message.causes], [0xA])
        self.assert_settled(cluster)

    def test_reports_of_one_user(self) -> None:
        """Reports of one user alone do not remove an element that lives."""
        cluster = self.cluster(2)
        (element,) = self.elements(cluster, 1, home=1)
        user = cluster.user()
        user.service.resolve(POOL)
        cluster.advance(0.2)
        for _ in range(10):
            home: Any = user.role._hunt.home
            home.send(asap.encode(asap.EndpointUnreachable(b"pool", element.identifier(POOL))), 11)
            cluster.advance(0.1)
        self.assert_settled(cluster)
