"""A session on a stage: elements by number, time by hand."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter, PoolElementParameter, TcpTransport
from rserpool.core.session.effects import Served
from rserpool.core.session.pool_session import PoolSession
from rserpool.core.session.traits import Traits
from rserpool.core.user.trying import Ask

FRAMED = Traits(control=True, numbered=True, messages=True)
CONTROLLED = Traits(control=True, numbered=False, messages=True)
PLAIN = Traits(control=False, numbered=False, messages=True)
STREAM = Traits(control=False, numbered=False, messages=False)
ASK = Ask(30.0, False)


def element(number: int) -> PoolElementParameter:
    """An element of the pool."""
    return PoolElementParameter(number, 1, 60, TcpTransport(80, f"10.0.0.{number}"), PolicyParameter(1), framing=1)


class SessionCase(SynchronousTestCase):
    """One session."""

    def setUp(self) -> None:
        self.now = 100.0
        self.session: Any = self.open()

    def open(self, **options: Any) -> Any:
        """A session that has asked for its pool."""
        session = PoolSession(b"pool", **options)
        self.assertEqual(session.open(self.now), [ASK])
        return session

    def at(self, traits: Traits = FRAMED, *others: int, **options: Any) -> Any:
        """A session at element 1, with others in the pool."""
        session = self.session = self.open(**options)
        session.resolved([element(number) for number in (1, *others)], self.now)
        self.assertEqual(session.connected(traits, self.now), [Served(None, element(1))])
        return session

    def to_next(self, traits: Traits = FRAMED) -> list[Any]:
        """The element fails, and the next one accepts: what is sent there."""
        session = self.session
        effects = session.failed("killed", self.now)
        if any(isinstance(effect, Ask) for effect in effects):
            session.resolved([element(2), element(3)], self.now)
        return session.connected(traits, self.now)
