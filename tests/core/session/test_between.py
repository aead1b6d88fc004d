"""Between two elements: what a session takes along, and what is over (RFC 5352 section 3.8)."""

from __future__ import annotations

from rserpool.core import CauseCode, ElementError
from rserpool.core.session.effects import (
    Answered,
    Deliver,
    Dial,
    HangUp,
    Notice,
    Over,
    Release,
    Retire,
    SayGoodbye,
    SendRequest,
)
from rserpool.core.session.lateness import LATE
from rserpool.core.session.pool_session import LEAVING
from rserpool.core.user.trying import Ask
from rserpool.core.wire import asap
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.private import REQUEST_FAILED, encode_failure
from tests.core.session.stage import ASK, CONTROLLED, FRAMED, SessionCase, element


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

    def test_one_that_leaves_by_itself(self) -> None:
        """It answers all that it was asked, for the last cookie is waited for; then the session goes on elsewhere."""
        session = self.at(FRAMED, 2, repeat=True)
        session.control(asap.Cookie(b"cookie"), self.now)
        session.exchange.request("a", b"1", self.now)
        self.assertEqual(session.removed(self.now, dead=False), [])
        answered, *left = session.reply(1, b"one", self.now)
        self.assertEqual(answered, Answered("a", b"one"))
        self.assertEqual(left[0], SayGoodbye())

    def test_one_that_died(self) -> None:
        """What another one may be asked is not waited for; what only it may answer is, for a second."""
        session = self.at(FRAMED, 2, repeat=True)
        session.control(asap.Cookie(b"cookie"), self.now)
        session.exchange.request("a", b"1", self.now)
        self.assertEqual(session.removed(self.now)[0], SayGoodbye())
        session = self.at(FRAMED, 2)
        session.control(asap.Cookie(b"cookie"), self.now)
        session.exchange.request("a", b"1", self.now)
        self.assertEqual(session.removed(self.now), [])
        self.assertNotIn(SayGoodbye(), session.tick(self.now + 0.99 * LEAVING))
        self.assertIn(SayGoodbye(), session.tick(self.now + LEAVING))

    def test_one_that_leaves_fails_at_a_request(self) -> None:
        """Its application does, and says so in place of the answer: once, and of what it was asked."""
        session = self.at(FRAMED, 2)
        session.exchange.request("a", b"1", self.now)
        [retire] = [each for each in session.removed(self.now, dead=False) if isinstance(each, Retire)]
        failure = asap.Error((ErrorCause(REQUEST_FAILED, encode_failure(7, "no such record")),))
        self.assertEqual(session.retirement.control(retire.retired, failure), [])
        failure = asap.Error((ErrorCause(REQUEST_FAILED, encode_failure(1, "no such record")),))
        failed, released = session.retirement.control(retire.retired, failure)
        self.assertEqual((failed.token, type(failed.error)), ("a", ElementError))
        self.assertEqual(released, Release(retire.retired))

    def test_one_that_left_says_something_late(self) -> None:
        """Its time is over, and another one has its request: what it says then is no answer any more."""
        session = self.at(FRAMED, 2, repeat=True)
        session.exchange.request("a", b"1", self.now)
        [retire] = [each for each in session.removed(self.now, dead=False) if isinstance(each, Retire)]
        session.resolved([element(2)], self.now)
        session.connected(FRAMED, self.now)
        self.assertIn(SendRequest(1, b"1", True), session.retirement.gone(retire.retired, self.now))
        self.assertEqual(session.retirement.message(retire.retired, 1, b"late"), [])
        self.assertEqual(session.reply(1, b"one", self.now)[0], Answered("a", b"one"))

    def test_refused_after_it_was_of_use(self) -> None:
        """What it refuses then is not the cookie, which it took: that is a notice."""
        session = self.at(FRAMED, 2, 3)
        session.control(asap.Cookie(b"cookie"), self.now)
        session.failed("killed", self.now)
        session.connected(FRAMED, self.now)
        session.data(b"of use", self.now)
        refusal = asap.Error((ErrorCause(CauseCode.REJECTED_FOR_SECURITY, b"not you"),))
        self.assertEqual([type(each) for each in session.control(refusal, self.now)], [Notice])

    def test_who_reads_again_is_given_nothing_that_is_held(self) -> None:
        """An element that leaves is asked nothing more, also when it reads again; nor is one that is gone."""
        session = self.at(FRAMED, 2)
        session.control(asap.Cookie(b"cookie"), self.now)
        session.exchange.request("a", b"1", self.now)
        self.assertEqual(session.removed(self.now, dead=False), [])
        session.exchange.paused()
        self.assertEqual(session.exchange.resumed(self.now), [])
        self.assertEqual(session.exchange.request("b", b"2", self.now), [])
        session.failed("killed", self.now)
        self.assertEqual(session.exchange.resumed(self.now), [])

    def test_lateness_begins_anew(self) -> None:
        """All was answered, and at once something is owed again: that may be late, too."""
        session = self.at(FRAMED)
        for number, token in enumerate("ab", 1):
            session.exchange.request(token, b"", self.now)
            self.assertApproximates(session.next_deadline(), self.now + LATE, 1e-9)
            session.reply(number, b"", self.now)
            session.tick(self.now)

    def test_lateness_of_the_next_element(self) -> None:
        """It is given the request at once, and its answer may be late as that of the one before."""
        session = self.at(FRAMED, 2, repeat=True)
        session.exchange.request("a", b"1", self.now)
        self.assertEqual(self.to_next()[0], SendRequest(1, b"1", True))
        self.assertApproximates(session.next_deadline(), self.now + LATE, 1e-9)

    def test_what_the_one_before_owed(self) -> None:
        """Where answers have no numbers: what the next element says is no answer to what another one was asked."""
        session = self.at(CONTROLLED, 2)
        session.exchange.request("a", b"1", self.now)
        self.to_next(CONTROLLED)
        self.assertEqual(session.data(b"hello", self.now), [Deliver(b"hello")])
        session.exchange.request("b", b"2", self.now)
        self.assertEqual(session.data(b"two", self.now), [Answered("b", b"two")])
