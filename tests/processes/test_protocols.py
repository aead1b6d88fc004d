"""Twisted's own protocols over pools, by endpoint strings alone: the server is killed, another one serves."""

from __future__ import annotations

from typing import Any

from twisted.application.internet import ClientService
from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.endpoints import clientFromString
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.spread.pb import DeadReferenceError, PBConnectionLost

from tests.processes.harness import Process, ProcessTests, Registrar, all_of
from tests.processes.protocols import CLIENTS

LOST = (ConnectionLost, ConnectionDone, DeadReferenceError, PBConnectionLost, CancelledError)


class Client:
    """Asks who serves, over whatever connection there is."""

    def __init__(self, kind: str, registrar: Registrar) -> None:
        self.endpoint: Any = clientFromString(reactor, f"rserpool:{kind}:registrar={registrar.text}:profile=fast")
        self._asking = CLIENTS[kind]()
        self.service = ClientService(self.endpoint, self._asking.factory, retryPolicy=lambda failed: 0.02)
        self.service.startService()

    async def ask(self) -> str:
        return await self._asking.ask(await self.service.whenConnected())

    async def ask_until(self, name: str) -> None:
        """Ask until this one answers; what is lost meanwhile was in the dead one's hands."""
        while True:
            try:
                if await self.ask() == name:
                    return
            except LOST:
                pass


class ProtocolTests(ProcessTests):
    """AMP, Perspective Broker, words, conch: unchanged."""

    def server(self, name: str, registrar: Registrar) -> Process:
        return self.spawn("-m", "tests.processes.protocols", name, registrar.text)

    async def test_failover(self) -> None:
        """All four are served by one; it is killed, and a ClientService finds the other."""
        registrar = await self.registrar()
        one = self.server("one", registrar)
        await all_of(*(one.says(f"^{kind}: [0-9]+$") for kind in CLIENTS))
        clients = [Client(kind, registrar) for kind in CLIENTS]
        for client in clients:
            self.addCleanup(client.endpoint.user.stopService)
            self.addCleanup(client.service.stopService)
        self.assertEqual(["one"] * len(clients), await all_of(*(client.ask() for client in clients)))
        two = self.server("two", registrar)
        await all_of(*(two.says(f"^{kind}: [0-9]+$") for kind in CLIENTS))
        one.signal("KILL")
        await one.ended
        await all_of(*(client.ask_until("two") for client in clients))
        self.no_traceback(registrar.process, one, two)
