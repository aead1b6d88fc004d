"""What operators do by a registrar: drain and undrain, evict, retire, while users make requests; all in memory."""

from __future__ import annotations

from typing import Any

from rserpool.core.errors import ConfigurationError, UnknownPool
from rserpool.core.peering.events import PeerLost, PeerRetired, PeerUnreachable, TakenOver
from rserpool.core.registrar import home as granting
from rserpool.core.registrar.events import RegistrationRefused
from rserpool.core.trail import Act
from rserpool.core.wire import asap, enrp
from tests.registrar.operated import POOL, ActingTestCase


class DrainTests(ActingTestCase):
    def test_drain_and_undrain(self) -> None:
        scope = self.begin()
        first, second = self.elements
        identifier = first.identifier(POOL)
        (registrar,) = scope.registrars
        self.drain(first)
        self.assertEqual({second.identifier(POOL)}, set(registrar.elements(POOL)))
        (held,) = registrar.service.draining
        self.assertEqual((POOL, identifier), (held.handle, held.identifier))
        # Whoever knew it until now may come yet, and is served.
        scope.advance(scope.profile.stale_cache_value + 1)
        self.assertEqual({second.name}, self.answered_by(3.0))
        self.assertTrue(first.alive)
        self.undrain(first)
        self.assertEqual({identifier, second.identifier(POOL)}, set(registrar.elements(POOL)))
        self.assertEqual([], registrar.service.draining)
        scope.advance(scope.profile.stale_cache_value + 1)
        self.assertEqual({first.name, second.name}, self.answered_by(3.0))
        self.nothing_lost()
        self.assertEqual([Act.DRAINS, Act.SERVES], self.acts(registrar))

    def test_again_is_harmless(self) -> None:
        self.begin()
        first, _ = self.elements
        self.drain(first)
        self.drain(first)
        self.undrain(first)
        self.refused(self.home(first).service.undrain(POOL, first.identifier(POOL)), "serves already")

    def test_its_next_home_hears_that_it_drains(self) -> None:
        """Its home dies: the element itself says to the next one that it drains."""
        scope = self.begin(2)
        first, _ = self.elements
        identifier = first.identifier(POOL)
        home, other = self.home(first), self.other(first)
        self.drain(first)
        scope.kill(home)
        scope.until(lambda: other.service.draining)
        self.assertNotIn(identifier, other.elements(POOL))
        self.assertIsNone(other.service.draining[0].element)
        scope.result(other.service.undrain(POOL, identifier))
        self.assertIn(identifier, other.elements(POOL))
        self.nothing_lost()

    def test_it_is_watched(self) -> None:
        """One that drains and dies, or stands still, is told of, and forgotten."""
        scope = self.begin()
        first, second = self.elements
        (registrar,) = scope.registrars
        for element, fault in ((first, scope.kill), (second, scope.freeze)):
            scope.result(registrar.service.drain(POOL, element.identifier(POOL)))
            fault(element)
            scope.until(lambda: not registrar.service.draining)
        scope.thaw(second)
        # It drains yet, as it knows.
        scope.until(lambda: registrar.service.draining)
        self.load.stop()

    def test_it_stops_while_it_drains(self) -> None:
        scope = self.begin()
        first, _ = self.elements
        (registrar,) = scope.registrars
        self.drain(first)
        scope.advance(scope.profile.stale_cache_value + 1)
        scope.result(first.stop())
        self.assertEqual([], registrar.service.draining)
        self.nothing_lost()

    def test_what_cannot_be(self) -> None:
        scope = self.begin(2)
        first, _ = self.elements
        identifier, home, other = first.identifier(POOL), self.home(first), self.other(first)
        self.refused(home.service.drain(POOL, 1), "0x00000001 of www", "gone, or never was")
        for registrar in (home, other):
            for waiting in (registrar.service.drain("mail", identifier), registrar.service.evict("mail", 1, 60)):
                failed = self.assertRaises(UnknownPool, scope.result, waiting)
                self.assertIn("'mail'", str(failed))
        scope.freeze(first)
        self.refused(home.service.drain(POOL, identifier), "did not answer in time")
        scope.thaw(first)
        self.load.stop()

    def test_an_element_that_does_not_know_it(self) -> None:
        """It says so in each acknowledgement; one of an older release does not."""
        sent = asap.EndpointKeepAliveAck._encode
        # What is kept of it is not to outlive this.
        self.patch(granting, "_acknowledgement", granting._acknowledgement.__wrapped__)
        self.patch(
            asap.EndpointKeepAliveAck,
            "_encode",
            lambda message: sent(asap.EndpointKeepAliveAck(message.handle, message.identifier)),
        )
        scope = self.begin()
        first, _ = self.elements
        (registrar,) = scope.registrars
        self.refused(registrar.service.drain(POOL, first.identifier(POOL)), "does not know how to drain", "evict it")
        asked = [each.message.draining for each in scope.trace.messages(asap.EndpointKeepAlive)]
        self.assertEqual({None}, set(asked))
        self.assertIn(first.identifier(POOL), registrar.elements(POOL))
        self.nothing_lost()


