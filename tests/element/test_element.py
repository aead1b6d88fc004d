"""Pool elements as services, with real registrars and users: they stay registered, whatever happens to registrars."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import CannotListenError
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError, Rejected, TcpTransport
from rserpool.core.addresses import only_this_host
from rserpool.element import PoolElementService
from rserpool.registrar import RegistrarService
from tests.node.scene import Scene, Seen


def registered(registrar: RegistrarService, handle: bytes = b"pool") -> list[int]:
    """The identifiers in a pool, as its registrar knows them."""
    pool = registrar.registrar.handlespace.pool(handle)
    return [] if pool is None else sorted(pool.elements)


class ElementTests(SynchronousTestCase):
    """One registrar, unless a test says so."""

    def setUp(self) -> None:
        self.scene = Scene(self)
        self.registrar = self.scene.registrar()

    def serve(self, element: PoolElementService, identifier: int, **options: Any) -> PoolElementService:
        """The element is in the pool."""
        transport = self.scene.transport(element)
        result = self.scene.result(element.serve("pool", transport, identifier=identifier, **options))
        self.assertEqual(identifier, result)
        return element

    def test_serve_and_leave(self) -> None:
        """It registers, and deregisters when the service stops."""
        element = self.serve(self.scene.element(self.registrar), 1)
        self.assertEqual([1], registered(self.registrar))
        self.scene.result(element.leave("pool"))
        self.assertEqual([], registered(self.registrar))
        self.serve(element, 2)
        self.scene.result(element.stopService())
        self.assertEqual([], registered(self.registrar))

    def test_several_pools(self) -> None:
        """One process serves in several pools; it leaves one and stays in the others."""
        element = self.scene.element(self.registrar)
        transport = self.scene.transport(element)
        self.scene.result(element.serve("a", transport, identifier=1))
        self.scene.result(element.serve("b", transport, "least-used:load=0.5", identifier=1))
        with self.assertRaisesRegex(ConfigurationError, "serves in pool b'a' already"):
            element.serve("a", transport)
        self.scene.result(element.leave("a"))
        self.assertEqual(([], [1]), (registered(self.registrar, b"a"), registered(self.registrar, b"b")))
        self.scene.result(element.leave("never"))

    def test_refused(self) -> None:
        """A registrar that refuses for good: the Deferred fails, and the log says why."""
        self.serve(self.scene.element(self.registrar), 1)
        other = self.scene.element(self.registrar)
        with self.assertRaisesRegex(Rejected, "^the policy differs from that of the pool, which is round-robin "):
            self.scene.result(other.serve("pool", self.scene.transport(other), "random"))
        # It leaves at once what it never was in.
        self.scene.result(other.leave("pool"), 0.1)

    def test_frozen_registrar(self) -> None:
        """A registrar stands still for 5 s: afterwards every element has it as its home again, and none was removed."""
        elements = [self.serve(self.scene.element(self.registrar), number) for number in range(1, 6)]
        seen = Seen(self.scene.user(self.registrar))
        self.scene.until(lambda: seen.history == [(1, 2, 3, 4, 5)])
        self.scene.network.silence(self.scene.stacks[self.registrar])
        self.scene.until(lambda: all(element.element.home is None for element in elements))
        self.scene.pass_time(2.0)
        self.scene.network.unsilence(self.scene.stacks[self.registrar])
        took = self.scene.until(lambda: all(element.element.is_registered(b"pool") for element in elements))
        self.assertLess(took, 3.0)
        self.scene.pass_time(5.0)
        self.assertEqual([1, 2, 3, 4, 5], registered(self.registrar))

    def test_dialled_by_its_registrar(self) -> None:
        """A registrar that asks a lost element whether it lives holds the one association that they can have: its own.

        The element takes it for its home, instead of dialling in vain.
        """
        element = self.serve(self.scene.element(self.registrar), 1)
        for cut in range(5):
            # The two lose each other, and both dial at once or one before the other.
            one, other = self.scene.stacks[self.registrar], self.scene.stacks[element]
            self.scene.network.partition([one], [other])
            self.scene.until(lambda: element.element.home is None)
            self.scene.pass_time(0.05 * cut)
            self.scene.network.heal()
            self.scene.until(lambda: registered(self.registrar) == [1] and element.element.is_registered(b"pool"), 5.0)
            self.scene.pass_time(3.0)
            self.assertEqual(([1], True), (registered(self.registrar), element.element.is_registered(b"pool")))

    def test_another_registrar(self) -> None:
        """The home registrar dies: the element registers with another."""
        other = self.scene.registrar()
        element = self.serve(self.scene.element(self.registrar, other), 1)
        first, second = (self.registrar, other) if registered(self.registrar) else (other, self.registrar)
        self.scene.crash(first)
        self.scene.until(lambda: registered(second) == [1], 2.0)
        self.assertEqual(self.scene.address(second), element.element.home)

    def test_registrar_comes_late(self) -> None:
        """No registrar yet: it waits, and registers when there is one; C{serve} fires then."""
        self.scene.crash(self.registrar)
        element = self.scene.element(self.scene.address(self.registrar))
        waiting = element.serve("pool", self.scene.transport(element), identifier=1)
        self.scene.pass_time(30.0)
        self.assertNoResult(waiting)
        again = self.scene.registrar(self.scene.stacks[self.registrar].hosts[0])
        self.scene.until(lambda: waiting.called, 3.0)
        self.assertEqual([1], registered(again))

    def test_stop_without_registrar(self) -> None:
        """To stop takes twice T3 at most."""
        element = self.serve(self.scene.element(self.registrar), 1)
        self.scene.crash(self.registrar)
        self.scene.until(lambda: element.element.home is None)
        stopped = element.stopService()
        self.assertLessEqual(self.scene.until(lambda: stopped.called), 4.1)

    def test_changes(self) -> None:
        """Other policy values are registered at once, and a measured one when it has moved enough."""
        load = [0.1]
        element = self.scene.element(self.registrar)
        values = {"load": lambda: load[0]}
        self.scene.result(
            element.serve("pool", self.scene.transport(element), "least-used", values=values, identifier=1)
        )
        seen = Seen(self.scene.user(self.registrar))
        self.scene.until(lambda: 1 in seen.elements)

        def shown() -> float:
            return int.from_bytes(seen.elements[1].policy.data[:4], "big") / 0xFFFFFFFF

        self.scene.pass_time(2.0)
        self.assertAlmostEqual(0.1, shown(), 2)
        load[0] = 0.12
        self.scene.pass_time(5.0)
        self.assertAlmostEqual(0.1, shown(), 2)
        load[0] = 0.9
        self.scene.until(lambda: abs(shown() - 0.9) < 0.01, 2.0)
        element.leave("pool")

    def test_same_identifier(self) -> None:
        """An identifier that another element has: the log says so, and how long it waits; it goes on trying."""
        first = self.serve(self.scene.element(self.registrar), 1)
        second = self.scene.element(self.registrar)
        waiting = second.serve("pool", self.scene.transport(second), identifier=1)
        self.scene.pass_time(20.0)
        self.assertNoResult(waiting)
        self.scene.result(first.stopService())
        self.assertEqual(1, self.scene.result(waiting, 12.0))

    def test_served_before_the_start(self) -> None:
        """It waits for the start, and registers then."""
        host, stack = self.scene._stack()
        where = [self.scene.address(self.registrar)]
        element = PoolElementService(self.scene.clock, registrars=where, hosts=(host,), stack=stack)
        waiting = element.serve("pool", TcpTransport(80, host), identifier=1)
        self.scene.pass_time(3.0)
        self.assertNoResult(waiting)
        element.startService()
        self.addCleanup(self.scene._stop, element)
        self.scene.until(lambda: waiting.called, 0.5)
        self.assertEqual([1], registered(self.registrar))

    def test_cannot_start(self) -> None:
        """A port that cannot be had: nothing is left behind, and it may start later."""
        host, stack = self.scene._stack()
        element = PoolElementService(self.scene.clock, hosts=("10.9.9.9",), stack=stack)
        with self.assertRaises(CannotListenError):
            element.startService()
        self.assertFalse(element.running)
        self.assertEqual({}, stack.endpoints)

    def test_only_this_host(self) -> None:
        """Whether others can reach it."""
        self.assertTrue(only_this_host(["127.0.0.1", "::1"]))
        self.assertFalse(only_this_host(["127.0.0.1", "10.0.0.1"]))
