"""An SNMP agent in a scope in memory: takes what subagents register, and asks them."""

from __future__ import annotations

import struct
from typing import Any

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory

from rserpool.admin.agentx.service import AgentXService
from rserpool.admin.agentx.wire import HEAD, Kind, Oid, Pdu, Syntax, Value, encode_oid, take
from rserpool.admin.subjects import Subject
from rserpool.testing import Scope
from tests.pool_scope import Taking

PORT = 705
SESSION = 7
OBJECTS = (1, 3, 6, 1, 3, 125, 1)


class Agent(Taking):
    """One connection of the agent.

    @ivar heard: what it was asked, with the name of a registration.
    @ivar answers: what it was answered.
    @ivar status: how it answers.
    """

    status: dict[int, int] = {}  # noqa: RUF012
    mute = False

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[int, Oid]] = []
        self.answers: list[Pdu] = []

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        while (pdu := take(self.received)) is not None:
            self.received = self.received[HEAD + len(pdu.payload) :]
            if pdu.kind == Kind.RESPONSE:
                self.answers.append(pdu)
                continue
            reading = pdu.reading()
            named = pdu.kind in (Kind.REGISTER, Kind.UNREGISTER)
            self.heard.append((pdu.kind, reading.numbers("BBBB") and reading.oid()[0] if named else ()))
            if not self.mute:
                payload = struct.pack("!IHH", 0, self.status.get(pdu.kind, 0), 0)
                self.transport.write(Pdu(Kind.RESPONSE, SESSION, 0, pdu.packet, payload).encode())


class Snmp:
    """The agent, and the subagent of a process of a scope: both at its own address, since nothing else is dialled."""

    def __init__(self, case: Any, scope: Scope, process: Any, subject: Subject) -> None:
        self.scope = scope
        self.process = process
        self.connections: list[Agent] = []
        outer = self

        class Accepting(Factory):
            noisy = False

            def buildProtocol(self, addr: Any) -> Agent:
                outer.connections.append(Agent())
                return outer.connections[-1]

        self._factory = Accepting()
        self.port: Any = None
        self.listen()
        endpoint = TCP4ClientEndpoint(process.reactor, process.host, PORT)
        self.service = AgentXService(process.reactor, subject, endpoint, "agent")
        case.addCleanup(self.service.stopService)

    def listen(self) -> None:
        """Be there."""
        self.port = self.process.reactor.listenTCP(PORT, self._factory, interface=self.process.host)

    def start(self) -> Agent:
        """The subagent comes, and registers what it has."""
        self.service.startService()
        self.scope.until(lambda: bool(self.connections) and len(self.connections[-1].heard) > 1)
        return self.connections[-1]

    def ask(self, kind: int, payload: bytes, session: int = SESSION, flags: int = 0x10) -> tuple[int, int, Any]:
        """One request: the error and its index, and what was found."""
        agent = self.connections[-1]
        number = len(agent.answers)
        agent.transport.write(Pdu(kind, session, 1, 2, payload, flags).encode())
        self.scope.until(lambda: len(agent.answers) > number)
        reading = agent.answers[-1].reading()
        _, error, index = reading.numbers("IHH")
        found = []
        while reading.more:
            syntax, _ = reading.numbers("HH")
            oid, _ = reading.oid()
            value: int | bytes = b""
            if syntax == Syntax.OCTETS:
                value = reading.octets()
            elif syntax < Syntax.NO_SUCH_OBJECT:
                (value,) = reading.numbers("I")
            found.append((oid, Value(Syntax(syntax), value)))
        return error, index, found

    def get(self, *oid: int) -> Value:
        """The value of an object below rserpoolMIBObjects."""
        _, _, ((_, value),) = self.ask(Kind.GET, encode_oid((*OBJECTS, *oid)) + encode_oid(()))
        return value

    def walk(self, repetitions: int = 10) -> dict[Oid, Any]:
        """All there is, by GetBulk."""
        start, there = OBJECTS, dict[Oid, Any]()
        while True:
            payload = struct.pack("!HH", 0, repetitions) + encode_oid(start) + encode_oid(())
            _, _, found = self.ask(Kind.GET_BULK, payload)
            for oid, value in found:
                if value.syntax == Syntax.END_OF_MIB:
                    return there
                assert oid > start, f"{oid} is not behind {start}"
                there[oid[len(OBJECTS) :]] = value.value
                start = oid