class EvictTests(ActingTestCase):
    def test_removed_and_refused_for_a_while(self) -> None:
        scope = self.begin(2, elements=3)
        first = self.elements[0]
        identifier = first.identifier(POOL)
        for registrar in scope.registrars:
            self.assertIn(identifier, registrar.elements(POOL))
        before = [each.role.counts.refused.total() for each in scope.registrars]
        # At any registrar: its home is told.
        scope.result(self.other(first).service.evict(POOL, identifier, 60))
        scope.until(lambda: not any(identifier in each.elements(POOL) for each in scope.registrars))
        for registrar in scope.registrars:
            self.refused(registrar.service.drain(POOL, identifier), "is evicted, for", "s yet", "until 2", "UTC")
        scope.advance(20.0)
        # It asks on, and that is nobody's fault.
        self.assertEqual(before, [each.role.counts.refused.total() for each in scope.registrars])
        refused = scope.trace.events(RegistrationRefused, self.home(first).name)
        self.assertEqual({True}, {each.evicted for each in refused})
        self.assertEqual({each.name for each in self.elements[1:]}, self.answered_by(3.0))
        # It is another one, and comes by another registrar: it is the same place.
        home = self.home(first)
        scope.kill(home)
        scope.advance(20.0)
        self.assertNotIn(identifier, self.scope.registrars[-1].elements(POOL))
        home.start()
        scope.advance(10.0)
        self.assertNotIn(identifier, home.elements(POOL))
        scope.until(lambda: all(identifier in each.elements(POOL) for each in scope.registrars), 60.0)
        self.nothing_lost()

    def test_checksums_agree(self) -> None:
        scope = self.begin(3, elements=3)
        first = self.elements[0]
        scope.result(self.home(first).service.evict(POOL, first.identifier(POOL), 600))
        scope.advance(10.0)
        for one in scope.registrars:
            for other in scope.registrars:
                known = {each.role.handlespace.checksum_of(one.identifier) for each in (one, other)}
                self.assertEqual(1, len(known))
        audits = [each for each in scope.trace.messages(enrp.HandleTableRequest, since=scope.now - 8.0)]
        self.assertEqual([], audits)
        self.nothing_lost()

    def test_the_same_place_by_another_name(self) -> None:
        """A process that is started again has another identifier, and is refused all the same."""
        scope = self.begin()
        first, second = self.elements
        (registrar,) = scope.registrars
        transport = first.service.element.element(POOL).user_transport
        scope.result(registrar.service.evict(POOL, first.identifier(POOL), 60))
        scope.result(first.leave(POOL))
        first.register(POOL, transport)
        scope.advance(20.0)
        self.assertEqual({second.identifier(POOL)}, set(registrar.elements(POOL)))
        scope.result(registrar.service.evict(POOL, second.identifier(POOL), 60))
        self.refused(registrar.service.drain(POOL, 1), "gone, or never was")  # the pool is known, though it is empty
        scope.result(registrar.service.evict(POOL, second.identifier(POOL), 1))
        # One second ends it; the element goes on trying.
        gone = next(iter(registrar.role.operating._evictions.left(registrar.service.node.now())))[0].element
        scope.result(registrar.service.evict(POOL, gone.identifier, 1))
        scope.until(lambda: len(registrar.elements(POOL)) == 2)
        self.nothing_lost()

    def test_what_cannot_be(self) -> None:
        scope = self.begin(2)
        first, _ = self.elements
        identifier, other = first.identifier(POOL), self.other(first)
        for seconds in (0, -1, 604_801):
            failed = self.failureResultOf(other.service.evict(POOL, identifier, seconds), ConfigurationError)
            self.assertIn("1 second to 7 days", failed.getErrorMessage())
        self.refused(other.service.evict(POOL, 1, 60), "gone, or never was")
        home = self.home(first)
        peer: Any = other.role.peering.peers.get(home.identifier)
        peer.private = False
        self.refused(other.service.evict(POOL, identifier, 60), "knows no evictions", "stop the element itself")
        scope.silence(home)
        scope.until(lambda: peer.association is None)
        if identifier in other.elements(POOL) and other.elements(POOL)[identifier].home == home.identifier:
            self.refused(other.service.evict(POOL, identifier, 60), "cannot be told just now")
        self.load.stop()


