"""CalcApp at the element: a session does a job, whose state travels to the user by cookie.

Compatible with rsplib's, whose cookies nobody signs: whoever is a user may say that his job is nearly done.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.session.cookies import Cookies, UnsignedCookies
from rserpool.services.alarm import Alarm
from rserpool.services.calcapp.calculator import Calculator, Drop, Effect, GoesOn, Leave, Say, Terms
from rserpool.services.calcapp.messages import PPID_CALCAPP
from rserpool.session.element import SessionProtocol
from rserpool.session.server import SessionFactory


class CalcAppProtocol(SessionProtocol):
    """One session, with one job at a time."""

    factory: CalcAppFactory

    def sessionStarted(self, state: bytes | None) -> None:
        if state is not None:
            self.factory.resume(self, state)

    def messageReceived(self, data: bytes) -> None:
        self.factory.receive(self, data)

    def sessionLeaving(self) -> None:
        self.factory.leave(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.leave(self)


class CalcAppFactory(SessionFactory):
    """Serves CalcApp over SCTP and TCP.

    @param reactor: gives time.
    @param terms: what the element offers.
    @param cookies: what the state of a job travels in; by default unsigned, as rsplib's.
    @param tls: what shows a certificate, as L{SessionFactory} takes it.
    @ivar calculator: what it does.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, terms: Terms | None = None, *, cookies: Cookies | None = None, tls: Any = None
    ) -> None:
        super().__init__(CalcAppProtocol, cookies=cookies or UnsignedCookies(), ppid=PPID_CALCAPP, tls=tls)
        self.calculator = Calculator(terms or Terms())
        self._alarm = Alarm(reactor, self._tick)

    def load(self) -> float:
        """The part of its jobs that it has, from 0.0 to 1.0."""
        return self.calculator.load

    def receive(self, session: CalcAppProtocol, data: bytes) -> None:
        """A message came."""
        self._perform(self.calculator.receive(session, data, self._alarm.now()))

    def resume(self, session: CalcAppProtocol, state: bytes) -> None:
        """A job goes on here."""
        self._perform(self.calculator.resume(session, state, self._alarm.now()))

    def leave(self, session: CalcAppProtocol) -> None:
        """A job does not go on here."""
        self._perform(self.calculator.leave(session, self._alarm.now()))

    def _perform(self, effects: list[Effect]) -> None:
        for effect in effects:
            protocol: Any = effect.session
            match effect:
                case Say(message=message):
                    protocol.session.send(message.encode())
                case Leave(progress=progress):
                    protocol.session.set_state(progress.encode())
                case GoesOn(progress=at):
                    self._log.info(
                        "job {job} goes on here: {done} of {size} calculations are done",
                        job=at.job,
                        done=at.done,
                        size=at.size,
                    )
                case Drop(why=why):
                    self._log.warn("{peer}: {why}: dropped", peer=protocol.session.peer, why=why)
                    protocol.session.abort()
        self._alarm.set(self.calculator.next_deadline())

    def _tick(self) -> None:
        self._perform(self.calculator.tick(self._alarm.now()))
