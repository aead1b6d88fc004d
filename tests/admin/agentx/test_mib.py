"""The tables of RFC 5525, filled by each role."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.admin.subjects import ElementSubject, RegistrarSubject, UserSubject
from rserpool.core import SctpTransport
from rserpool.core.wire.transports import OpaqueTransport
from tests.admin.agentx.stage import Snmp
from tests.pool_scope import PoolScope


class MibTests(SynchronousTestCase):
    """A scope of two registrars."""

    def setUp(self) -> None:
        self.scope = PoolScope(self, 2)

    def registrar(self) -> Snmp:
        """What the first one has is asked for."""
        process = self.scope.registrars[0]
        return Snmp(self, self.scope, process, RegistrarSubject(process.service))

    def test_registrar(self) -> None:
        """Itself, its pools, their elements with their addresses, its own addresses, and its peers."""
        both = SctpTransport(80, 1, ("10.0.0.1", "2001:db8::1"))
        host = "10.0.1.7"
        own = SctpTransport(8007, 1, (host,))
        template = self.scope.member(7, "www", "wrr:weight=3", own).role.element(b"www")
        self.scope.member(8, b"\xff", transport=OpaqueTransport(b"deep"))
        self.scope.advance(1)
        self.scope.registrars[0].role.handlespace.register(
            b"www", replace(template, identifier=9, home=2, user_transport=both), others=True
        )
        snmp = self.registrar()
        snmp.start()
        there = snmp.walk()
        self.assertEqual(1, there[1, 1, 1, 3, 1])
        self.assertEqual(9901, there[1, 1, 1, 6, 1])
        handles = {there[oid]: oid[-1] for oid in there if oid[:4] == (1, 3, 1, 2)}
        self.assertEqual({b"www", b"\xff"}, set(handles))
        www, deep = (1, handles[b"www"], 7), (1, handles[b"\xff"], 8)
        other = (*www[:2], 9)
        element = [there.get((1, 4, 1, column, *other)) for column in range(2, 14)]
        self.assertEqual([9, 132, 80, 1, 2, b"weighted-round-robin", 3, 0, 0], element[:1] + element[2:10])
        self.assertEqual(2, element[-1])
        self.assertEqual([1, 2], [there[1, 6, 1, 2, *other, number] for number in (1, 2)])
        self.assertEqual(bytes([10, 0, 0, 1]), there[1, 6, 1, 3, *other, 1])
        self.assertEqual(16, len(there[1, 6, 1, 3, *other, 2]))
        self.assertEqual((0, b"", b"deep"), tuple(there[1, 6, 1, column, *deep, 1] for column in (2, 3, 4)))
        self.assertEqual(1, there[1, 5, 1, 2, *www, 1])
        self.assertEqual(4, len(there[1, 7, 1, 3, 1, 1]))
        peers = [oid for oid in there if oid[:2] == (1, 8)]
        self.assertEqual([2, 9901], [there[oid] for oid in peers[:2]])
        self.assertEqual(1, there[1, 9, 1, 2, peers[0][-1], 1])

    def test_lively(self) -> None:
        """What is told is of now: an element that is gone is gone from there, and new peers and pools come."""
        snmp = self.registrar()
        snmp.start()
        self.assertEqual([], [oid for oid in snmp.walk() if oid[:2] == (1, 4)])
        self.scope.member(7)
        self.scope.advance(10)
        self.assertEqual(12, len([oid for oid in snmp.walk() if oid[:2] == (1, 4)]))
        self.scope.members[7].service.stopService()
        self.scope.advance(10)
        self.assertEqual([], [oid for oid in snmp.walk() if oid[:2] == (1, 4)])

    def test_element(self) -> None:
        """An element tells itself what it is; its rows are there once it serves in a pool, and are given back after."""
        member = self.scope.member(7, "www", "wrr:weight=3")
        snmp = Snmp(self, self.scope, member, ElementSubject(lambda: member.service))
        agent = snmp.start()
        there = snmp.walk()
        self.assertEqual((b"www", 7), (there[2, 1, 1, 3, 7], there[2, 1, 1, 4, 7]))
        self.assertEqual([6, 8007, 0, 2], [there[2, 1, 1, column, 7] for column in (8, 9, 10, 11)])
        self.assertEqual((1, 1), (there[2, 2, 1, 2, 7, 1], there[2, 6, 1, 2, 7, 1]))
        self.assertEqual(4, len(agent.heard))

    def test_user(self) -> None:
        """A user tells which pool it is for."""
        process = self.scope.client
        snmp = Snmp(self, self.scope, process, UserSubject(process.service, b"www"))
        snmp.start()
        there = snmp.walk()
        self.assertEqual([2, 3, 4, 5], [oid[3] for oid in there])
        self.assertEqual({b"", b"www"}, set(list(there.values())[:2]))
