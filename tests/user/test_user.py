"""The pool user as a service: a real registrar and real elements, SCTP in memory, one clock."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError, NoRegistrar, TransportAddress, UnknownPool
from rserpool.core.profiles import DEFAULT
from rserpool.user import PoolChanged, PoolUserService
from tests.node.world import World


def ids(elements: Any) -> list[int]:
    """The identifiers of elements, in order."""
    return [element.identifier for element in elements]


class ResolveTests(SynchronousTestCase):
    """C{resolve} and C{report}."""

    def setUp(self) -> None:
        self.world = World(2)
        self.user = self.world.user
        self.user.startService()

    def test_elements(self) -> None:
        """The elements of a pool, from whichever registrar was found."""
        self.world.member(1)
        self.world.member(2)
        resolved = self.world.result(self.user.resolve(b"pool"))
        self.assertEqual(sorted(ids(resolved.elements)), [1, 2])
        self.assertIn(self.user.home, self.world.addresses)

    def test_items(self) -> None:
        """So many and no more."""
        for number in (1, 2, 3):
            self.world.member(number)
        self.assertEqual(len(self.world.result(self.user.resolve(b"pool", items=2)).elements), 2)

    def test_unknown_pool(self) -> None:
        """A pool that does not exist."""
        with self.assertRaises(UnknownPool):
            self.world.result(self.user.resolve(b"nothing"))

    def test_no_registrar(self) -> None:
        """Nobody answers: it fails at its deadline, and names who was tried."""
        self.world.crash_registrar(1)
        self.world.crash_registrar(2)
        start = self.world.reactor.seconds()
        with self.assertRaises(NoRegistrar) as raised:
            self.world.result(self.user.resolve(b"pool", timeout=3.0))
        self.assertAlmostEqual(self.world.reactor.seconds() - start, 3.0, 1)
        self.assertIn("10.0.0.1:3863", str(raised.exception))
        self.assertIn("10.0.0.2:3863", str(raised.exception))

    def test_silent_registrars(self) -> None:
        """Registrars whose hosts fell silent: the deadline holds all the same."""
        self.world.network.silence(self.world.stacks[1])
        self.world.network.silence(self.world.stacks[2])
        start = self.world.reactor.seconds()
        with self.assertRaises(NoRegistrar):
            self.world.result(self.user.resolve(b"pool", timeout=8.0))
        self.assertAlmostEqual(self.world.reactor.seconds() - start, 8.0, 1)

    def test_one_of_two_is_dead(self) -> None:
        """One registrar is enough."""
        self.world.member(1)
        alive = self.world.members[1].role.home
        dead = 1 if alive == self.world.addresses[1] else 2
        self.world.crash_registrar(dead)
        resolved = self.world.result(self.user.resolve(b"pool"))
        self.assertEqual(ids(resolved.elements), [1])

    def test_t1(self) -> None:
        """The registrar takes the question and falls silent: after T1 the next one answers."""
        self.world.member(1)
        self.world.result(self.user.resolve(b"pool"))
        home = self.world.addresses.index(self.user.home) + 1
        other = 3 - home
        self.world.member(2, b"other")
        self.world.members[2].leave(b"other")
        self.world.network.hold(self.world.user_stack, self.world.stacks[home])
        waiting = self.user.resolve(b"unheard of", timeout=10)
        start = self.world.reactor.seconds()
        with self.assertRaises(UnknownPool):
            self.world.result(waiting)
        self.assertEqual(self.user.home, self.world.addresses[other - 1])
        self.assertAlmostEqual(self.world.reactor.seconds() - start, DEFAULT.t1_enrp_request, 1)

    def test_last_known_good(self) -> None:
        """While no registrar answers, what is known serves at once, and its age is told."""
        self.world.member(1)
        self.world.result(self.user.resolve(b"pool"))
        self.world.crash_registrar(1)
        self.world.crash_registrar(2)
        self.world.run(60)
        resolved = self.successResultOf(self.user.resolve(b"pool"))
        self.assertEqual(ids(resolved.elements), [1])
        self.assertGreater(resolved.age, 59)

    def test_the_only_registrar_hangs_for_a_while(self) -> None:
        """One registrar, silent for longer than T1, then back: the next question finds it."""
        world = World(1)
        world.user.startService()
        world.member(1)
        world.result(world.user.resolve(b"pool"))
        world.network.silence(world.stacks[1])
        with self.assertRaises(NoRegistrar):
            world.result(world.user.resolve(b"another", timeout=1.5))
        world.network.unsilence(world.stacks[1])
        took = world.until(lambda: world.user.home is not None)
        self.assertLess(took, 2.5)

    def test_cache(self) -> None:
        """Within C{stale.cache.value} nobody is asked; C{fresh} asks."""
        self.world.member(1)
        self.world.result(self.user.resolve(b"pool"))
        self.assertEqual(ids(self.successResultOf(self.user.resolve(b"pool")).elements), [1])
        self.assertNoResult(self.user.resolve(b"pool", fresh=True))

    def test_cancel(self) -> None:
        """A resolution can be cancelled; others are not disturbed."""
        self.world.member(1)
        one, other = self.user.resolve(b"pool"), self.user.resolve(b"pool")
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.assertEqual(ids(self.world.result(other).elements), [1])

    def test_report(self) -> None:
        """A report makes the registrar look at once: an element that is dead is gone before its keep-alive is due."""
        self.world.member(1)
        self.world.member(2)
        self.world.result(self.user.resolve(b"pool"))
        self.world.network.silence(self.world.members[1].stack)
        self.user.report(b"pool", 1)
        last = self.successResultOf(self.user.resolve(b"pool")).elements[-1]
        self.assertEqual(last.identifier, 1)
        self.world.run(4.0)
        self.assertEqual(ids(self.world.result(self.user.resolve(b"pool", fresh=True)).elements), [2])

    def test_not_running(self) -> None:
        """A service that does not run says so."""
        user = PoolUserService(Clock(), self.world.addresses, stack=self.world.user_stack)
        self.failureResultOf(user.resolve(b"pool"), RuntimeError)

    def test_wrong_transport(self) -> None:
        """An unknown transport is refused with a sentence that names the choices."""
        with self.assertRaises(ConfigurationError) as raised:
            PoolUserService(Clock(), self.world.addresses, transport="udp")
        self.assertIn("auto, sctp, tcp", str(raised.exception))

    def test_stop(self) -> None:
        """Stopping cancels what is under way, closes the association, and leaves no timer."""
        self.world.member(1)
        self.world.result(self.user.resolve(b"pool"))
        waiting = self.user.resolve(b"other")
        stopped = self.user.stopService()
        self.failureResultOf(waiting, CancelledError)
        self.world.result(stopped, 2.0)
        self.assertEqual(self.world.user_stack.endpoints, {})

    def test_stop_while_the_registrar_is_silent(self) -> None:
        """Stopping takes no longer than a second or two, whoever does not answer."""
        self.world.result(self.user.resolve(b"x").addErrback(lambda _: None))
        for stack in self.world.stacks.values():
            self.world.network.silence(stack)
        self.world.result(self.user.stopService(), 2.5)

    def test_stop_while_hunting(self) -> None:
        """Stopping ends a hunt."""
        for stack in self.world.stacks.values():
            self.world.network.silence(stack)
        self.user.resolve(b"pool").addErrback(lambda _: None)
        self.world.run(0.5)
        self.world.result(self.user.stopService(), 2.5)
        self.world.run(5)
        for number in (1, 2):
            self.world.crash_registrar(number)
        self.world.run(5)
        self.assertEqual(self.world.reactor.getDelayedCalls(), [])

    def test_again(self) -> None:
        """A stopped service can be started again."""
        self.world.member(1)
        self.world.result(self.user.resolve(b"pool"))
        self.world.result(self.user.stopService())
        self.user.startService()
        self.assertEqual(ids(self.world.result(self.user.resolve(b"pool")).elements), [1])


class SubscribeTests(SynchronousTestCase):
    """C{subscribe}."""

    def setUp(self) -> None:
        self.world = World(1)
        self.user = self.world.user
        self.user.startService()
        self.shown: list[list[int] | None] = []

    def show(self, change: PoolChanged) -> None:
        self.shown.append(None if change.elements is None else sorted(ids(change.elements)))

    def test_changes(self) -> None:
        """What comes and goes is told, soon."""
        self.world.member(1)
        self.user.subscribe(b"pool", self.show)
        self.world.run(0.1)
        self.world.member(2)
        self.world.members[1].leave(b"pool")
        self.world.run(0.5)
        self.assertEqual(self.shown, [[1], [1, 2], [2]])

    def test_no_pool_yet(self) -> None:
        """A pool that does not exist is asked for until it does, and again when it is gone."""
        self.user.subscribe(b"pool", self.show)
        self.world.run(20)
        self.world.member(1)
        self.world.run(2.5)
        self.world.members[1].leave(b"pool")
        self.world.run(1)
        self.assertEqual(self.shown, [None, [1], None])

    def test_registrar_gone_and_back(self) -> None:
        """The subscription is re-armed by itself; nothing is told while nothing is known."""
        self.world.member(1)
        self.user.subscribe(b"pool", self.show)
        self.world.run(0.1)
        self.world.crash_registrar(1)
        self.world.run(10)
        self.assertEqual(self.shown, [[1]])
        self.world.start_registrar(1)
        self.world.run(5)
        self.world.member(2)
        self.world.run(2.5)
        self.assertEqual(self.shown[-1], [1, 2])

    def test_second_watcher(self) -> None:
        """Who comes later is told the present state; who stops is told nothing more."""
        self.world.member(1)
        first = self.user.subscribe(b"pool", lambda change: None)
        self.world.run(0.1)
        self.user.subscribe(b"pool", self.show)
        self.assertEqual(self.shown, [])
        self.world.run(0.1)
        self.assertEqual(self.shown, [[1]])
        first.stop()
        first.stop()
        self.world.member(2)
        self.assertEqual(self.shown, [[1], [1, 2]])

    def test_stopped_at_once(self) -> None:
        """A watcher that stops before its first call hears nothing."""
        self.world.member(1)
        self.user.subscribe(b"pool", lambda change: None)
        self.world.run(0.1)
        self.user.subscribe(b"pool", self.show).stop()
        self.world.run(1)
        self.assertEqual(self.shown, [])

    def test_callback_fails(self) -> None:
        """A callback that fails is logged, and disturbs no other."""
        self.world.member(1)
        self.user.subscribe(b"pool", lambda change: 1 / 0)
        self.user.subscribe(b"pool", self.show)
        self.world.run(0.1)
        self.assertEqual(self.shown, [[1]])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_before_the_start(self) -> None:
        """A subscription made before the service starts begins with it, and goes on after a restart."""
        self.world.member(1)
        self.world.result(self.user.stopService())
        self.user.subscribe(b"pool", self.show)
        self.world.run(1)
        self.assertEqual(self.shown, [])
        self.user.startService()
        self.world.run(1)
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
        world = World(1)
        user = PoolUserService(world.reactor, transport="tcp")
        user.startService()
        self.assertEqual(user.registrars, (TransportAddress(("127.0.0.1",), 3863, 0, "tcp"),))
        user.resolve(b"pool").addErrback(lambda _: None)
        self.assertEqual(world.reactor.attempts, [("127.0.0.1", 3863)])
        world.result(user.stopService())

    def test_network_is_down(self) -> None:
        """A registrar to which there is no way yet is no reason not to start."""
        world = World(1)
        user = PoolUserService(world.reactor, [TransportAddress(("255.255.255.255",), 3863)], transport="tcp")
        user.startService()
        with self.assertRaises(NoRegistrar):
            world.result(user.resolve(b"pool", timeout=1.0))
        world.result(user.stopService())
