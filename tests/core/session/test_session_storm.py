"""The core of a session meets anything, in any order: every request has one outcome, nothing is said to nobody."""

from __future__ import annotations

from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import (
    CauseCode,
    NoRegistrar,
    PolicyParameter,
    PoolElementParameter,
    SessionEnded,
    TcpTransport,
    UnknownPool,
)
from rserpool.core.session import failover
from rserpool.core.session.effects import (
    Answered,
    Deliver,
    Dial,
    HangUp,
    Over,
    ProbeLink,
    Release,
    Retire,
    SayGoodbye,
    SendControl,
    SendData,
    SendRequest,
    Served,
    Unanswered,
)
from rserpool.core.session.pool_session import PoolSession
from rserpool.core.session.traits import Traits
from rserpool.core.wire import asap
from rserpool.core.wire.causes import ErrorCause

TRAITS = (Traits(True, True, True), Traits(True, False, True), Traits(False, False, True), Traits(False, False, False))


def element(number: int) -> PoolElementParameter:
    """An element of the pool."""
    return PoolElementParameter(number, 1, 60, TcpTransport(80, f"10.0.0.{number}"), PolicyParameter(1))


class Storm:
    """One session, and a world that does what it likes."""

    def __init__(self, case: SynchronousTestCase, seed: int) -> None:
        self.case = case
        self.random = Random(seed)
        self.now = 0.0
        self.session: Any = PoolSession(
            b"pool",
            repeat=self.random.random() < 0.5,
            attempts=self.random.randrange(1, 5),
            silence=self.random.choice((None, 0.5)),
            card=self.random.choice((None, asap.BusinessCard(b"mine", ()))),
        )
        self.dialling = False
        self.up = False
        self.first_control = False
        self.cookie: bytes | None = None
        self.traits = TRAITS[0]
        self.outcomes: dict[int, list[Any]] = {}
        self.numbers: list[int] = []
        self.retired: dict[Any, list[int]] = {}
        self.retirements = 0
        self.over = 0
        self.failovers = 0
        self.do(self.session.open(self.now))

    def do(self, effects: list[Any]) -> None:
        """Check what it wants."""
        for effect in effects:
            match effect:
                case Dial(resumed=resumed):
                    self.case.assertFalse(self.dialling or self.up)
                    self.case.assertEqual(resumed, self.cookie is not None)
                    self.dialling = True
                case HangUp() | SayGoodbye():
                    self.dialling = self.up = False
                    self.numbers = []
                case Retire(retired=retired):
                    self.case.assertTrue(self.up)
                    self.retired[retired] = self.numbers
                    self.dialling = self.up = False
                    self.numbers = []
                case Release(retired=retired):
                    del self.retired[retired]
                case SendControl(message):
                    self.case.assertTrue(self.up and self.traits.control)
                    if self.first_control and self.cookie is not None:
                        self.case.assertEqual(message, asap.CookieEcho(self.cookie))
                    self.first_control = False
                case SendRequest(number=number):
                    self.case.assertTrue(self.up and self.traits.messages)
                    self.numbers.append(number)
                case Served(old=old):
                    self.failovers += old is not None
                    self.case.assertTrue(self.up)
                case Deliver() if self.retired:
                    pass
                case SendData() | Deliver() | ProbeLink():
                    self.case.assertTrue(self.up)
                case Answered(token=token) | Unanswered(token=token):
                    self.outcomes[token].append(effect)  # type: ignore[index]
                case Over():
                    self.over += 1
                    self.dialling = self.up = False

    def step(self) -> None:
        """Anything."""
        session, random, now = self.session, self.random, self.now
        match random.randrange(15):
            case 0:
                self.do(session.resolved([element(random.randrange(1, 6)) for _ in range(random.randrange(6))], now))
            case 1:
                error = NoRegistrar("none") if random.random() < 0.7 or session.last is None else UnknownPool(b"pool")
                self.do(session.unresolved(error, now))
            case 2 | 3 if self.dialling:
                self.dialling, self.up, self.first_control, self.numbers = False, True, True, []
                self.traits = random.choice(TRAITS)
                self.do(session.connected(self.traits, now))
            case 4 if self.dialling or self.up:
                if random.random() < 0.5:
                    self.dialling = self.up = False
                    self.do(session.failed("so it is", now, broken=random.random() < 0.5))
            case 5 if self.up:
                self.do(session.data(b"data", now))
            case 6 | 7 if self.up and self.traits.numbered:
                number = random.choice(self.numbers) if self.numbers else random.randrange(10)
                self.do(session.reply(number, b"answer", now))
            case 8 if self.up and self.traits.control:
                self.control()
            case 9 | 10 if not self.over:
                token = len(self.outcomes)
                self.outcomes[token] = []
                deadline = random.choice((None, now + random.random() * 5))
                self.do(
                    session.exchange.request(
                        token, b"request", now, deadline=deadline, repeat=random.choice((None, True))
                    )
                )
            case 11 if not self.over:
                self.do(session.exchange.send(b"message"))
            case 12 if self.up:
                match random.randrange(3):
                    case 0:
                        session.exchange.paused()
                    case 1:
                        self.do(session.exchange.resumed(now))
                    case _:
                        self.do(session.removed(now, random.random() < 0.5))
            case 13 if self.retired:
                retired = random.choice(list(self.retired))
                self.retirements += 1
                if random.random() < 0.2:
                    self.do(session.retirement.gone(retired, now))
                else:
                    number = random.choice([None, *self.retired[retired]])
                    self.do(session.retirement.message(retired, number, b"late"))
            case _:
                self.pass_time()

    def control(self) -> None:
        """A message of the control channel."""
        match self.random.randrange(4):
            case 0:
                self.cookie = b"cookie %d" % self.random.randrange(100)
                self.do(self.session.control(asap.Cookie(self.cookie), self.now))
            case 1:
                named = tuple(element(self.random.randrange(1, 8)) for _ in range(self.random.randrange(3)))
                card = asap.BusinessCard(b"pool", named, self.random.random() < 0.2)
                self.do(self.session.control(card, self.now))
            case 2:
                self.do(self.session.control(asap.BusinessCard(b"other", ()), self.now))
            case _:
                causes = (ErrorCause(CauseCode.REJECTED_FOR_SECURITY, b"no"),)
                self.do(self.session.control(asap.Error(causes), self.now))

    def pass_time(self) -> None:
        """To the next deadline, or a little less."""
        when = self.session.next_deadline()
        if when is not None and self.random.random() < 0.8:
            # It may be overdue: what it was about has happened since.
            self.now = max(self.now, min(when, self.now + 0.5))
        else:
            self.now += self.random.random() * 0.01
        self.do(self.session.tick(self.now))


class StormTests(SynchronousTestCase):
    """By seed."""

    def test_storms(self) -> None:
        ends = failovers = retirements = 0
        for seed in range(300):
            storm = Storm(self, seed)
            for _ in range(400):
                storm.step()
            ends += storm.over
            if not storm.over:
                storm.do(storm.session.close(storm.now))
            self.assertEqual(storm.over, 1, f"seed {seed}")
            self.assertIsInstance(storm.session.state, failover.Ended)
            self.assertIsNone(storm.session.next_deadline())
            self.assertRaises(SessionEnded, storm.session.exchange.send, b"late")
            for token, outcomes in storm.outcomes.items():
                self.assertEqual(len(outcomes), 1, f"seed {seed}, request {token}")
            failovers += storm.failovers
            retirements += storm.retirements
            self.assertEqual({}, storm.retired)
        self.assertGreater(ends, 20)
        self.assertGreater(failovers, 1000)
        self.assertGreater(retirements, 100)
