"""Pool elements as services, with real registrars and users: they stay registered, whatever happens to registrars."""

from __future__ import annotations

from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError, Rejected, TcpTransport, parse_transport_address
from rserpool.core.addresses import only_this_host, out_of_reach
from rserpool.core.element.events import NoRegistrarFound
from rserpool.element import PoolElementService
from rserpool.element.log import ElementLog
from rserpool.testing import ElementProcess, RegistrarProcess, Scope
from tests.loglines import LogLines


class ElementTests(SynchronousTestCase):
    """One registrar, unless a test says so."""

    def setUp(self) -> None:
        self.scope = Scope()
        self.addCleanup(self.scope.stop)
        (self.registrar,) = self.scope.registrars

    def process(self) -> tuple[ElementProcess, PoolElementService, TcpTransport]:
        """A process that serves in no pool yet, its service, and what it may register."""
        process = self.scope.element()
        return process, process.service, TcpTransport(80, process.host)

    def serve(self, identifier: int) -> tuple[ElementProcess, PoolElementService, TcpTransport]:
        """One that is in the pool."""
        process, element, transport = self.process()
        self.assertEqual(identifier, self.scope.result(element.serve("pool", transport, identifier=identifier)))
        return process, element, transport

    def registered(self, registrar: RegistrarProcess | None = None, pool: str = "pool") -> list[int]:
        """The identifiers in a pool, as its registrar knows them."""
        return sorted((registrar or self.registrar).elements(pool))

    def test_serve_and_leave(self) -> None:
        """It registers, and deregisters when the service stops."""
        _, element, transport = self.serve(1)
        self.assertEqual([1], self.registered())
        self.scope.result(element.leave("pool"))
        self.assertEqual([], self.registered())
        self.assertEqual(2, self.scope.result(element.serve("pool", transport, identifier=2)))
        self.scope.result(element.stopService())
        self.assertEqual([], self.registered())

    def test_several_pools(self) -> None:
        """One process serves in several pools; it leaves one and stays in the others."""
        _, element, transport = self.process()
        self.scope.result(element.serve("a", transport, identifier=1))
        self.scope.result(element.serve("b", transport, "least-used:load=0.5", identifier=1))
        with self.assertRaisesRegex(ConfigurationError, "serves in pool 'a' already"):
            element.serve("a", transport)
        with self.assertRaisesRegex(ConfigurationError, "fe80::1%eth0 cannot be registered"):
            element.serve("c", TcpTransport(80, "fe80::1%eth0"))
        self.scope.result(element.leave("a"))
        self.assertEqual(([], [1]), (self.registered(pool="a"), self.registered(pool="b")))
        self.scope.result(element.leave("never"))

    def test_refused(self) -> None:
        """A registrar that refuses for good: the Deferred fails, and the log says why."""
        self.serve(1)
        _, other, transport = self.process()
        with self.assertRaisesRegex(Rejected, "^the policy differs from that of the pool, which is round-robin "):
            self.scope.result(other.serve("pool", transport, "random"))
        # It leaves at once what it never was in.
        self.scope.result(other.leave("pool"), 0.1)

    def test_refused_change(self) -> None:
        """A change that is refused takes it out of no pool: it lives on there, and can leave."""
        self.serve(1)
        _, element, transport = self.serve(2)
        for change in ({"policy": "random"}, {"transport": TcpTransport(80, "10.99.99.99")}):
            element.change("pool", **change)
            self.scope.advance(30.0)
            self.assertEqual([1, 2], self.registered())
            self.assertEqual(transport, element.element.element(b"pool").user_transport)
        self.scope.result(element.leave("pool"))
        self.assertEqual([1], self.registered())

    def test_frozen_registrar(self) -> None:
        """A registrar stands still for 5 s: afterwards every element has it as its home again, and none was removed."""
        elements = [self.serve(number)[1] for number in range(1, 6)]
        seen = self.scope.user().watch("pool")
        self.scope.until(lambda: seen.history == [(1, 2, 3, 4, 5)])
        self.scope.silence(self.registrar)
        self.scope.until(lambda: all(element.element.home is None for element in elements))
        self.scope.advance(2.0)
        self.scope.unsilence(self.registrar)
        took = self.scope.until(lambda: all(element.element.is_registered(b"pool") for element in elements))
        self.assertLess(took, 3.0)
        self.scope.advance(5.0)
        self.assertEqual([1, 2, 3, 4, 5], self.registered())

    def test_dialled_by_its_registrar(self) -> None:
        """A registrar that asks a lost element whether it lives holds the one association that they can have: its own.

        The element takes it for its home, instead of dialling in vain.
        """
        process, element, _ = self.serve(1)
        for cut in range(5):
            # The two lose each other, and both dial at once or one before the other.
            self.scope.partition([self.registrar], [process])
            self.scope.until(lambda: element.element.home is None)
            self.scope.advance(0.05 * cut)
            self.scope.heal()
            self.scope.until(lambda: self.registered() == [1] and element.element.is_registered(b"pool"), 5.0)
            self.scope.advance(3.0)
            self.assertEqual(([1], True), (self.registered(), element.element.is_registered(b"pool")))

    def test_another_registrar(self) -> None:
        """The home registrar dies: the element registers with another."""
        other = self.scope.registrar()
        self.scope.settle()
        _, element, _ = self.serve(1)
        home = element.element.home
        first, second = (self.registrar, other) if home == self.registrar.address else (other, self.registrar)
        self.scope.kill(first)
        self.scope.until(lambda: self.registered(second) == [1] and element.element.home == second.address, 2.0)
        self.assertEqual(second.address, element.element.home)

    def test_who_took_it_over(self) -> None:
        """It knows one registrar, which dies; another takes it over. When it loses that one too, it finds it again."""
        other = self.scope.registrar()
        self.scope.settle()
        process = self.scope.element("pool", service={"registrars": [self.registrar.address]})
        self.scope.settle()
        self.scope.kill(self.registrar)
        self.scope.until(lambda: other.host in str(process.service.element.home), 10.0)
        self.scope.silence(process)
        self.scope.advance(5.0)
        self.assertEqual([], self.registered(other))
        self.scope.unsilence(process)
        self.scope.until(lambda: len(self.registered(other)) == 1, 5.0)

    def test_registrar_comes_late(self) -> None:
        """No registrar yet: it waits, and registers when there is one; C{serve} fires then."""
        self.scope.kill(self.registrar)
        _, element, transport = self.process()
        waiting = element.serve("pool", transport, identifier=1)
        self.scope.advance(30.0)
        self.assertNoResult(waiting)
        self.scope.restart(self.registrar)
        self.scope.until(lambda: waiting.called, 3.0)
        self.assertEqual([1], self.registered())

    def test_stop_without_registrar(self) -> None:
        """To stop takes twice T3 at most."""
        _, element, _ = self.serve(1)
        self.scope.kill(self.registrar)
        self.scope.until(lambda: element.element.home is None)
        stopped = element.stopService()
        self.assertLessEqual(self.scope.until(lambda: stopped.called), 4.1)

    def test_changes(self) -> None:
        """Other policy values are registered at once, and a measured one when it has moved enough."""
        load = [0.1]
        _, element, transport = self.process()
        values = {"load": lambda: load[0]}
        self.scope.result(element.serve("pool", transport, "least-used", values=values, identifier=1))
        seen = self.scope.user().watch("pool")
        self.scope.until(lambda: 1 in seen.elements)

        def shown() -> float:
            return int.from_bytes(seen.elements[1].policy.data[:4], "big") / 0xFFFFFFFF

        self.scope.advance(2.0)
        self.assertAlmostEqual(0.1, shown(), 2)
        load[0] = 0.12
        self.scope.advance(5.0)
        self.assertAlmostEqual(0.1, shown(), 2)
        load[0] = 0.9
        self.scope.until(lambda: abs(shown() - 0.9) < 0.01, 2.0)
        element.leave("pool")

    def test_same_identifier(self) -> None:
        """An identifier that another element has: the log says so, and how long it waits; it goes on trying."""
        _, first, _ = self.serve(1)
        _, second, transport = self.process()
        waiting = second.serve("pool", transport, identifier=1)
        self.scope.advance(20.0)
        self.assertNoResult(waiting)
        self.scope.result(first.stopService())
        self.assertEqual(1, self.scope.result(waiting, 12.0))

    def test_served_before_the_start(self) -> None:
        """It waits for the start, and registers then."""
        process, _, transport = self.process()
        element = PoolElementService(
            process.reactor, registrars=self.scope.addresses, hosts=(process.host,), stack=process.stack
        )
        waiting = element.serve("pool", transport, identifier=1)
        self.scope.advance(3.0)
        self.assertNoResult(waiting)
        element.startService()
        self.addCleanup(lambda: self.scope.result(element.stopService()))
        self.scope.until(lambda: waiting.called, 0.5)
        self.assertEqual([1], self.registered())

    def test_cannot_start(self) -> None:
        """A port that cannot be had: nothing is left behind, and it may start later."""
        stack = self.scope.network.stack("10.9.9.8")
        element = PoolElementService(self.scope.clock, hosts=("10.9.9.9",), stack=stack)
        with self.assertRaises(CannotListenError):
            element.startService()
        self.assertFalse(element.running)
        self.assertEqual({}, stack.endpoints)

    def test_out_of_reach(self) -> None:
        """An element that is at the wrong place hears so, and not only that it reaches nobody."""
        here, there = "127.0.0.1", "192.0.2.1"
        for own, registrars, why in (
            ([here], ["[::1]:3863"], "from 127.0.0.1 no IPv6 address can be reached"),
            (["::1"], [f"{here}:3863"], "from ::1 no IPv4 address can be reached"),
            (["2001:db8::1", "::1"], [f"{there}:3863"], "from 2001:db8::1, ::1 no IPv4 address can be reached"),
            ([here], [f"{there}:3863", "[2001:db8::1]:3863"], "from 127.0.0.1 no other host can be reached"),
            ([here], [f"{there}:3863", f"{here}:3863"], ""),
            (["192.0.2.2"], [f"{there}:3863"], ""),
            (["192.0.2.2"], [f"{here}:3863"], ""),
            ([here, "::1"], ["[::1]:3863"], ""),
            ([here], ["registrar.example:3863"], ""),
            ([here], [], ""),
        ):
            self.assertEqual(why, out_of_reach(own, [parse_transport_address(each) for each in registrars]), registrars)

    def test_says_why_nobody_is_reached(self) -> None:
        """The line says it, if nothing else is known to be wrong."""
        logged, clock = LogLines(self), self.scope.clock
        log = ElementLog(clock, Logger(), clock.seconds, lambda: ("127.0.0.1",))
        tried = (parse_transport_address("[::1]:3863"),)
        log.tell(NoRegistrarFound(tried, ""))
        log.tell(NoRegistrarFound(tried, "it proves nothing"))
        log.tell(NoRegistrarFound((parse_transport_address("127.0.0.9:3863"),), ""))
        self.assertEqual(
            [
                "no registrar can be reached at [::1]:3863; trying on; from 127.0.0.1 no IPv6 address can be reached",
                "no registrar can be used at [::1]:3863; trying on; it proves nothing",
                "no registrar can be reached at 127.0.0.9:3863; trying on",
            ],
            logged.lines,
        )

    def test_only_this_host(self) -> None:
        """Whether others can reach it."""
        self.assertTrue(only_this_host(["127.0.0.1", "::1"]))
        self.assertFalse(only_this_host(["127.0.0.1", "10.0.0.1"]))
