"""What may happen to a scope, and that it settles only when everybody has noticed."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.protocols.wire import Echo
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.wire import asap, enrp
from rserpool.sctp.base import SctpHandler
from rserpool.testing import Dialled, Scope, Trace
from tests.pool_scope import Taking


class FaultCase(SynchronousTestCase):
    def scope(self, registrars: int = 1, **options: Any) -> Scope:
        scope = Scope(registrars, **options)
        self.addCleanup(scope.stop)
        return scope


class SettleTests(FaultCase):
    """C{settle} waits until what is silent is noticed."""

    def test_silent_element(self) -> None:
        """It is in no pool any more when this returns; and when it is back, it is in its pool again."""
        scope = self.scope(2)
        element, other = scope.element("pool"), scope.element("pool")
        scope.settle()
        scope.silence(element)
        self.assertFalse(scope.settled)
        scope.settle()
        for registrar in scope.registrars:
            self.assertEqual([other.identifier("pool")], list(registrar.elements("pool")))
        scope.advance(30.0)
        self.assertTrue(scope.settled)
        scope.unsilence(element)
        scope.settle()
        self.assertEqual(2, len(scope.registrars[0].elements("pool")))

    def test_silent_registrar(self) -> None:
        """Its peers have taken its elements over, and these know it."""
        scope = self.scope(2)
        scope.element("pool")
        scope.settle()
        (home,) = scope.elements[0].homes
        first, second = sorted(scope.registrars, key=lambda registrar: registrar.host != home)
        scope.silence(first)
        scope.settle()
        self.assertEqual(({second.host}, set()), (scope.elements[0].homes, second.peers))
        scope.unsilence(first)
        scope.settle()

    def test_killed_registrar(self) -> None:
        scope = self.scope(2)
        scope.element("pool")
        scope.settle()
        scope.kill(scope.registrars[0])
        scope.settle()
        self.assertEqual(set(), scope.registrars[1].peers)

    def test_all_registrars_silent(self) -> None:
        """Their elements look for another one."""
        scope = self.scope()
        element = scope.element("pool")
        scope.settle()
        scope.silence(scope.registrars[0])
        scope.settle()
        self.assertEqual(set(), element.homes)


class StandingStillTests(FaultCase):
    """Loops and clocks."""

    def test_frozen(self) -> None:
        """Its system accepts connections, and it is gone from its pool; when it goes on it does what waited."""
        scope = self.scope()
        element, user = scope.element("pool", Factory.forProtocol(Echo), port=7), scope.user()
        scope.settle()
        scope.freeze(element)
        connecting = HostnameEndpoint(user.reactor, element.name, 7).connect(Factory.forProtocol(Taking))
        client: Any = scope.result(connecting)
        client.transport.write(b"hello")
        scope.settle()
        self.assertEqual((b"", {}), (client.received, scope.registrars[0].elements("pool")))
        scope.thaw(element)
        scope.until(lambda: client.received == b"hello", 0.1)
        scope.settle()

    def test_refuses_late(self) -> None:
        """A frozen process whose factory wants no connection ends it when it goes on."""
        lost: list[Any] = []

        class Watching(Taking):
            def connectionLost(self, reason: Any = None) -> None:
                lost.append(reason)

        class Unwilling(Factory):
            def buildProtocol(self, addr: Any) -> None:
                return None

        scope = self.scope()
        element, user = scope.element("pool", Unwilling(), port=7), scope.user()
        scope.freeze(element)
        connecting = HostnameEndpoint(user.reactor, element.host, 7).connect(Factory.forProtocol(Watching))
        scope.result(connecting)
        scope.advance(1.0)
        self.assertEqual([], lost)
        scope.thaw(element)
        scope.until(lambda: lost, 0.1)

    def test_stalled(self) -> None:
        """It answers late, and nobody takes it for dead; timers come before what was received."""
        scope = self.scope()
        element = scope.element("pool")
        scope.settle()
        order: list[str] = []
        element.reactor.callLater(0.1, order.append, "timer")
        scope.clock.callLater(0.05, element.reactor.enter, order.append, "input")
        scope.stall(element, 0.5)
        scope.stall(element, 0.1)
        scope.advance(0.45)
        self.assertEqual([], order)
        scope.advance(0.1)
        self.assertEqual(["timer", "input"], order)
        self.assertTrue(scope.settled)

    def test_clocks(self) -> None:
        """A monotonic clock drifts, or stands still; a wall clock jumps."""
        scope = self.scope(epochs=True)
        element = scope.element("pool")
        self.assertNotEqual(scope.now, element.reactor.seconds())
        ahead, wall = element.reactor.seconds() - scope.now, element.wall()
        fired: list[float] = []
        scope.drift(element, 2.0)
        element.reactor.callLater(10.0, lambda: fired.append(scope.now))
        scope.advance(5.1)
        self.assertAlmostEqual(5.0, fired[0], 5)
        self.assertAlmostEqual(ahead + 10.2, element.reactor.seconds(), 5)
        scope.drift(element, 1.0)
        scope.freeze(element)
        scope.advance(3.0)
        scope.thaw(element, 3.0)
        self.assertAlmostEqual(ahead + 10.2, element.reactor.seconds(), 5)
        self.assertAlmostEqual(wall + 5.1, element.wall(), 5)
        scope.jump(element, -3600.0)
        self.assertAlmostEqual(wall + 5.1 - 3600.0, element.wall(), 5)

    def test_dead(self) -> None:
        """What comes to a dead process is not heard; one that fails at its start is dead at once."""
        scope = self.scope()
        element = scope.element("pool")
        self.assertTrue(element.reactor.getDelayedCalls())
        scope.kill(element)
        element.reactor.enter(self.fail)
        failing: dict[str, Any] = {"setup": lambda element: 1 / 0}
        self.assertRaises(ZeroDivisionError, scope.element, **failing)
        self.assertFalse(scope.elements[-1].alive)

    def test_one_way(self) -> None:
        """A way may be cut in one direction alone."""
        scope = self.scope(2)
        one, other = scope.registrars
        scope.settle()
        scope.partition([one], [other], oneway=True)
        scope.until(lambda: not other.peers)
        scope.heal()
        scope.settle()


class NameTests(FaultCase):
    """Processes by name."""

    def test_names(self) -> None:
        scope = self.scope()
        element, user = scope.element("pool", Factory.forProtocol(Echo), port=7), scope.user()
        for name in ("e1", element.host):
            endpoint = HostnameEndpoint(user.reactor, name, 7)
            client: Any = scope.result(endpoint.connect(Factory.forProtocol(Taking)))
            self.assertEqual(element.host, client.transport.getPeer().host)
        with self.assertRaises(DNSLookupError):
            scope.result(HostnameEndpoint(user.reactor, "nowhere", 7).connect(Factory.forProtocol(Taking)))
        own: Any = HostnameEndpoint(element.reactor, "localhost", 7).connect(Factory.forProtocol(Taking))
        self.assertEqual(element.host, scope.result(own).transport.getPeer().host)


class AnnouncementTests(FaultCase):
    """Multicast."""

    def test_found(self) -> None:
        """Elements that know no registrar hear of one; not while datagrams are lost."""
        scope = self.scope(1, start=False)
        scope.registrar(announce=True)
        nowhere = [TransportAddress(("10.9.9.9",), 3863)]
        scope.network.multicast_loss = 1.0
        element = scope.element("pool", service={"announcements": True, "registrars": nowhere})
        scope.advance(5.0)
        self.assertFalse(scope.settled)
        scope.network.multicast_loss = 0.0
        scope.settle()
        self.assertEqual({"10.0.0.1"}, element.homes)
        port = element.reactor.listenMulticast(3863, DatagramProtocol())
        self.assertEqual((element.host, 3863), (port.getHost().host, port.getHost().port))


class TraceTests(FaultCase):
    """What happened."""

    def test_messages(self) -> None:
        """Who said what to whom, and when."""
        scope = self.scope(2)
        element = scope.element("pool")
        scope.settle()
        registrations = scope.trace.messages(asap.Registration)
        self.assertEqual({"e1"}, {each.source for each in registrations})
        self.assertEqual(element.identifier("pool"), registrations[0].message.element.identifier)
        home = registrations[0].target
        self.assertEqual(registrations[:1], scope.trace.messages(asap.Registration, source="e1", target=home)[:1])
        self.assertEqual([], scope.trace.messages(asap.Registration, source=home))
        self.assertEqual([], scope.trace.messages(asap.Registration, since=scope.now + 1))
        update = scope.trace.messages(enrp.HandleUpdate)[0]
        self.assertEqual(home, update.source)
        self.assertLess(registrations[0].when, update.when)

    def test_values(self) -> None:
        """Whatever an event holds is shown in a word or two."""
        trace = Trace()
        for what in (True, b"\xff", 123456, [1, "a"], 2.5):
            trace.event(1.0, "e1", what)
        shown = [line.rpartition(": ")[2] for line in trace.lines()]
        self.assertEqual(["True", "ff", "0x1e240", "[1, a]", "2.5"], shown)

    def test_text(self) -> None:
        """Faults, events and attempts over TCP stand in it, too."""
        scope = self.scope()
        element, user = scope.element("pool", port=7), scope.user()
        scope.settle()
        since = scope.now
        scope.kill(element)
        user.endpoint("pool", timeout=0.5).connect(Factory.forProtocol(Taking)).addErrback(lambda _: None)
        stack = scope.network.stack("10.9.9.9")
        stranger = stack.open(0, SctpHandler()).connect(scope.registrars[0].address)
        scope.advance(1.0)
        stranger.send(b"\x01\x00\x00\x04", 11)
        stranger.send(b"something", 99)
        scope.advance(0.1)
        text = "\n".join(scope.trace.lines(since=since, wanted=lambda message: isinstance(message, asap.Error)))
        for line in ("---: e1 is killed", "u1: dials tcp 10.0.1.1:7", "r1: ElementRemoved(pool", "? -> r1  9 bytes"):
            self.assertIn(line, text)
        self.assertIn("? -> r1  ASAP garbage", text)
        self.assertEqual([], scope.trace.messages(source="?"))
        self.assertNotIn("HandleResolution", text)
        self.assertIn("u1 -> r1  ASAP HandleResolution", scope.trace.text())
        self.assertIn(("10.0.1.1", 7), scope.trace.dialled("u1"))
        self.assertEqual([], scope.trace.events(Dialled, "e1"))
