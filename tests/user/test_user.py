"""The pool user as a service: a real registrar and real elements, SCTP in memory, one clock."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError, NoRegistrar, TransportAddress, UnknownPool
from rserpool.core.profiles import DEFAULT
from rserpool.user import PoolChanged, PoolUserService
from tests.pool_scope import PoolScope


def ids(elements: Any) -> list[int]:
    """The identifiers of elements, in order."""
    return [element.identifier for element in elements]


class ResolveTests(SynchronousTestCase):
    """C{resolve} and C{report}."""

    def setUp(self) -> None:
        self.scope = PoolScope(self, 2)
        self.user = self.scope.client.service

    def test_elements(self) -> None:
        """The elements of a pool, from whichever registrar was found."""
        self.scope.member(1)
        self.scope.member(2)
        resolved = self.scope.result(self.user.resolve(b"pool"))
        self.assertEqual(sorted(ids(resolved.elements)), [1, 2])
        self.assertIn(self.user.home, self.scope.addresses)

    def test_items(self) -> None:
        """So many and no more."""
        for number in (1, 2, 3):
            self.scope.member(number)
        self.assertEqual(len(self.scope.result(self.user.resolve(b"pool", items=2)).elements), 2)

    def test_unknown_pool(self) -> None:
        """A pool that does not exist."""
        with self.assertRaises(UnknownPool):
            self.scope.result(self.user.resolve(b"nothing"))

    def test_no_registrar(self) -> None:
        """Nobody answers: it fails at its deadline, and names who was tried."""
        self.scope.kill(self.scope.registrars[0])
        self.scope.kill(self.scope.registrars[1])
        start = self.scope.now
        with self.assertRaises(NoRegistrar) as raised:
            self.scope.result(self.user.resolve(b"pool", timeout=3.0))
        self.assertAlmostEqual(self.scope.now - start, 3.0, 1)
        self.assertIn("10.0.0.1:3863", str(raised.exception))
        self.assertIn("10.0.0.2:3863", str(raised.exception))

    def test_silent_registrars(self) -> None:
        """Registrars whose hosts fell silent: the deadline holds all the same."""
        self.scope.silence(self.scope.registrars[0])
        self.scope.silence(self.scope.registrars[1])
        start = self.scope.now
        with self.assertRaises(NoRegistrar):
            self.scope.result(self.user.resolve(b"pool", timeout=8.0))
        self.assertAlmostEqual(self.scope.now - start, 8.0, 1)

    def test_one_of_two_is_dead(self) -> None:
        """One registrar is enough."""
        self.scope.member(1)
        alive = self.scope.members[1].service.element.home
        dead = 1 if alive == self.scope.addresses[1] else 2
        self.scope.kill(self.scope.registrars[dead - 1])
        resolved = self.scope.result(self.user.resolve(b"pool"))
        self.assertEqual(ids(resolved.elements), [1])

    def test_t1(self) -> None:
        """The registrar takes the question and falls silent: after T1 the next one answers."""
        self.scope.member(1)
        self.scope.result(self.user.resolve(b"pool"))
        home = self.scope.addresses.index(self.user.home) + 1
        other = 3 - home
        self.scope.member(2, b"other")
        self.scope.members[2].leave(b"other")
        self.scope.hold(self.scope.client, self.scope.registrars[home - 1])
        waiting = self.user.resolve(b"unheard of", timeout=10)
        start = self.scope.now
        with self.assertRaises(UnknownPool):
            self.scope.result(waiting)
        self.assertEqual(self.user.home, self.scope.addresses[other - 1])
        self.assertAlmostEqual(self.scope.now - start, DEFAULT.t1_enrp_request, 1)

    def test_last_known_good(self) -> None:
        """While no registrar answers, what is known serves at once, and its age is told."""
        self.scope.member(1)
        self.scope.result(self.user.resolve(b"pool"))
        self.scope.kill(self.scope.registrars[0])
        self.scope.kill(self.scope.registrars[1])
        self.scope.advance(60)
        resolved = self.successResultOf(self.user.resolve(b"pool"))
        self.assertEqual(ids(resolved.elements), [1])
        self.assertGreater(resolved.age, 59)

    def test_the_only_registrar_hangs_for_a_while(self) -> None:
        """One registrar, silent for longer than T1, then back: the next question finds it."""
        scope = PoolScope(self)
        user = scope.client.service
        scope.member(1)
        scope.result(user.resolve(b"pool"))
        scope.silence(scope.registrars[0])
        with self.assertRaises(NoRegistrar):
            scope.result(user.resolve(b"another", timeout=1.5))
        scope.unsilence(scope.registrars[0])
        took = scope.until(lambda: user.home is not None)
        self.assertLess(took, 2.5)

    def test_cache(self) -> None:
        """Within C{stale.cache.value} nobody is asked; C{fresh} asks."""
        self.scope.member(1)
        self.scope.result(self.user.resolve(b"pool"))
        self.assertEqual(ids(self.successResultOf(self.user.resolve(b"pool")).elements), [1])
        afresh = self.user.resolve(b"pool", fresh=True)
        self.assertNoResult(afresh)
        self.scope.result(afresh)

    def test_cancel(self) -> None:
        """A resolution can be cancelled; others are not disturbed."""
        self.scope.member(1)
        one, other = self.user.resolve(b"pool"), self.user.resolve(b"pool")
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.assertEqual(ids(self.scope.result(other).elements), [1])

    def test_report(self) -> None:
        """A report makes the registrar look at once: an element that is dead is gone before its keep-alive is due."""
        self.scope.member(1)
        self.scope.member(2)
        self.scope.result(self.user.resolve(b"pool"))
        self.scope.silence(self.scope.members[1])
        self.user.report(b"pool", 1)
        last = self.successResultOf(self.user.resolve(b"pool")).elements[-1]
        self.assertEqual(last.identifier, 1)
        self.scope.advance(4.0)
        self.assertEqual(ids(self.scope.result(self.user.resolve(b"pool", fresh=True)).elements), [2])

    def test_not_running(self) -> None:
        """A service that does not run says so."""
        user = PoolUserService(Clock(), self.scope.addresses, stack=self.scope.client.stack)
        self.failureResultOf(user.resolve(b"pool"), RuntimeError)

    def test_wrong_transport(self) -> None:
        """An unknown transport is refused with a sentence that names the choices."""
        with self.assertRaises(ConfigurationError) as raised:
            PoolUserService(Clock(), self.scope.addresses, transport="udp")
        self.assertIn("auto, sctp, tcp", str(raised.exception))

    def test_stop(self) -> None:
        """Stopping cancels what is under way, closes the association, and leaves no timer."""
        self.scope.member(1)
        self.scope.result(self.user.resolve(b"pool"))
        waiting = self.user.resolve(b"other")
        stopped = self.user.stopService()
        self.failureResultOf(waiting, CancelledError)
        self.scope.result(stopped, 2.0)
        self.assertEqual(self.scope.client.stack.endpoints, {})

    def test_stop_while_the_registrar_is_silent(self) -> None:
        """Stopping takes no longer than a second or two, whoever does not answer."""
        self.scope.result(self.user.resolve(b"x").addErrback(lambda _: None))
        for registrar in self.scope.registrars:
            self.scope.silence(registrar)
        self.scope.result(self.user.stopService(), 2.5)

    def test_stop_while_hunting(self) -> None:
        """Stopping ends a hunt."""
        for registrar in self.scope.registrars:
            self.scope.silence(registrar)
        self.user.resolve(b"pool").addErrback(lambda _: None)
        self.scope.advance(0.5)
        self.scope.result(self.user.stopService(), 2.5)
        self.scope.advance(5)
        self.scope.kill(*self.scope.registrars)
        # Their own timers go with them, when they are due.
        self.scope.advance(60)
        self.assertEqual(self.scope.clock.getDelayedCalls(), [])

    def test_again(self) -> None:
        """A stopped service can be started again."""
        self.scope.member(1)
        self.scope.result(self.user.resolve(b"pool"))
        self.scope.result(self.user.stopService())
        self.user.startService()
        self.assertEqual(ids(self.scope.result(self.user.resolve(b"pool")).elements), [1])


class SubscribeTests(SynchronousTestCase):
    """C{subscribe}."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        self.user = self.scope.client.service
        self.shown: list[list[int] | None] = []

    def show(self, change: PoolChanged) -> None:
        self.shown.append(None if change.elements is None else sorted(ids(change.elements)))

    def test_changes(self) -> None:
        """What comes and goes is told, soon."""
        self.scope.member(1)
        self.user.subscribe(b"pool", self.show)
        self.scope.advance(0.1)
        self.scope.member(2)
        self.scope.members[1].leave(b"pool")
        self.scope.advance(0.5)
        self.assertEqual(self.shown, [[1], [1, 2], [2]])

    def test_no_pool_yet(self) -> None:
        """A pool that does not exist is asked for until it does, and again when it is gone."""
        self.user.subscribe(b"pool", self.show)
        self.scope.advance(20)
        self.scope.member(1)
        self.scope.advance(2.5)
        self.scope.members[1].leave(b"pool")
        self.scope.advance(1)
        self.assertEqual(self.shown, [None, [1], None])

    def test_registrar_gone_and_back(self) -> None:
        """The subscription is re-armed by itself; nothing is told while nothing is known."""
        self.scope.member(1)
        self.user.subscribe(b"pool", self.show)
        self.scope.advance(0.1)
        self.scope.kill(self.scope.registrars[0])
        self.scope.advance(10)
        self.assertEqual(self.shown, [[1]])
        self.scope.restart(self.scope.registrars[0])
        self.scope.advance(5)
        self.scope.member(2)
        self.scope.advance(2.5)
        self.assertEqual(self.shown[-1], [1, 2])

    def test_second_watcher(self) -> None:
        """Who comes later is told the present state; who stops is told nothing more."""
        self.scope.member(1)
        first = self.user.subscribe(b"pool", lambda change: None)
        self.scope.advance(0.1)
        self.user.subscribe(b"pool", self.show)
        self.assertEqual(self.shown, [])
        self.scope.advance(0.1)
        self.assertEqual(self.shown, [[1]])
        first.stop()
        first.stop()
        self.scope.member(2)
        self.assertEqual(self.shown, [[1], [1, 2]])

    def test_stopped_at_once(self) -> None:
        """A watcher that stops before its first call hears nothing."""
        self.scope.member(1)
        self.user.subscribe(b"pool", lambda change: None)
        self.scope.advance(0.1)
        self.user.subscribe(b"pool", self.show).stop()
        self.scope.advance(1)
        self.assertEqual(self.shown, [])

    def test_callback_fails(self) -> None:
        """A callback that fails is logged, and disturbs no other."""
        self.scope.member(1)
        self.user.subscribe(b"pool", lambda change: 1 / 0)
        self.user.subscribe(b"pool", self.show)
        self.scope.advance(0.1)
        self.assertEqual(self.shown, [[1]])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_before_the_start(self) -> None:
        """A subscription made before the service starts begins with it, and goes on after a restart."""
        self.scope.member(1)
        self.scope.result(self.user.stopService())
        self.user.subscribe(b"pool", self.show)
        self.scope.advance(1)
        self.assertEqual(self.shown, [])
        self.user.startService()
        self.scope.advance(1)
        self.assertEqual(self.shown, [[1]])