class RetireTests(ActingTestCase):
    def test_elements_are_handed_over(self) -> None:
        scope = self.begin(3, elements=4)
        first = scope.registrars[0]
        ended: list[bool] = []
        first.service.retired = lambda: ended.append(True)
        number = len(first.role.handlespace.owned_by(first.identifier))
        self.assertEqual(number, scope.result(first.service.retire()))
        self.assertEqual([True], ended)
        scope.until(lambda: not any(first.host in each.homes for each in self.elements))
        # Who comes meanwhile is handed over, too.
        late = scope.element(setup=self.serve, service={"registrars": (first.address,)})
        scope.until(lambda: late.homes and first.host not in late.homes)
        scope.result(first.stop())
        # It looks like no death, to nobody: not either when it is dialled for a long time, and it comes back.
        scope.advance(60.0)
        for registrar in scope.registrars[1:]:
            self.assertEqual([PeerRetired(first.identifier)], scope.trace.events(PeerRetired, registrar.name))
            for kind in (PeerLost, PeerUnreachable, TakenOver):
                self.assertEqual([], scope.trace.events(kind, registrar.name), registrar.name)
            self.assertEqual((0, 1), (registrar.role.peering.peers.failures, len(registrar.role.peering.peers)))
        self.assertEqual(5, len(scope.registrars[1].elements(POOL)))
        first.start()
        scope.until(lambda: all(len(each.role.peering.peers) == 2 for each in scope.registrars))
        self.nothing_lost()
        self.assertIn(Act.RETIRED, self.acts(first))

    def test_the_last_one(self) -> None:
        scope = self.begin()
        (registrar,) = scope.registrars
        self.refused(registrar.service.retire(), "last of its scope", "start another one")
        self.nothing_lost()

    def test_nobody_takes_them(self) -> None:
        """Others that do not know suggestions: it says so, and serves on."""
        self.begin(2)
        owner = self.home(self.elements[0])
        other = self.other(self.elements[0])
        update = other.role.peering._update
        self.patch(
            other.role.peering,
            "_update",
            lambda peer, association, message: [] if message.takeover_suggested else update(peer, association, message),
        )
        self.refused(owner.service.retire(), "not taken over", "serves on")
        self.assertEqual(2, len(owner.elements(POOL)))
        self.nothing_lost()

    def test_both_at_once(self) -> None:
        """Neither takes what the other one hands over, until one of them has given it up."""
        scope = self.begin(2)
        first, second = (each.service.retire() for each in scope.registrars)
        self.refused(first, "not taken over")
        scope.result(second)
        self.assertEqual(2, len(scope.registrars[0].role.handlespace.owned_by(scope.registrars[0].identifier)))
        self.assertEqual({2}, {len(each.elements(POOL)) for each in scope.registrars})
        self.nothing_lost()

    def test_stopped_while_it_retires(self) -> None:
        scope = self.begin(2)
        owner = self.home(self.elements[0])
        retiring = owner.service.retire()
        scope.result(owner.stop())
        self.refused(retiring, "stopped")
        self.load.stop()


class SecuredTests(ActingTestCase):
    """The same over TLS, where everybody has proved who it is."""

    def test_all_of_it(self) -> None:
        scope = self.begin(2, elements=3, secure=True)
        first, second, _ = self.elements
        self.drain(first)
        scope.until(lambda: not any(first.identifier(POOL) in each.elements(POOL) for each in scope.registrars))
        scope.advance(scope.profile.stale_cache_value + 1)
        self.undrain(first)
        scope.until(lambda: all(first.identifier(POOL) in each.elements(POOL) for each in scope.registrars))
        identifier = second.identifier(POOL)
        scope.result(self.other(second).service.evict(POOL, identifier, 3))
        scope.until(lambda: not any(identifier in each.elements(POOL) for each in scope.registrars))
        scope.until(lambda: all(identifier in each.elements(POOL) for each in scope.registrars))
        owner = self.home(first)
        scope.result(owner.service.retire())
        scope.until(lambda: not any(owner.host in each.homes for each in self.elements))
        # Who registered them is known at their new home, too.
        (other,) = (each for each in scope.registrars if each is not owner)
        self.assertTrue(all(each.owner is not None for each in other.elements(POOL).values()))
        self.nothing_lost()

    def test_a_registrar_that_proves_nothing_evicts_nobody(self) -> None:
        """Where TLS is offered, an eviction in the clear is not believed."""
        scope = self.begin(1, secure=True)
        first, _ = self.elements
        (registrar,) = scope.registrars
        element = registrar.elements(POOL)[first.identifier(POOL)].parameter()
        message = enrp.HandleUpdate(registrar.identifier + 1, 0, 1, POOL, element, evicted=600)
        registrar.node.perform(registrar.role.enrp.receive("nobody", message, registrar.service.node.now()))
        self.assertIn(first.identifier(POOL), registrar.elements(POOL))
        self.assertEqual(0, len(registrar.role.evictions))
        self.nothing_lost()
