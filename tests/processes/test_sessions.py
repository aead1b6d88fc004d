"""Sessions with real elements under C{twistd rserpool-pe}, which are killed: nothing is lost, nothing is done twice."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater

from rserpool.core import SctpTransport, TcpTransport
from rserpool.core.wire.parameters import DATA_PLUS_CONTROL
from rserpool.sctp.usrsctp.udp import UdpSocket
from rserpool.session import Session
from tests.processes.harness import Process, ProcessTests, all_of


async def goodbyes() -> None:
    """A connection over SCTP has a socket until its goodbye was heard, which may be after the user has stopped."""
    network: Any = reactor
    for _ in range(250):
        if not any(isinstance(each, UdpSocket) for each in network.getReaders()):
            break
        await deferLater(network, 0.02)


class SessionTests(ProcessTests):
    """A count that goes on from element to element."""

    async def pool(self, kind: str) -> tuple[dict[int, Process], Session]:
        """Three elements, and a session."""
        registrar = await self.registrar()
        where = registrar.text.partition(":")[0]
        plugin = ("served", "--kind", f"session-{kind}", "--interface", where)
        elements = {number: self.element(registrar, "--identifier", str(number), plugin=plugin) for number in (1, 2, 3)}
        # After the user has stopped.
        self.addCleanup(goodbyes)
        user = self.user(registrar)
        await self.watch(user).holds(1, 2, 3)
        return elements, Session(user, "pool", repeat=True)

    async def through_kills(self, kind: str) -> Any:
        elements, session = await self.pool(kind)
        failovers: list[tuple[int, int]] = []
        session.failed_over = lambda old, new: failovers.append((old.identifier, new.identifier))
        count = 0

        async def ask(times: int) -> None:
            nonlocal count
            answers = await all_of(*(session.request(b"count") for _ in range(times)))
            self.assertEqual([int(answer) for answer in answers], list(range(count + 1, count + times + 1)))
            count += times

        await ask(1)
        transport = session.element.user_transport
        for _ in range(2):
            await ask(20)
            serving = session.element.identifier
            # Some of these are on their way when it dies.
            asking = ask(20)
            elements[serving].signal("KILL")
            await asking
            await elements[serving].ended
            await ask(1)
        self.assertEqual([new for _, new in failovers[:-1]], [old for old, _ in failovers[1:]])
        self.assertEqual(len(failovers), 2)
        await session.close()
        self.no_traceback(*elements.values())
        return transport

    async def test_tcp(self) -> None:
        """Framed, since the registration says so."""
        self.assertIsInstance(await self.through_kills("tcp"), TcpTransport)

    async def test_sctp(self) -> None:
        """With a control channel."""
        transport = await self.through_kills("sctp")
        self.assertIsInstance(transport, SctpTransport)
        self.assertEqual(transport.use, DATA_PLUS_CONTROL)