class AddressTests(SynchronousTestCase):
    """Which registrars are asked."""

    def test_this_host(self) -> None:
        """By default those that may run on this host."""
        user = PoolUserService(Clock())
        self.assertEqual(user.registrars[0], TransportAddress(("127.0.0.1",), 3863, 9899))
        self.assertEqual(user.registrars[-1], TransportAddress(("127.0.0.1",), 3863, 9892))
        self.assertEqual(len(user.registrars), 8)

    def test_tcp(self) -> None:
        """Over TCP there is one of them."""
        scope = PoolScope(self)
        user = PoolUserService(scope.client.reactor, transport="tcp")
        user.startService()
        self.assertEqual(user.registrars, (TransportAddress(("127.0.0.1",), 3863, 0, "tcp"),))
        user.resolve(b"pool").addErrback(lambda _: None)
        self.assertEqual(scope.trace.dialled(), [("127.0.0.1", 3863)])
        scope.result(user.stopService())

    def test_network_is_down(self) -> None:
        """A registrar to which there is no way yet is no reason not to start."""
        scope = PoolScope(self)
        user = PoolUserService(scope.client.reactor, [TransportAddress(("255.255.255.255",), 3863)], transport="tcp")
        user.startService()
        with self.assertRaises(NoRegistrar):
            scope.result(user.resolve(b"pool", timeout=1.0))
        scope.result(user.stopService())
