"""Sessions as their users see them, over TCP and SCTP in memory: requests, failover, deadlines, ends."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import RequestFailed, RequestTimeout, SessionEnded, SessionFull
from rserpool.session import Session, SessionFactory, SessionProtocol
from tests.session.scope import SessionCase


class Mute(SessionProtocol):
    """Takes requests, and keeps them: C{kept}."""

    kept: list[Any] = []

    def __init__(self, kept: list[Any]) -> None:
        self.kept = kept

    def messageReceived(self, data: bytes) -> None:
        self.kept.append((data, self.session.request))


class Both(SessionCase):
    """What is so over both transports."""

    def asked(self: Any) -> tuple[list[Any], Any, Any]:
        """What a mute element keeps, a session at it, and the request that it owes an answer."""
        kept: list[Any] = []
        self.scope.serve("a", lambda: Mute(kept))
        told = self.scope.session()
        answer = told.session.request(b"1")
        self.scope.until(lambda: kept)
        return kept, told, answer

    def test_a_request_is_answered(self: Any) -> None:
        self.scope.serve("a")
        told = self.scope.session()
        self.assertEqual(self.scope.result(told.session.request(b"hello")), b"a hello")
        self.assertEqual(self.scope.name(told.session.element), "a")

    def test_what_is_sent_before_there_is_an_element_waits(self: Any) -> None:
        """In the order in which it was sent, messages and requests alike."""
        self.scope.serve("a")
        told = self.scope.session()
        told.session.send(b"0")
        answer = told.session.request(b"1")
        answer.addCallback(lambda data: told.received.append(b"answer: " + data))
        told.session.send(b"2")
        self.scope.until(lambda: len(told.received) == 3)
        self.assertEqual(told.received, [b"a 0", b"answer: a 1", b"a 2"])

    def test_closing_when_a_request_fails(self: Any) -> None:
        """The next element, which the session would go on to at once, is not dialled any more."""
        kept: list[Any] = []
        built: list[Mute] = []

        def build() -> Mute:
            built.append(Mute(kept))
            return built[-1]

        self.scope.serve_each("ab", build)
        told = self.scope.session()
        failed = told.session.request(b"1").addErrback(lambda failure: told.session.close())
        self.scope.until(lambda: kept)
        self.scope.kill_serving(told.session)
        self.scope.result(failed)
        self.scope.advance(1.0)
        self.assertEqual((told.ended, told.failovers), ([None], []))
        self.assertEqual(len(built), 1)

    def test_message_boundaries_are_kept(self: Any) -> None:
        self.scope.serve("a")
        told = self.scope.session()
        sizes = [1, 60000, 2, 65000, 3]
        for size in sizes:
            told.session.send(bytes(size))
        self.scope.until(lambda: len(told.received) == len(sizes))
        self.assertEqual([len(message) - 2 for message in told.received], sizes)

    def test_goes_on_at_the_next_element(self: Any) -> None:
        """And says so once, with the old and the new one."""
        self.scope.serve_each("abc")
        told = self.scope.session(repeat=True)
        first = self.scope.result(told.session.request(b"1"))
        self.scope.dies(first[:1].decode())
        second = self.scope.result(told.session.request(b"2"))
        self.assertNotEqual(first[:1], second[:1])
        self.assertEqual(told.failovers, [(first[:1].decode(), second[:1].decode())])
        self.assertEqual(told.ended, [])

    def test_reports_the_element_that_failed(self: Any) -> None:
        """RFC 5352 section 3.5: the registrar asks it at once, and removes it."""
        self.scope.serve_each("ab")
        told = self.scope.session()
        self.scope.result(told.session.request(b"1"))
        self.scope.kill_serving(told.session)
        self.scope.until(lambda: told.failovers)
        self.scope.until(lambda: [self.scope.name(each) for each in told.pool] == [told.failovers[0][1]], 0.2)

    def test_an_unanswered_request_is_repeated(self: Any) -> None:
        """At the next element, which is told that it is so; the application gets one answer."""
        kept: dict[str, list[Any]] = {name: [] for name in "ab"}
        for name in "ab":
            self.scope.serve(name, lambda name=name: Mute(kept[name]))
        told = self.scope.session(repeat=True)
        answer = told.session.request(b"do it")
        self.scope.until(lambda: kept["a"] or kept["b"])
        first = "a" if kept["a"] else "b"
        second = "b" if kept["a"] else "a"
        self.scope.dies(first)
        self.scope.until(lambda: kept[second])
        (data, request), (_, given) = kept[second][0], kept[first][0]
        self.assertEqual((data, request.repeated, given.repeated), (b"do it", True, False))
        self.assertEqual(request.number, given.number)
        request.reply(b"done")
        request.reply(b"done again")
        self.assertEqual(self.scope.result(answer), b"done")
        self.scope.advance(0.1)
        self.assertEqual(told.received, [])

    def test_at_most_once(self: Any) -> None:
        """Without C{repeat} a request that was given to the dead element fails; one that waits does not."""
        kept: list[Any] = []
        self.scope.serve("a", lambda: Mute(kept))
        told = self.scope.session()
        self.scope.result(told.session.ready())
        self.scope.serve("b")
        lost = told.session.request(b"1")
        self.scope.until(lambda: kept)
        self.scope.dies("a")
        error = self.failure(lost, RequestFailed)
        self.assertRegex(str(error), "element 0x00000061 at .* failed before it answered; it may have done")
        self.assertTrue(error.perhaps_done)
        self.assertEqual(self.scope.result(told.session.request(b"2")), b"b 2")

    def test_a_request_says_for_itself_whether_it_is_repeated(self: Any) -> None:
        kept: list[Any] = []
        self.scope.serve("a", lambda: Mute(kept))
        told = self.scope.session(repeat=True)
        self.scope.result(told.session.ready())
        self.scope.serve("b")
        once, again = told.session.request(b"1", repeat=False), told.session.request(b"2")
        self.scope.until(lambda: len(kept) == 2)
        self.scope.dies("a")
        self.failure(once, RequestFailed)
        self.assertEqual(self.scope.result(again), b"b 2")

    def test_a_deadline(self: Any) -> None:
        """A late answer is nobody's, and no message either; the next request has its own answer."""
        kept: list[Any] = []
        self.scope.serve("a", lambda: Mute(kept))
        told = self.scope.session()
        self.scope.result(told.session.ready())
        began = self.scope.now
        error = self.failure(told.session.request(b"1", timeout=2.0), RequestTimeout)
        self.assertApproximates(self.scope.now - began, 2.0, 0.05)
        self.assertRegex(str(error), "element 0x00000061 at .* did not answer in time")
        following = told.session.request(b"2")
        self.scope.until(lambda: len(kept) == 2)
        for (_, request), answer in zip(kept, (b"late", b"in time"), strict=True):
            request.reply(answer)
        self.assertEqual(self.scope.result(following), b"in time")
        self.assertEqual(told.received, [])

    def test_cancelled(self: Any) -> None:
        kept, told, answer = self.asked()
        answer.cancel()
        self.failureResultOf(answer, CancelledError)
        kept[0][1].reply(b"late")
        self.scope.advance(0.1)
        self.assertEqual((told.received, told.ended), ([], []))

    def test_no_such_pool(self: Any) -> None:
        """A name that was never known is a mistake, and known at once."""
        told = self.scope.session("www")
        error = self.failure(told.session.request(b"1"), RequestFailed)
        self.assertIn("no pool is named 'www'", str(error))
        self.assertFalse(error.perhaps_done)
        self.assertRegex(str(told.ended[0]), "no pool is named 'www'")
        for late in (told.session.request(b"2"), told.session.ready(), told.session.drained()):
            self.failureResultOf(late, SessionEnded)
        self.assertRaisesRegex(SessionEnded, "no pool is named", told.session.send, b"3")

    def test_closed(self: Any) -> None:
        """Requests that wait fail; the element hears of the end; nothing comes any more."""
        kept, told, answer = self.asked()
        self.successResultOf(told.session.close())
        error = self.failureResultOf(answer, RequestFailed).value
        self.assertIn("the session was closed", str(error))
        self.scope.advance(0.1)
        self.assertEqual(len(self.scope.factories["a"].sessions), 0)
        self.assertEqual(told.ended, [None])
        self.successResultOf(told.session.close())
        self.assertRaises(SessionEnded, told.session.send, b"2")

    def test_ends_with_its_user_service(self: Any) -> None:
        self.scope.serve("a")
        user = self.scope.user().service
        told = self.scope.session(user=user)
        self.scope.result(told.session.ready())
        self.scope.result(user.stopService())
        self.assertEqual(told.ended, [None])
        self.assertRaises(RuntimeError, Session, user, "pool")

    def test_backpressure(self: Any) -> None:
        """Who sends more than is taken is told, may wait, and is refused in the end; nothing is lost."""
        self.scope.serve_each("ab")
        told = self.scope.session(repeat=True)
        self.scope.result(told.session.ready())
        count = 0
        while told.session.writable:
            told.session.send(b"%04d" % count + bytes(50000))
            count += 1
        drained = told.session.drained()
        self.assertNoResult(drained)
        with self.assertRaisesRegex(SessionFull, "bytes wait for an element already"):
            for _ in range(400):
                told.session.send(b"%04d" % count + bytes(50000))
                count += 1
        self.failureResultOf(told.session.request(bytes(60000)), SessionFull)
        self.scope.result(drained)
        self.scope.until(lambda: len(told.received) == count)
        self.assertEqual([int(message[2:6]) for message in told.received], list(range(count)))

    def test_stop_reading(self: Any) -> None:
        self.scope.serve("a")
        told = self.scope.session()
        told.session.stop_reading()
        told.session.send(b"1")
        self.scope.advance(0.5)
        self.assertEqual(told.received, [])
        told.session.start_reading()
        self.scope.until(lambda: told.received)

    def test_callbacks_that_fail_disturb_nobody(self: Any) -> None:
        self.scope.serve_each("ab")
        told = self.scope.session(repeat=True)

        def bad(*_: Any) -> None:
            raise ZeroDivisionError

        told.session.received = told.session.failed_over = told.session.ended = bad
        told.session.send(b"1")
        self.scope.result(told.session.request(b"2"))
        self.scope.kill_serving(told.session)
        self.scope.result(told.session.request(b"3"))
        self.successResultOf(told.session.close())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 3)


