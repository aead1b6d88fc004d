"""Connections whose element fails later: it is reported, or removed."""

from __future__ import annotations

from twisted.internet.protocol import Protocol

from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.user.drop import Connections
from tests.pool_scope import Taking
from tests.user.stage import EndpointCase


class ReportTests(EndpointCase):
    """Failures that only the application sees."""

    def test_protocol(self) -> None:
        """By the protocol, even after its connection is lost."""
        endpoint = self.endpoint(1, 2)
        protocol = self.connected(endpoint)
        failed = protocol.transport.getPeer().port
        protocol.transport.abortConnection()
        endpoint.report(protocol)
        self.scope.tried()
        for _ in range(4):
            self.connected(endpoint)
        self.assertEqual(self.scope.tried(), [16003 - failed] * 4)

    def test_element(self) -> None:
        """By the element."""
        endpoint = self.endpoint(1, 2)
        self.connected(endpoint)
        first = endpoint.element
        endpoint.report(first)
        self.connected(endpoint)
        self.connected(endpoint)
        self.assertNotEqual(endpoint.element, first)

    def test_wrapped(self) -> None:
        """By a protocol that wraps ours (TLS does): its peer tells."""
        endpoint = self.endpoint(1)
        protocol = self.connected(endpoint)
        wrapping = Taking()
        wrapping.makeConnection(protocol.transport)
        self.assertEqual(endpoint.element_of(wrapping).identifier, 1)

    def test_stranger(self) -> None:
        """A protocol that this endpoint did not connect is a mistake."""
        with self.assertRaises(ValueError):
            self.endpoint().report(Taking())

    def test_forgotten(self) -> None:
        """Not all connections that are gone are remembered."""
        endpoint = self.endpoint(1)
        for _ in range(100):
            protocol = self.connected(endpoint)
            protocol.transport.abortConnection()
        self.assertLessEqual(len(endpoint._connections._connections), 100)

    def test_many(self) -> None:
        """However many connections are up, another one costs the same."""
        looks = []

        class Counted:
            @property
            def connected(self) -> bool:
                looks.append(1)
                return True

        element = PoolElementParameter(1, 0, 0, TcpTransport(80, "10.0.0.1"), PolicyParameter(1))
        connections = Connections()
        protocols = []
        for number in (1_000, 4_000):
            for _ in range(number):
                protocol = Protocol()
                protocol.transport = Counted()  # type: ignore[assignment]
                connections.add(element, protocol, None)
                protocols.append(protocol)
                self.assertIs(element, connections.element_of(protocol))
                self.assertTrue(connections.any_open)
        self.assertLess(len(looks), 4 * len(protocols))
        connections.add(element, protocols[0], None)
        self.assertEqual(len(protocols), len(connections.open))


