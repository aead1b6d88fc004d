"""The fractal generator at the element: a session computes a tile, whose state travels to the user by cookie.

Compatible with rsplib's, whose cookies nobody signs.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.session.cookies import Cookies, UnsignedCookies
from rserpool.node.reactor import clock_of
from rserpool.services.fractal.messages import PPID_FRACTAL
from rserpool.services.fractal.painter import Drop, Effect, GoesOn, Leave, Painter, Say
from rserpool.session.element import SessionProtocol
from rserpool.session.server import SessionFactory


class FractalProtocol(SessionProtocol):
    """One session, with one tile at a time."""

    factory: FractalFactory

    def sessionStarted(self, state: bytes | None) -> None:
        if state is not None:
            self.factory.resume(self, state)

    def messageReceived(self, data: bytes) -> None:
        self.factory.receive(self, data)

    def sendingPaused(self) -> None:
        self.factory.hold(self, True)

    def sendingResumed(self) -> None:
        self.factory.hold(self, False)

    def sessionLeaving(self) -> None:
        self.factory.leave(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.leave(self)


class FractalFactory(SessionFactory):
    """Serves the fractal generator over SCTP and TCP.

    @param reactor: gives turns.
    @param cookies: what the state of a tile travels in; by default unsigned, as rsplib's.
    @param tls: what shows a certificate, as L{SessionFactory} takes it.
    @ivar painter: what it does.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, painter: Painter | None = None, *, cookies: Cookies | None = None, tls: Any = None
    ) -> None:
        super().__init__(FractalProtocol, cookies=cookies or UnsignedCookies(), ppid=PPID_FRACTAL, tls=tls)
        self.painter = painter or Painter()
        self._reactor = reactor
        self._now = clock_of(reactor)
        self._turn: Any = None

    def receive(self, session: FractalProtocol, data: bytes) -> None:
        """A message came."""
        self._perform(self.painter.receive(session, data, self._now()))

    def resume(self, session: FractalProtocol, state: bytes) -> None:
        """A tile is continued here."""
        self._perform(self.painter.resume(session, state, self._now()))

    def hold(self, session: FractalProtocol, held: bool) -> None:
        """A user takes no more, or takes more again."""
        self.painter.hold(session, held)
        self._perform([])

    def leave(self, session: FractalProtocol) -> None:
        """A tile is not computed any more."""
        self._perform(self.painter.leave(session, self._now()))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            protocol: Any = effect.session
            match effect:
                case Say(data=data):
                    protocol.session.send(data)
                case Leave(state=state):
                    protocol.session.set_state(state.encode())
                case GoesOn(state=state):
                    y, x = divmod(state.index, state.parameter.width)
                    self._log.info("a tile goes on here at x={x} y={y}", x=x, y=y)
                case Drop(why=why):
                    self._log.warn("{peer}: {why}: dropped", peer=protocol.session.peer, why=why)
                    protocol.session.abort()
        if self.painter.busy and self._turn is None:
            self._turn = self._reactor.callLater(0, self._work)

    def _work(self) -> None:
        self._turn = None
        self._perform(self.painter.work(self._now()))
