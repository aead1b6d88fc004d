"""A subagent and its agent: what is asked is answered, what cannot be is refused, and both come back."""

from __future__ import annotations

import struct
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.admin.agentx.wire import Kind, Status, Syntax, encode_octets, encode_oid
from rserpool.admin.subjects import RegistrarSubject
from tests.admin.agentx.stage import OBJECTS, Agent, Snmp
from tests.loglines import LogLines
from tests.pool_scope import PoolScope

MINUTE = 60.0


class SubagentTests(SynchronousTestCase):
    """A registrar and its agent."""

    def setUp(self) -> None:
        self.scope = PoolScope(self)
        registrar = self.scope.registrars[0]
        self.snmp = Snmp(self, self.scope, registrar, RegistrarSubject(registrar.service))

    def test_get(self) -> None:
        """What is there is told; what is not says whether it is the object or its instance that is missing."""
        self.snmp.start()
        self.assertEqual((Syntax.UNSIGNED, 1), self.snmp.get(1, 1, 1, 3, 1))
        self.assertEqual(Syntax.NO_SUCH_INSTANCE, self.snmp.get(1, 1, 1, 3, 2).syntax)
        self.assertEqual(Syntax.NO_SUCH_INSTANCE, self.snmp.get(1, 1, 1, 7, 1).syntax)
        self.assertEqual(Syntax.NO_SUCH_OBJECT, self.snmp.get(1, 1, 1, 1, 1).syntax)
        self.assertEqual(Syntax.NO_SUCH_OBJECT, self.snmp.get(9).syntax)

    def test_next(self) -> None:
        """The next object is behind a name, or at it where that is included, and before the end of what is searched."""
        self.snmp.start()
        here = (*OBJECTS, 1, 1, 1, 3, 1)
        behind = (*OBJECTS, 1, 1, 1, 4, 1)
        payload = b"".join(
            encode_oid(start, include) + encode_oid(end)
            for start, include, end in ((here, True, ()), (here, False, ()), (here, False, behind), ((2,), True, ()))
        )
        error, _, found = self.snmp.ask(Kind.GET_NEXT, payload)
        self.assertEqual((0, [here, behind, here, (2,)]), (error, [oid for oid, _ in found]))
        self.assertEqual([Syntax.END_OF_MIB] * 2, [value.syntax for _, value in found[2:]])

    def test_bulk(self) -> None:
        """A large table is walked whatever the number of repetitions is, and an answer has a bounded length."""
        role = self.scope.registrars[0].role
        template = self.scope.member(1).role.element(b"pool")
        for number in range(2, 502):
            role.handlespace.register(b"pool", replace(template, identifier=number, home=1), others=True)
        agent = self.snmp.start()
        there = self.snmp.walk(65535)
        self.assertEqual(500 * 12, len([oid for oid in there if oid[:2] == (1, 4) and oid[-1] > 1]))
        self.assertLess(max(len(pdu.payload) for pdu in agent.answers), 40_000)
        number = len(agent.answers)
        again = self.snmp.walk(50)
        self.assertEqual(set(there), set(again))
        self.assertLess(len(agent.answers) - number, len(there) / 40)

    def test_read_only(self) -> None:
        """Nothing can be set."""
        self.snmp.start()
        error, index, _ = self.snmp.ask(Kind.TEST_SET, struct.pack("!HH", 2, 0) + encode_oid((1,)) + bytes(4))
        self.assertEqual((Status.NOT_WRITABLE, 1), (error, index))
        self.assertEqual(Status.COMMIT_FAILED, self.snmp.ask(Kind.COMMIT_SET, b"")[0])
        self.assertEqual(Status.UNDO_FAILED, self.snmp.ask(Kind.UNDO_SET, b"")[0])

    def test_refused(self) -> None:
        """Requests that are none, of other sessions or contexts, or that are too long, hear so; the session goes on."""
        self.snmp.start()
        one = encode_oid((*OBJECTS, 1, 1, 1, 4, 1)) + encode_oid(())
        self.assertEqual(Status.NOT_OPEN, self.snmp.ask(Kind.GET, one, session=8)[0])
        self.assertEqual(Status.MALFORMED, self.snmp.ask(Kind.GET, one[:-4])[0])
        self.assertEqual(Status.MALFORMED, self.snmp.ask(Kind.GET_BULK, b"")[0])
        self.assertEqual(Status.MALFORMED, self.snmp.ask(99, b"")[0])
        self.assertEqual(Status.OTHER_CONTEXT, self.snmp.ask(Kind.GET, encode_octets(b"v") + one, flags=0x18)[0])
        short = encode_oid((1,)) + encode_oid(())
        self.assertEqual(Status.FAILED, self.snmp.ask(Kind.GET_NEXT, short * 5000)[0])
        self.assertEqual(Status.FINE, self.snmp.ask(Kind.GET, one)[0])

    def test_comes_back(self) -> None:
        """An agent that is not there yet, or that goes, is found when it is there; that is told once each time."""
        self.snmp.port.stopListening()
        log = LogLines(self)
        self.snmp.service.startService()
        self.scope.advance(MINUTE)
        self.assertIn("no SNMP agent at agent", *told_in(log))
        self.snmp.listen()
        self.scope.advance(2 * MINUTE)
        self.snmp.connections[0].transport.loseConnection()
        self.scope.advance(MINUTE)
        self.assertEqual(2, len(self.snmp.connections))
        self.assertEqual(4, len(told_in(log)), log.lines)
        self.assertEqual((Syntax.UNSIGNED, 1), self.snmp.get(1, 1, 1, 3, 1))

    def test_silent(self) -> None:
        """An agent that lives is asked for it; one that answers nothing any more is left, and tried again."""
        agent = self.snmp.start()
        self.scope.advance(MINUTE)
        self.assertIn((Kind.PING, ()), agent.heard)
        self.assertIsNone(agent.lost)
        agent.mute = True
        self.scope.advance(MINUTE)
        self.assertIsNotNone(agent.lost)
        self.assertEqual(2, len(self.snmp.connections))

    def test_no_agent(self) -> None:
        """Something that speaks no AgentX, refuses us, or ends the session is left; attempts are not many."""
        self.patch(Agent, "status", {Kind.OPEN: 256})
        self.snmp.service.startService()
        self.scope.advance(MINUTE)
        self.assertLess(len(self.snmp.connections), 100)
        self.patch(Agent, "status", {})
        self.scope.advance(MINUTE)
        for data in (b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes([1, 2, 0x10, 0]) + bytes(16)):
            agent = self.snmp.connections[-1]
            agent.transport.write(data)
            self.scope.advance(MINUTE)
            self.assertIsNotNone(agent.lost)
        self.assertEqual((Syntax.UNSIGNED, 1), self.snmp.get(1, 1, 1, 3, 1))

    def test_twice(self) -> None:
        """Rows that another process has are told as what they are, once."""
        self.patch(Agent, "status", {Kind.REGISTER: Status.DUPLICATE})
        log = LogLines(self)
        self.snmp.start()
        self.scope.advance(MINUTE)
        self.assertEqual(6, len([line for line in told_in(log) if "another process" in line]), log.lines)

    def test_stops(self) -> None:
        """A role that stops says so."""
        agent = self.snmp.start()
        self.snmp.service.stopService()
        self.scope.advance(1)
        self.assertIsNotNone(agent.lost)
        self.assertEqual((Kind.CLOSE, ()), agent.heard[-1])


def told_in(log: LogLines) -> list[str]:
    """What people are told of the agent."""
    return [line for line in log.lines if "SNMP agent" in line]
