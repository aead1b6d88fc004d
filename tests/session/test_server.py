"""The element's side of sessions: answers at once and later, leave-taking, users that read too slowly."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, NotACoroutineError, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError, ElementError
from rserpool.core.wire import asap
from rserpool.session import SessionFactory, SessionProtocol
from tests.session.scope import Echo, SessionCase


class Slow(SessionProtocol):
    """Answers when C{answers} fire, by whatever way it is told to."""

    def __init__(self, answers: list[Deferred[Any]]) -> None:
        self._answers = answers

    def messageReceived(self, data: bytes) -> Any:
        waiting: Deferred[Any] = Deferred()
        self._answers.append(waiting)
        if data == b"coroutine":
            return self._later(waiting)
        if data == b"kept":
            request = self.session.request
            waiting.addCallback(lambda answer: request.reply(answer) if request else self.session.send(answer))
            return None
        return waiting

    async def _later(self, waiting: Deferred[Any]) -> bytes:
        return b"async " + await waiting


class Refusing(SessionProtocol):
    """Refuses what it is asked, in each way."""

    def messageReceived(self, data: bytes) -> Any:
        error = ElementError("no such record")
        if data == b"now":
            raise error
        if data == b"later":
            return fail(error)
        assert self.session.request is not None
        self.session.request.fail(str(error))
        return None


class Wrong(SessionProtocol):
    """Answers with what is none."""

    def messageReceived(self, data: bytes) -> Any:
        long = bytes(1 << 24)
        return {b"long": long, b"text": "text", b"later": succeed(long)}.get(data, data)


class Greeting(Echo):
    """Speaks first, and says what happens to it."""

    def sessionStarted(self, state: bytes | None) -> None:
        super().sessionStarted(state)
        self.session.send(b"welcome")


class Flooding(SessionProtocol):
    """Sends and sends, as long as it may."""

    def __init__(self, sent: list[int]) -> None:
        self._sent = sent
        self._paused = False

    def messageReceived(self, data: bytes) -> None:
        while not self._paused:
            self._sent.append(1)
            self.session.send(bytes(20000))

    def sendingPaused(self) -> None:
        self._paused = True

    def sendingResumed(self) -> None:
        self._paused = False


class Both(SessionCase):
    """What is so over both transports."""

    def test_answers_that_come_later(self: Any) -> None:
        """In any order: a Deferred, a coroutine, and a request that was kept."""
        answers: list[Deferred[Any]] = []
        self.scope.serve("a", lambda: Slow(answers))
        told = self.scope.session()
        asked = [told.session.request(each) for each in (b"deferred", b"coroutine", b"kept")]
        self.scope.until(lambda: len(answers) == 3)
        for number in (2, 0, 1):
            answers[number].callback(b"%d" % number)
        self.assertEqual([self.scope.result(each) for each in asked], [b"0", b"async 1", b"2"])

    def test_a_message_may_be_answered_too(self: Any) -> None:
        """What is returned for a message without a request is a message."""
        answers: list[Deferred[Any]] = []
        self.scope.serve("a", lambda: Slow(answers))
        told = self.scope.session()
        told.session.send(b"deferred")
        told.session.send(b"kept")
        self.scope.until(lambda: len(answers) == 2)
        for answer in answers:
            answer.callback(b"done")
        self.scope.until(lambda: len(told.received) == 2)

    def test_an_answer_that_fails(self: Any) -> None:
        """Is an answer: the request fails, once; the session goes on, and nobody is reported."""
        answers: list[Deferred[Any]] = []
        self.scope.serve("a", lambda: Slow(answers))
        told = self.scope.session(repeat=True)
        asked, other = (told.session.request(each) for each in (b"deferred", b"coroutine"))
        self.scope.until(lambda: len(answers) == 2)
        self.scope.serve("b")
        fail(ZeroDivisionError("a secret")).chainDeferred(answers[0])
        with self.assertRaises(ElementError) as raised:
            self.scope.result(asked)
        self.assertRegex(str(raised.exception), "element 0x00000061 at 10.0.1.1:80.*: its application failed$")
        self.assertTrue(raised.exception.perhaps_done)
        answers[1].callback(b"1")
        self.assertEqual(self.scope.result(other), b"async 1")
        self.assertEqual((told.failovers, len(answers)), ([], 2))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual([], self.scope.trace.messages(kind=asap.EndpointUnreachable))

    def test_an_application_says_why(self: Any) -> None:
        """An L{ElementError} is told as it is, and not logged; so is what a request that was kept says."""
        self.scope.serve("a", Refusing)
        session = self.scope.session(repeat=True).session
        for request in (b"now", b"later", b"kept"):
            with self.assertRaises(ElementError) as raised:
                self.scope.result(session.request(request))
            self.assertIn(": no such record", str(raised.exception))

    def test_answers_that_are_none(self: Any) -> None:
        """What the transport does not take, and what is no answer at all, fails the request and nothing else."""
        self.scope.serve("a", lambda: Wrong())
        session = self.scope.session().session
        for request in (b"long", b"text", b"later"):
            with self.assertRaises(ElementError):
                self.scope.result(session.request(request))
        self.assertEqual(self.scope.result(session.request(b"fine")), b"fine")
        self.assertEqual(len(self.flushLoggedErrors(ValueError, TypeError, AttributeError, NotACoroutineError)), 3)

    def test_a_message_that_fails(self: Any) -> None:
        """It cannot be answered: the session ends here, and goes on elsewhere; nobody is reported over TCP, where a
        farewell can be said."""
        self.scope.serve("a", Wrong)
        told = self.scope.session(repeat=True)
        self.scope.result(told.session.ready())
        self.scope.serve("b")
        told.session.send(b"long")
        self.scope.until(lambda: told.failovers)
        self.assertEqual(self.scope.result(told.session.request(b"2")), b"b 2")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        if self.kind == "tcp":
            self.assertEqual([], self.scope.trace.messages(kind=asap.EndpointUnreachable))

    def test_an_answer_after_the_session_left(self: Any) -> None:
        """Nobody's: nothing happens."""
        answers: list[Deferred[Any]] = []
        self.scope.serve("a", lambda: Slow(answers))
        told = self.scope.session()
        told.session.request(b"deferred").addErrback(lambda _: None)
        told.session.request(b"kept").addErrback(lambda _: None)
        self.scope.until(lambda: len(answers) == 2)
        told.session.close()
        self.scope.advance(0.2)
        for answer in answers:
            answer.callback(b"late")
        self.assertEqual(told.received, [])

    def test_goes_elsewhere_without_being_reported(self: Any) -> None:
        """The user moves, and the registrar hears nothing: both elements stay in the pool."""
        self.scope.serve("a")
        told = self.scope.session(repeat=True)
        self.scope.result(told.session.request(b"1"))
        self.scope.serve("b")
        reports: list[int] = []
        told.session._user.report = lambda pool, identifier: reports.append(identifier)
        for session in list(self.scope.factories["a"].sessions):
            session.go_elsewhere()
        self.assertEqual(self.scope.result(told.session.request(b"2")), b"b 2")
        self.assertEqual((told.failovers, reports), ([("a", "b")], []))

    def test_a_user_that_reads_too_slowly(self: Any) -> None:
        """The element is told to stop; what it sent arrives when the user reads."""
        sent: list[int] = []
        self.scope.serve("a", lambda: Flooding(sent))
        told = self.scope.session()
        self.scope.result(told.session.ready())
        told.session.stop_reading()
        told.session.send(b"go")
        self.scope.advance(1.0)
        self.assertGreater(len(sent), 1)
        told.session.start_reading()
        self.scope.until(lambda: len(told.received) == len(sent))

    def test_what_an_element_knows_of_its_session(self: Any) -> None:
        seen: list[Any] = []

        class Curious(SessionProtocol):
            def messageReceived(self, data: bytes) -> None:
                seen.append((self.session.pool, self.session.peer is not None, self.factory))

        self.scope.serve("a", Curious)
        told = self.scope.session()
        told.session.send(b"1")
        self.scope.until(lambda: seen)
        self.assertEqual(seen, [(b"pool", True, self.scope.factories["a"])])
        self.assertEqual(repr(self.scope.factories["a"]), "<SessionFactory of pool>")
        self.assertEqual(repr(told.session), "<Session with 'pool': Unproven>")


class TcpTests(Both, SynchronousTestCase):
    """Over TCP."""

    kind = "tcp"

    def test_speaks_first(self) -> None:
        """The user's hello is enough."""
        self.scope.serve("a", lambda: Greeting(b"a", []))
        told = self.scope.session()
        self.scope.until(lambda: told.received)
        self.assertEqual(told.received, [b"welcome"])


class SctpTests(Both, SynchronousTestCase):
    """Over SCTP."""

    kind = "sctp"

    def test_speaks_first(self) -> None:
        """Over SCTP there is no hello: a service that wants to speak first says so."""
        self.scope.serve("a", lambda: Greeting(b"a", []), speaks_first=True)
        told = self.scope.session()
        self.scope.until(lambda: told.received)
        self.assertEqual(told.received, [b"welcome"])

    def test_payload_protocol_identifiers(self) -> None:
        """11 is ASAP's, and ours are ours; any other is an application's."""
        for ppid in (11, 0x52535004, 0x52535007):
            for make in (lambda **it: SessionFactory(SessionProtocol, **it), self.scope.session):
                self.assertRaisesRegex(ConfigurationError, "not for messages of applications", make, ppid=ppid)
