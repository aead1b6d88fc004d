"""Elements that are of no use, and pools that are empty: each ends well, or with a clear error."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ElementError, RequestFailed, RequestTimeout, SessionEnded
from rserpool.core.wire.frames import Hello
from rserpool.session import SessionProtocol, UnsignedCookies
from tests.session.scope import Echo, SessionCase, SessionScope


class Silent(Protocol):
    """Accepts, and says nothing."""


class Shouting(Protocol):
    """Speaks something else."""

    def connectionMade(self) -> None:
        self.transport.write(b"220 mail.example.org ESMTP\r\n")  # type: ignore[union-attr]


class Future(Protocol):
    """Speaks a version that nobody knows yet."""

    def connectionMade(self) -> None:
        self.transport.write(Hello(version=2).encode())  # type: ignore[union-attr]


class OneEach(Echo):
    """Closes after each message."""

    def messageReceived(self, data: bytes) -> None:
        super().messageReceived(data)
        self.session.close()


class Closing(SessionProtocol):
    """Closes when it is asked anything, without an answer."""

    def messageReceived(self, data: bytes) -> None:
        self.session.close()


class Failing(SessionProtocol):
    """Cannot handle anything."""

    def messageReceived(self, data: bytes) -> None:
        raise ZeroDivisionError


class Dying(SessionProtocol):
    """Breaks without an answer, as a process that is killed by what it reads."""

    def messageReceived(self, data: bytes) -> None:
        self.session.abort()


class Leaving(SessionProtocol):
    """Sends everybody elsewhere."""

    def messageReceived(self, data: bytes) -> None:
        self.session.go_elsewhere()


class Poisoned(SessionProtocol):
    """Leaves a state that no element can go on with."""

    def sessionStarted(self, state: bytes | None) -> None:
        if state is not None:
            raise ZeroDivisionError

    def messageReceived(self, data: bytes) -> bytes:
        self.session.set_state(b"poison")
        return data


class Never(SessionProtocol):
    """Takes requests, and never answers."""


class Both(SessionCase):
    """What is so over both transports."""

    def test_accepts_and_never_answers(self: Any) -> None:
        """The deadline of the request ends it, with a sentence that names the element."""
        self.scope.serve("a", Never)
        told = self.scope.session(repeat=True)
        error = self.failure(told.session.request(b"1", timeout=3.0), RequestTimeout)
        self.assertRegex(str(error), "element 0x00000061 at 10.0.1.1:80.* did not answer in time")
        self.assertEqual(told.ended, [])

    def test_silence_may_count_as_failure(self: Any) -> None:
        self.scope.serve("a", Never)
        told = self.scope.session(repeat=True, silence=0.5)
        self.scope.result(told.session.ready())
        self.scope.serve("b")
        self.assertEqual(self.scope.result(told.session.request(b"1", timeout=3.0)), b"b 1")
        self.assertEqual(told.failovers, [("a", "b")])

    def test_closes_after_each_message(self: Any) -> None:
        """Every answer comes, and every failover is told."""
        for name in "ab":
            self.scope.serve(name, lambda name=name: OneEach(name.encode(), []))
        told = self.scope.session(repeat=True)
        answers = [self.scope.result(told.session.request(b"%d" % number))[2:] for number in range(6)]
        self.assertEqual(answers, [b"%d" % number for number in range(6)])
        self.assertIn(len(told.failovers), (5, 6))

    def test_closes_instead_of_answering(self: Any) -> None:
        """A request that so many elements were given and none answered fails; the session does not spin."""
        self.scope.serve_each("ab", Closing)
        told = self.scope.session(repeat=True, attempts=5)
        error = self.failure(told.session.request(b"1"), RequestFailed)
        self.assertIn("5 elements were given this request, and none answered", str(error))
        self.assertTrue(error.perhaps_done)
        error = self.failure(self.scope.session(attempts=5).session.request(b"1"), RequestFailed)
        self.assertIn("failed before it answered", str(error))

    def test_an_element_that_fails_at_each_message(self: Any) -> None:
        """Says so, and the request that it fails at is given to no other."""
        self.scope.serve_each("abc", Failing)
        told = self.scope.session(repeat=True, patience=5.0)
        self.failure(told.session.request(b"1"), ElementError)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_request_that_kills_elements(self: Any) -> None:
        """Three, and not all of them; those that leave are no victims of it."""
        self.scope.serve_each("abcdef", Dying)
        told = self.scope.session(repeat=True)
        error = self.failure(told.session.request(b"1"), RequestFailed)
        self.assertIn("3 elements were given this request, and none answered", str(error))
        self.scope = SessionScope(self, self.kind)
        self.scope.serve_each("abcdef", Leaving)
        self.scope.serve("g")
        told = self.scope.session(repeat=True)
        self.assertEqual(b"g 1", self.scope.result(told.session.request(b"1")))

    def test_a_state_that_elements_fail_at(self: Any) -> None:
        """Each is tried once, then the session is over."""
        for name in "abc":
            self.scope.serve(name, Poisoned, cookies=UnsignedCookies())
        told = self.scope.session(repeat=True)
        self.scope.result(told.session.request(b"1"))
        told.session.fail_over()
        error = self.failure(told.session.request(b"2"), RequestFailed)
        self.assertIn("its application failed at the session's state", str(error))
        self.assertLess(len(self.flushLoggedErrors(ZeroDivisionError)), 4)

    def test_an_empty_pool_for_ten_seconds(self: Any) -> None:
        """All elements die, and one comes ten seconds later: nothing is lost."""
        self.scope.serve_each("ab")
        told = self.scope.session(repeat=True)
        self.scope.result(told.session.request(b"1"))
        self.scope.dies("a")
        self.scope.dies("b")
        self.scope.until(lambda: told.session.element is None)
        answer = told.session.request(b"2")
        told.session.send(b"3")
        self.scope.advance(10.0)
        self.assertNoResult(answer)
        self.scope.serve("c")
        self.assertEqual(self.scope.result(answer), b"c 2")
        self.scope.until(lambda: told.received)
        self.assertEqual(told.received, [b"c 3"])
        self.assertEqual(told.failovers[-1][1], "c")

    def test_an_empty_pool_for_too_long(self: Any) -> None:
        self.scope.serve("a")
        told = self.scope.session(repeat=True, patience=10.0)
        self.scope.result(told.session.request(b"1"))
        self.scope.dies("a")
        self.scope.until(lambda: told.session.element is None)
        began = self.scope.now
        answer = told.session.request(b"2")
        self.scope.until(lambda: told.ended)
        self.assertApproximates(self.scope.now - began, 10.0, 1.1)
        why = "no element of pool 'pool' could be used for 10 s: .*no pool is named 'pool'"
        self.assertRegex(str(told.ended[0]), why)
        self.assertIn("the session is over", str(self.failureResultOf(answer, RequestFailed).value))


class TcpTests(Both, SynchronousTestCase):
    """Over TCP."""

    kind = "tcp"

    def useless(self, protocol: Any, sentence: str) -> None:
        """An element that promised session framing, and does not speak it: reported, and passed over."""
        self.scope.serve("a", factory=Factory.forProtocol(protocol))
        told = self.scope.session(patience=5.0)
        self.scope.until(lambda: told.ended)
        self.assertRegex(str(told.ended[0]), f"no element of pool 'pool' could be used for 5 s: .*{sentence}")
        self.scope.serve("b")
        self.assertEqual(self.scope.result(self.scope.session().session.request(b"1")), b"b 1")

    def test_accepts_and_never_says_hello(self) -> None:
        self.useless(Silent, "element 0x00000061 at 10.0.1.1:80: no answer within 1 s")

    def test_speaks_something_else(self) -> None:
        self.useless(Shouting, "element 0x00000061 at 10.0.1.1:80: .*not a frame of a session")

    def test_speaks_a_version_of_the_future(self) -> None:
        self.useless(Future, "element 0x00000061 at 10.0.1.1:80: .*version 2 of session framing, and we speak 1")

    def test_a_transport_that_sessions_do_not_use(self) -> None:
        from rserpool.core import UdpTransport

        self.scope.element(setup=lambda element: element.register("pool", UdpTransport(53, element.host)))
        self.scope.settle()
        told = self.scope.session(patience=1.0)
        self.scope.until(lambda: told.ended)
        self.assertIsInstance(told.ended[0], SessionEnded)
        self.assertIn("it serves over Udp, not TCP or SCTP", str(told.ended[0]))


class SctpTests(Both, SynchronousTestCase):
    """Over SCTP."""

    kind = "sctp"

    def test_too_long_a_message(self) -> None:
        self.scope.serve("a")
        told = self.scope.session()
        self.scope.result(told.session.ready())
        self.assertRaisesRegex(ValueError, "1 to 65532 bytes, not 70000", told.session.send, bytes(70000))
        error = self.failureResultOf(told.session.request(bytes(70000)), ValueError).value
        self.assertIn("not 70004", str(error))
        self.assertEqual(self.scope.result(told.session.request(b"1")), b"a 1")

    def test_too_long_a_message_that_has_waited(self) -> None:
        """It fails, and nothing else does."""
        self.scope.serve("a")
        told = self.scope.session()
        told.session.send(bytes(70000))
        long, short = told.session.request(bytes(70000)), told.session.request(b"1")
        self.assertEqual(self.scope.result(short), b"a 1")
        self.assertIn("not 70004", str(self.failureResultOf(long, RequestFailed).value))
