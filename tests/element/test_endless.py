"""The server endpoint of a pool in programs that stop nothing, and begin no log."""

from __future__ import annotations

from typing import Any

from twisted.logger import LogLevel, formatEvent, globalLogPublisher

from rserpool.element.server_endpoint import PATIENCE
from tests.element.test_server_endpoint import ServerEndpointCase


class EndlessTests(ServerEndpointCase):
    """It leaves its pool by itself, and says why it is in none."""

    def test_untold(self) -> None:
        """Why it is not in the pool is told where nobody asks: no registrar answers, or one refuses."""
        lines: list[Any] = []
        observer: Any = lines.append

        def told() -> list[str]:
            found = [formatEvent(event) for event in lines if event["log_level"] is LogLevel.critical]
            return [line for line in found if line.startswith("pool: serves, but is not in the pool: ")]

        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.scope.member(2, policy="random")
        self.listen(self.endpoint(self.inner()))
        self.assertRegex(told()[0], "the registrar refused: the policy differs")
        self.scope.kill(*self.scope.registrars)
        port = self.listen(self.endpoint(self.inner(port=8002), stack=self.process.stack))
        self.scope.advance(PATIENCE)
        self.assertRegex(told()[1], "no registrar answers at .*; it goes on trying")
        self.assertEqual(2, len(told()))
        self.scope.result(port.stopListening())

    def test_shutdown(self) -> None:
        """Before the reactor shuts down it leaves the pool, though nobody closes it; not after it was closed."""
        reactor: Any = self.reactor
        triggers: list[Any] = []

        def added(phase: str, event: str, call: Any) -> Any:
            self.assertEqual(("before", "shutdown"), (phase, event))
            triggers.append(call)
            return call

        reactor.addSystemEventTrigger = added
        reactor.removeSystemEventTrigger = triggers.remove
        port = self.listen(self.endpoint(self.inner()))
        self.assertEqual(2, len(triggers))
        stopped = [call() for call in list(triggers)]
        for each in stopped:
            self.scope.result(each)
        self.assertEqual(((), None), (self.elements(), self.open))
        triggers.clear()
        port.startListening()
        self.scope.advance(1)
        self.assertEqual(1, len(self.elements()))
        self.scope.result(port.stopListening())
        self.assertEqual([], triggers)

    def test_repr(self) -> None:
        """It names the pool."""
        self.assertRegex(repr(self.endpoint(self.inner())), "^<PoolServerEndpoint of pool 'pool' on <.*>>$")