class DropTests(EndpointCase):
    """Connections to elements that the registrar removed."""

    def test_frozen(self) -> None:
        """An element freezes, the registrar removes it: its connection is dropped, that of another is not."""
        endpoint = self.endpoint(1, 2, drop=True)
        by_port = {each.transport.getPeer().port: each for each in (self.connected(endpoint) for _ in range(2))}
        self.assertEqual(sorted(by_port), [8001, 8002])
        self.scope.freeze(self.scope.members[1])
        took = self.scope.until(lambda: by_port[8001].lost, 10.0)
        self.assertLess(took, 4.0)
        self.scope.advance(20)
        self.assertIsNone(by_port[8002].lost)

    def test_spared(self) -> None:
        """A connection that is in use may go on for as long as the grace says."""
        busy = True
        protocol = self.connected(self.endpoint(1, drop=True, grace=5.0, spare=lambda protocol: busy))
        self.scope.advance(1)
        self.scope.members[1].leave("pool")
        self.scope.advance(4.9)
        self.assertIsNone(protocol.lost)
        took = self.scope.until(lambda: protocol.lost, 1.0)
        self.assertLess(took, 0.3)

    def test_spared_no_more(self) -> None:
        """One that is not ends at once."""
        protocol = self.connected(self.endpoint(1, drop=True, spare=lambda protocol: False))
        self.scope.advance(1)
        self.scope.members[1].leave("pool")
        self.scope.until(lambda: protocol.lost, 1.0)

    def test_left_by_itself(self) -> None:
        """Where nobody knows whether a connection is in use, it may go on for half a minute."""
        protocol = self.connected(self.endpoint(1, 2, drop=True))
        self.scope.advance(1)
        self.scope.members[1].leave("pool")
        self.scope.advance(29)
        self.assertIsNone(protocol.lost)
        self.scope.until(lambda: protocol.lost, 2.0)

    def test_in_use_until_now(self) -> None:
        """It ends soon after it is not in use any more, and not at the end of the time."""
        busy = True
        protocol = self.connected(self.endpoint(1, 2, drop=True, spare=lambda protocol: busy))
        self.scope.advance(1)
        self.scope.members[1].leave("pool")
        self.scope.advance(8)
        self.assertIsNone(protocol.lost)
        busy = False
        self.scope.until(lambda: protocol.lost, 0.5)

    def test_in_use_and_dead(self) -> None:
        """An element that does not answer its registrar holds nobody for longer than five seconds."""
        protocol = self.connected(self.endpoint(1, 2, drop=True, spare=lambda protocol: True))
        self.scope.advance(1)
        self.scope.freeze(self.scope.members[1])
        took = self.scope.until(lambda: protocol.lost, 10.0)
        self.assertLess(took, 8.0)

    def test_last_element(self) -> None:
        """The last element takes the pool along."""
        protocol = self.connected(self.endpoint(1, drop=True))
        self.scope.freeze(self.scope.members[1])
        self.scope.until(lambda: protocol.lost, 4.0)

    def test_not_asked_for(self) -> None:
        """Without the option the connection stays."""
        protocol = self.connected(self.endpoint(1))
        self.scope.freeze(self.scope.members[1])
        self.scope.advance(30)
        self.assertIsNone(protocol.lost)

    def test_registrar_crashes(self) -> None:
        """No registrar, no verdict."""
        protocol = self.connected(self.endpoint(1, drop=True))
        self.scope.kill(*self.scope.registrars)
        self.scope.advance(60)
        self.assertIsNone(protocol.lost)

    def test_registrar_restarts(self) -> None:
        """A registrar that begins with nothing is given time to learn of the elements."""
        endpoint = self.endpoint(1, 2, drop=True)
        one, two = self.connected(endpoint), self.connected(endpoint)
        self.scope.kill(*self.scope.registrars)
        self.scope.advance(1)
        self.scope.restart(*self.scope.registrars)
        self.scope.advance(30)
        self.assertFalse(one.lost or two.lost)

    def test_died_meanwhile(self) -> None:
        """An element that dies while there is no registrar is given up some seconds after there is one again."""
        endpoint = self.endpoint(1, 2, drop=True)
        by_port = {each.transport.getPeer().port: each for each in (self.connected(endpoint) for _ in range(2))}
        self.scope.kill(*self.scope.registrars)
        self.scope.freeze(self.scope.members[1])
        self.scope.advance(1)
        self.scope.restart(*self.scope.registrars)
        self.scope.advance(3)
        self.assertIsNone(by_port[8001].lost)
        self.scope.until(lambda: by_port[8001].lost, 10.0)
        self.assertIsNone(by_port[8002].lost)

    def test_removed_by_the_next_registrar(self) -> None:
        """Nobody waits for an element that the new registrar knew, and removed, once it is the home for a while."""
        protocol = self.connected(self.endpoint(1, drop=True))
        self.scope.kill(*self.scope.registrars)
        self.scope.restart(*self.scope.registrars)
        self.scope.advance(15)
        self.assertIsNone(protocol.lost)
        self.scope.freeze(self.scope.members[1])
        self.scope.until(lambda: protocol.lost, 4.0)

    def test_rests(self) -> None:
        """When no connection is open, the pool is not watched any more."""
        protocol = self.connected(self.endpoint(1, drop=True))
        protocol.transport.abortConnection()
        self.scope.member(2)
        self.scope.advance(1)
        self.assertEqual(self.user.watched, {})
