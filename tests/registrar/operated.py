"""A scope in memory on which an operator acts, while a user makes requests all the time."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.errors import CannotAct
from rserpool.core.trail import Act, Acted
from rserpool.testing import ElementProcess, RegistrarProcess, Scope, UserProcess

POOL = b"www"


class Answering(Protocol):
    """Answers each request with its name, after a while."""

    def dataReceived(self, data: bytes) -> None:
        factory: Any = self.factory
        factory.clock.callLater(factory.takes, self._answer)

    def _answer(self) -> None:
        factory: Any = self.factory
        self.transport.write(factory.name)  # type: ignore[union-attr]


class Asking(Protocol):
    """Makes one request."""

    def __init__(self) -> None:
        self.answered: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(b"?")  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        if not self.answered.called:
            self.answered.callback(data)
        self.transport.loseConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:
        if not self.answered.called:
            self.answered.errback(ConnectionError("lost"))


class Load:
    """A user that makes a request each 50 ms, each over a connection of its own.

    @ivar by: who answered each, in order; C{lost} are those that nobody answered.
    """

    def __init__(self, scope: Scope, user: UserProcess) -> None:
        self.by: list[str] = []
        self.lost: list[Any] = []
        self.under_way = 0
        self._scope, self._endpoint = scope, user.endpoint(POOL)
        self._on = True
        self._ask()

    def stop(self) -> None:
        """Make no more, and wait for those under way."""
        self._on = False
        self._scope.until(lambda: not self.under_way)

    def _ask(self) -> None:
        if not self._on:
            return
        self._scope.clock.callLater(0.05, self._ask)
        self.under_way += 1
        asking: Any = self._endpoint.connect(Factory.forProtocol(Asking))
        asking.addCallback(lambda protocol: protocol.answered)
        asking.addCallbacks(lambda name: self.by.append(name.decode()), self.lost.append)
        asking.addBoth(self._done)

    def _done(self, _: object) -> None:
        self.under_way -= 1


class ActingTestCase(SynchronousTestCase):
    """A scope with a user that makes requests all the time."""

    def begin(self, registrars: int = 1, elements: int = 2, **options: Any) -> Scope:
        scope = self.scope = Scope(registrars, **options)
        self.elements = [scope.element(setup=self.serve) for _ in range(elements)]
        scope.settle()
        self.load = Load(scope, scope.user())
        scope.until(lambda: len(set(self.load.by)) == elements)
        self.addCleanup(scope.stop)
        return scope

    def serve(self, element: ElementProcess) -> None:
        factory: Any = Factory.forProtocol(Answering)
        factory.name, factory.clock, factory.takes = element.name.encode(), self.scope_clock(element), 0.3
        element.serve(POOL, factory)

    @staticmethod
    def scope_clock(element: ElementProcess) -> Any:
        scope: Any = element.scope
        return scope.clock

    def home(self, element: ElementProcess) -> RegistrarProcess:
        return next(each for each in self.scope.registrars if each.host in element.homes)

    def other(self, element: ElementProcess) -> RegistrarProcess:
        return next(each for each in self.scope.registrars if each.host not in element.homes)

    def drain(self, element: ElementProcess) -> Any:
        return self.scope.result(self.home(element).service.drain(POOL, element.identifier(POOL)))

    def undrain(self, element: ElementProcess) -> Any:
        return self.scope.result(self.home(element).service.undrain(POOL, element.identifier(POOL)))

    def answered_by(self, seconds: float) -> set[str]:
        """Who answers what is asked from now on, for so long."""
        self.scope.until(lambda: not self.load.under_way or self.scope.now)
        before = len(self.load.by)
        self.scope.advance(seconds)
        return set(self.load.by[before:])

    def nothing_lost(self) -> None:
        self.load.stop()
        self.assertEqual([], self.load.lost)

    def refused(self, waiting: Deferred[Any], *words: str) -> None:
        with self.assertRaises(CannotAct) as raised:
            self.scope.result(waiting)
        for word in words:
            self.assertIn(word, str(raised.exception))

    def acts(self, registrar: RegistrarProcess) -> list[Act]:
        return [acted.act for acted in self.scope.trace.events(Acted, registrar.name)]