class TcpTests(Both, SynchronousTestCase):
    """Over TCP."""

    kind = "tcp"

    def test_a_frozen_element_is_left(self) -> None:
        """Its TCP connection stays up; the registrar notices."""
        self.scope.serve_each("ab")
        told = self.scope.session(repeat=True)
        first = self.scope.result(told.session.request(b"1"))[:1].decode()
        self.scope.freeze(self.scope.processes[first])
        second = self.scope.result(told.session.request(b"2"))[:1].decode()
        self.assertEqual(told.failovers, [(first, second)])

    def test_a_stream_of_bytes(self) -> None:
        """An element that offers nothing else gets the bytes alone; a request fails, and says why."""
        from twisted.internet.protocol import Factory
        from twisted.protocols.wire import Echo

        self.scope.serve("a", factory=Factory.forProtocol(Echo), framing=0)
        told = self.scope.session()
        early = told.session.request(b"1")
        told.session.send(b"he")
        told.session.send(b"llo")
        self.scope.until(lambda: b"".join(told.received) == b"hello")
        for answer in (early, told.session.request(b"2")):
            error = self.failureResultOf(answer, RequestFailed).value
            self.assertRegex(str(error), "element 0x00000061 at .* serves a stream of bytes")


class Foreign(SessionFactory):
    """It knows no pool, and sends no business card."""

    def serves_in(self, pools: Any) -> None:
        pass


class SctpTests(Both, SynchronousTestCase):
    """Over SCTP."""

    kind = "sctp"

    def test_requests_without_numbers(self) -> None:
        """A foreign element's messages answer in order; that of a request which is given up is dropped in its turn."""
        kept: list[Any] = []

        class Slow(SessionProtocol):
            def messageReceived(self, data: bytes) -> None:
                kept.append((data, self.session))

        self.scope.serve("a", factory=Foreign(Slow), framing=0)
        told = self.scope.session()
        first = told.session.request(b"1", timeout=1.0)
        second = told.session.request(b"2")
        self.failure(first, RequestTimeout)
        for answer in (b"one", b"two", b"three"):
            kept[0][1].reply(answer)
        self.assertEqual(self.scope.result(second), b"two")
        self.scope.until(lambda: told.received)
        self.assertEqual(told.received, [b"three"])
