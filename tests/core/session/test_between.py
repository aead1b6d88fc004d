"""Between two elements: what a session takes along, and what is over (RFC 5352 section 3.8)."""

from __future__ import annotations

from rserpool.core import CauseCode
from rserpool.core.session.effects import Dial, HangUp, Over
from rserpool.core.user.trying import Ask
from rserpool.core.wire import asap
from rserpool.core.wire.causes import ErrorCause
from tests.core.session.stage import ASK, FRAMED, SessionCase, element


class BetweenTests(SessionCase):
    """From failure to failure."""

    def test_another_cookie_may_be_taken(self) -> None:
        """Who refused the last one is tried again with the next one."""
        session = self.at(FRAMED, 2, 3)
        session.control(asap.Cookie(b"cookie"), self.now)
        session.failed("killed", self.now)
        session.connected(FRAMED, self.now)
        refusal = asap.Error((ErrorCause(CauseCode.REJECTED_FOR_SECURITY, b"it is forged"),))
        self.assertEqual(session.control(refusal, self.now), [HangUp(), Dial(element(3), True)])
        session.connected(FRAMED, self.now)
        session.control(asap.Cookie(b"another"), self.now)
        session.data(b"", self.now)
        self.assertIn(ASK, session.failed("killed", self.now))
        self.assertEqual(session.resolved([element(2), element(3)], self.now), [Dial(element(2), True)])

    def test_its_patience_begins_anew(self) -> None:
        """Between any two elements it is as long, however long the one before served."""
        session = self.at(FRAMED)
        for number in (2, 3):
            self.now += 1000.0
            session.data(b"", self.now)
            self.assertEqual(session.failed("killed", self.now)[-1], ASK)
            session.resolved([element(number)], self.now)
            session.connected(FRAMED, self.now)

    def test_what_is_over_is_not_told(self) -> None:
        """The error at the end names those that failed since one was of use, and not those before it."""
        session = self.at(FRAMED, 2)
        session.failed("killed at the beginning", self.now)
        session.connected(FRAMED, self.now)
        session.data(b"of use", self.now)
        effects = session.failed("killed at the end", self.now)
        session.resolved([], self.now)
        while not any(isinstance(effect, Over) for effect in effects):
            self.now = session.next_deadline()
            effects = session.tick(self.now)
            if any(isinstance(effect, Ask) for effect in effects):
                effects = session.resolved([], self.now)
        [over] = [effect for effect in effects if isinstance(effect, Over)]
        self.assertIn("killed at the end", str(over.error))
        self.assertNotIn("at the beginning", str(over.error))
