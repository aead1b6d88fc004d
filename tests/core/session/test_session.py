"""The core of a session: messages and time in, effects out (RFC 5352 sections 3.8, 3.9, 6.5)."""

from __future__ import annotations

from typing import Any

from rserpool.core import (
    CauseCode,
    ElementError,
    NoRegistrar,
    RequestFailed,
    SessionEnded,
    SessionFull,
    UnknownPool,
)
from rserpool.core.session.effects import (
    Answered,
    Deliver,
    Dial,
    HangUp,
    Notice,
    Over,
    ProbeLink,
    SayGoodbye,
    SendControl,
    SendData,
    SendRequest,
    Served,
    Unanswered,
)
from rserpool.core.session.lateness import LATE
from rserpool.core.session.outbox import LONGEST_QUEUE
from rserpool.core.user.trying import Report
from rserpool.core.wire import asap
from rserpool.core.wire.causes import ErrorCause
from rserpool.core.wire.private import REQUEST_FAILED, encode_failure
from tests.conformance import rfc
from tests.core.session.stage import ASK, CONTROLLED, FRAMED, PLAIN, STREAM, SessionCase, element


class CoreTests(SessionCase):
    """One session, step by step."""

    # 6.5.1: before there is an element

    @rfc("5352", "6.5.1", "MUST hold the outbound message in queue", "ENRP server responds SHOULD also be queued")
    def test_what_is_sent_before_the_pool_is_resolved_is_held(self) -> None:
        """And goes out in order once an element is connected."""
        session = self.session
        self.assertEqual(session.exchange.send(b"1"), [])
        self.assertEqual(session.exchange.request("token", b"2", self.now), [])
        self.assertEqual(session.exchange.send(b"3"), [])
        self.assertEqual(session.resolved([element(1), element(2)], self.now), [Dial(element(1), False)])
        self.assertEqual(session.exchange.send(b"4"), [])
        self.assertEqual(
            session.connected(FRAMED, self.now),
            [
                SendData(b"1"),
                SendRequest(1, b"2", False),
                SendData(b"3"),
                SendData(b"4"),
                Served(None, element(1)),
            ],
        )

    def test_the_queue_is_bounded(self) -> None:
        session = self.session
        session.exchange.send(bytes(LONGEST_QUEUE))
        self.assertRaises(SessionFull, session.exchange.send, b"1")
        self.assertRaises(SessionFull, session.exchange.request, "token", b"1", self.now)

    def test_a_pool_that_never_was(self) -> None:
        [over] = self.session.unresolved(UnknownPool(b"pool"), self.now)
        self.assertEqual(str(over.error), "no pool is named 'pool' (cause 0x9)")
        self.assertRaises(SessionEnded, self.session.exchange.send, b"1")
        self.assertEqual(self.session.close(self.now), [])

    def test_no_registrar(self) -> None:
        """The session goes on asking for as long as its patience lasts."""
        session = self.session
        asked = 0
        over: list[Any] = []
        while not over:
            effects = session.unresolved(NoRegistrar("nobody there"), self.now)
            while effects == []:
                self.now = session.next_deadline()
                effects = session.tick(self.now)
            asked += 1
            over = [effect for effect in effects if isinstance(effect, Over)]
        self.assertApproximates(self.now, 130.0, 1.0)
        self.assertGreater(asked, 25)
        self.assertIn("could be used for 30 s: the registrar: nobody there", str(over[0].error))

    # 3.8 and 6.5.5: failover

    @rfc("5355", "2.9.3", "SHOULD be notified when failover occurs")
    @rfc("5352", "3.8", "discards an older cookie")
    @rfc("5352", "3.8", "SHOULD send the latest received cookie")
    @rfc("5352", "6.5.5", "SHOULD re-select an alternate PE")
    def test_failover(self) -> None:
        """Report, dial the next one, give it the last cookie first, then what the dead one left unanswered."""
        session = self.at(FRAMED, 2, repeat=True)
        session.exchange.request("done", b"1", self.now)
        self.assertEqual(session.reply(1, b"one", self.now), [Answered("done", b"one")])
        session.control(asap.Cookie(b"old"), self.now)
        session.exchange.request("open", b"2", self.now)
        session.control(asap.Cookie(b"new"), self.now)
        self.assertEqual(session.failed("killed", self.now), [Report(element(1)), ASK])
        session.exchange.send(b"meanwhile")
        self.assertEqual(session.resolved([element(1), element(2)], self.now), [Dial(element(2), True)])
        self.assertEqual(
            session.connected(FRAMED, self.now),
            [
                SendControl(asap.CookieEcho(b"new")),
                SendRequest(2, b"2", True),
                SendData(b"meanwhile"),
                Served(element(1), element(2)),
            ],
        )
        self.assertEqual(session.reply(2, b"two", self.now), [Answered("open", b"two")])
        self.assertEqual(session.reply(2, b"two", self.now), [])

    def test_an_element_that_fails_before_it_was_of_use(self) -> None:
        """The next one that is known already, without a pause; then all again, after one."""
        session = self.at(FRAMED, 2)
        self.assertEqual(session.failed("killed", self.now), [Report(element(1)), Dial(element(2), False)])
        session.connected(FRAMED, self.now)
        self.assertEqual(session.failed("killed", self.now), [Report(element(2))])
        self.now += 0.05
        [asked] = session.tick(self.now)
        self.assertTrue(asked.fresh)

    @rfc("5352", "3.9", "A PU should send an ASAP_BUSINESS_CARD")
    @rfc("5352", "3.9", "MUST ONLY be sent if a control channel exists")
    def test_no_control_channel(self) -> None:
        """No cookie and no card is sent; whoever runs this is told about the cookie."""
        card = asap.BusinessCard(b"mine", ())
        session = self.session = self.open(card=card)
        session.resolved([element(1), element(2)], self.now)
        self.assertEqual(session.connected(FRAMED, self.now), [SendControl(card), Served(None, element(1))])
        session.control(asap.Cookie(b"cookie"), self.now)
        session.failed("killed", self.now)
        [notice, served] = session.connected(PLAIN, self.now)
        self.assertIsInstance(notice, Notice)
        self.assertEqual(served, Served(element(1), element(2)))
        self.assertEqual(session.introduce(card), [])

    @rfc("5352", "3.9", "BC2) Unpack")
    @rfc("5352", "3.9", "the receiving ASAP Endpoint SHOULD")
    @rfc("5352", "4", "SHOULD support the handling of ASAP_COOKIE")
    def test_a_business_card_is_the_list_of_alternates(self) -> None:
        session = self.at(FRAMED, 2, 3, 4)
        session.reply(9, b"", self.now)
        self.assertEqual(session.control(asap.BusinessCard(b"pool", (element(4), element(3))), self.now), [])
        session.failed("killed", self.now)
        pool = [element(number) for number in (1, 2, 3, 4)]
        self.assertEqual(session.resolved(pool, self.now), [Dial(element(4), False)])
        self.assertEqual(session.failed("refused", self.now), [Report(element(4)), Dial(element(3), False)])

    def test_a_card_before_anything_else_came(self) -> None:
        """Also counts for the alternates that are being tried."""
        session = self.at(FRAMED, 2, 3, 4)
        session.control(asap.BusinessCard(b"pool", (element(4),), True), self.now)
        self.assertEqual(session.failed("killed", self.now), [Report(element(1)), Dial(element(4), False)])

    def test_a_refused_cookie(self) -> None:
        session = self.at(FRAMED, 2, 3)
        session.control(asap.Cookie(b"cookie"), self.now)
        session.failed("killed", self.now)
        session.connected(FRAMED, self.now)
        refusal = asap.Error((ErrorCause(CauseCode.REJECTED_FOR_SECURITY, b"it is forged"),))
        self.assertEqual(session.control(refusal, self.now), [HangUp(), Dial(element(3), True)])
        session.connected(FRAMED, self.now)
        self.assertEqual(session.control(refusal, self.now), [HangUp()])

    def test_an_error_without_a_cookie_is_a_notice(self) -> None:
        session = self.at()
        refusal = asap.Error((ErrorCause(CauseCode.REJECTED_FOR_SECURITY, b"no"),))
        self.assertIsInstance(session.control(refusal, self.now)[0], Notice)

    # Requests

    def test_at_most_once(self) -> None:
        session = self.at(FRAMED, 2)
        session.exchange.request("given", b"1", self.now)
        session.exchange.paused()
        session.exchange.request("waits", b"2", self.now)
        [failed, *_] = session.failed("killed", self.now)
        self.assertEqual(failed.token, "given")
        self.assertTrue(failed.error.perhaps_done)
        self.assertEqual(session.connected(FRAMED, self.now)[0], SendRequest(2, b"2", False))

    def test_order_across_a_failover(self) -> None:
        """What an element was given comes before what waited."""
        session = self.at(FRAMED, 2, repeat=True)
        session.exchange.request("a", b"1", self.now)
        session.exchange.paused()
        session.exchange.send(b"2")
        session.exchange.request("b", b"3", self.now)
        sent = self.to_next()
        self.assertEqual(sent[:3], [SendRequest(1, b"1", True), SendData(b"2"), SendRequest(2, b"3", False)])

    def test_answers_in_order_where_there_are_no_numbers(self) -> None:
        session = self.at(CONTROLLED)
        self.assertEqual(session.data(b"hello", self.now), [Deliver(b"hello")])
        session.exchange.request("a", b"1", self.now, deadline=self.now + 1)
        session.exchange.request("b", b"2", self.now)
        [late] = [effect for effect in session.tick(self.now + 1) if isinstance(effect, Unanswered)]
        self.assertEqual(late.token, "a")
        self.assertEqual(session.data(b"one", self.now), [])
        self.assertEqual(session.data(b"two", self.now), [Answered("b", b"two")])
        self.assertEqual(session.data(b"three", self.now), [Deliver(b"three")])

    def test_a_stream_has_no_requests(self) -> None:
        session = self.session
        session.exchange.request("a", b"1", self.now)
        session.exchange.send(b"2")
        session.resolved([element(1)], self.now)
        [failed, data, _] = session.connected(STREAM, self.now)
        self.assertIsInstance(failed.error, RequestFailed)
        self.assertEqual(data, SendData(b"2"))

    def test_a_late_answer_is_worth_a_probe(self) -> None:
        """Again and again, after a while each time after twice as long; an answer resets that."""
        session = self.at()
        session.exchange.request("a", b"1", self.now)
        began = self.now
        for patience in (1, 2, 3, 4, 5, 7, 11, 19):
            self.now = session.next_deadline()
            self.assertApproximates(self.now - began, patience * LATE, 0.0001)
            self.assertEqual(session.tick(self.now), [ProbeLink()])
        session.reply(1, b"", self.now)
        session.exchange.request("b", b"2", self.now)
        self.assertApproximates(session.next_deadline() - self.now, LATE, 0.0001)

    def test_a_request_goes_to_so_many_elements(self) -> None:
        session = self.at(FRAMED, 2, 3, repeat=True, attempts=2)
        session.exchange.request("a", b"1", self.now)
        self.to_next()
        [failed] = [effect for effect in session.failed("killed", self.now) if isinstance(effect, Unanswered)]
        self.assertIn("2 elements were given this request", str(failed.error))

    def test_who_leaves_is_no_victim(self) -> None:
        """An element that took its leave did not break over a request."""
        session = self.at(FRAMED, 2, 3, repeat=True, attempts=1)
        session.exchange.request("a", b"1", self.now)
        effects = session.failed("it took its leave", self.now, broken=False)
        self.assertEqual([], [effect for effect in effects if isinstance(effect, Unanswered)])

    def test_an_application_that_fails(self) -> None:
        """The answer is an error; of a version that is not known it is a notice."""
        session = self.at(FRAMED, 2, repeat=True)
        session.exchange.request("a", b"1", self.now)
        unknown = ErrorCause(REQUEST_FAILED, bytes([2]) + encode_failure(1, "no")[1:])
        [notice] = session.control(asap.Error((unknown,)), self.now)
        self.assertIn("reports an error", notice.text)
        failed = asap.Error((ErrorCause(REQUEST_FAILED, encode_failure(1, "no such record")),))
        received: Any = asap.decode(asap.encode(failed)).message
        [told] = session.control(received, self.now)
        self.assertIsInstance(told.error, ElementError)
        self.assertEqual(("a", "element 0x00000001 at 10.0.0.1:80: no such record"), (told.token, str(told.error)))
        # Nobody waits for it any more.
        self.assertEqual([], session.control(received, self.now))

    def test_closing(self) -> None:
        session = self.at()
        session.exchange.request("a", b"1", self.now)
        [goodbye, failed, over] = session.close(self.now)
        self.assertEqual((goodbye, failed.token, over), (SayGoodbye(), "a", Over(None)))
        self.assertEqual(session.tick(self.now + 100), [])
        self.assertEqual(session.failed("lost", self.now), [])
        self.assertIsNone(session.next_deadline())
