"""Elements that leave the pool while a session is at them, over TCP and SCTP in memory."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import RequestFailed
from rserpool.session import UnsignedCookies
from tests.session.scope import SessionCase
from tests.session.test_client import Mute


class Stateful(Mute):
    """Leaves a state with its user, too."""

    def messageReceived(self, data: bytes) -> None:
        self.session.set_state(b"state")
        super().messageReceived(data)


class Both(SessionCase):
    """What is so over both transports."""

    def asked(self: Any, mute: type[Mute] = Mute, **options: Any) -> tuple[list[Any], Any, Any]:
        """What a mute element keeps, a session at it, and the request that it owes an answer."""
        kept: list[Any] = []
        self.scope.serve("a", lambda: mute(kept), **options)
        told = self.scope.session()
        answer = told.session.request(b"1")
        self.scope.until(lambda: kept)
        return kept, told, answer

    def test_idle(self: Any) -> None:
        """An element that stops knows which of its sessions owe nothing, and sends those elsewhere."""
        kept, told, answer = self.asked()
        [session] = self.scope.factories["a"].sessions
        self.assertFalse(session.idle)
        kept[0][1].reply(b"done")
        self.assertTrue(session.idle)
        told.session.request(b"2").addErrback(lambda _: None)
        self.scope.until(lambda: len(kept) == 2)
        self.assertFalse(session.idle)
        kept[1][1].fail("no")
        self.assertTrue(session.idle)

    def test_leaving_in_the_answer_that_was_waited_for(self: Any) -> None:
        """The element is removed, and owes an answer; when that comes the session goes on, whatever else is said."""
        kept, told, answer = self.asked(Stateful, cookies=UnsignedCookies())
        answer.addCallback(lambda data: told.session.fail_over())
        self.scope.serve("b", cookies=UnsignedCookies())
        self.scope.processes["a"].leave("pool")
        self.scope.until(lambda: [self.scope.name(each) for each in told.pool] == ["b"])
        self.assertEqual(self.scope.name(told.session.element), "a")
        kept[0][1].reply(b"done")
        self.scope.result(answer)
        self.scope.until(lambda: told.failovers)
        self.assertEqual(told.failovers, [("a", "b")])

    def test_an_element_that_leaves_finishes_while_another_is_asked(self: Any) -> None:
        """What it was asked may take long; what is asked from now on goes elsewhere at once."""
        kept, told, answer = self.asked()
        self.scope.serve("b")
        self.scope.result(self.scope.processes["a"].leave("pool"))
        self.scope.until(lambda: told.failovers)
        self.assertEqual(self.scope.result(told.session.request(b"2")), b"b 2")
        self.scope.advance(20.0)
        self.assertNoResult(answer)
        self.assertEqual(len(self.scope.factories["a"].sessions), 1)
        kept[0][1].reply(b"done")
        self.assertEqual(self.scope.result(answer), b"done")
        self.scope.advance(0.5)
        self.assertEqual(len(self.scope.factories["a"].sessions), 0)
        self.assertEqual((len(kept), told.failovers, told.ended), (1, [("a", "b")], []))

    def test_a_request_that_may_be_repeated_is_finished_too(self: Any) -> None:
        """And given to another when the time is over, or the element is gone."""
        kept: list[Any] = []
        self.scope.serve("a", lambda: Mute(kept))
        told = self.scope.session(repeat=True, timeout=None, grace=10.0)
        one, two = told.session.request(b"1"), told.session.request(b"2")
        self.scope.until(lambda: len(kept) == 2)
        self.scope.serve("b")
        self.scope.result(self.scope.processes["a"].leave("pool"))
        self.scope.advance(9.0)
        kept[0][1].reply(b"done")
        self.assertEqual(self.scope.result(one), b"done")
        self.assertNoResult(two)
        self.scope.advance(1.0)
        self.assertEqual(self.scope.result(two), b"b 2")

    def test_an_element_that_leaves_and_dies(self: Any) -> None:
        kept, told, answer = self.asked()
        self.scope.serve("b")
        self.scope.result(self.scope.processes["a"].leave("pool"))
        self.scope.until(lambda: told.failovers)
        self.scope.dies("a")
        self.assertTrue(self.failure(answer, RequestFailed).perhaps_done)
        self.assertEqual(self.scope.result(told.session.request(b"2")), b"b 2")

    def test_closed_while_an_element_finishes(self: Any) -> None:
        kept, told, answer = self.asked()
        self.scope.serve("b")
        self.scope.result(self.scope.processes["a"].leave("pool"))
        self.scope.until(lambda: told.failovers)
        self.successResultOf(told.session.close())
        self.failureResultOf(answer, RequestFailed)
        self.scope.advance(0.5)
        self.assertEqual(len(self.scope.factories["a"].sessions), 0)

    def test_an_element_that_leaves_and_has_the_state_is_waited_for(self: Any) -> None:
        """What it was asked may change the state: nobody else is asked meanwhile."""
        kept, told, answer = self.asked(Stateful, cookies=UnsignedCookies())
        self.scope.serve("b", cookies=UnsignedCookies())
        self.scope.result(self.scope.processes["a"].leave("pool"))
        self.scope.until(lambda: not told.session.writable)
        following = told.session.request(b"2")
        self.scope.advance(0.3)
        self.assertNoResult(following)
        kept[0][1].reply(b"done")
        self.assertEqual(self.scope.result(answer), b"done")
        self.assertEqual(self.scope.result(following), b"b 2")
        self.assertEqual(len(kept), 1)

    def test_an_element_that_leaves_and_never_answers_is_left(self: Any) -> None:
        kept, told, answer = self.asked()
        self.scope.serve("b")
        self.scope.result(self.scope.processes["a"].leave("pool"))
        self.scope.advance(29.0)
        self.failure(answer, RequestFailed)
        self.assertEqual(self.scope.result(told.session.request(b"2")), b"b 2")


class TcpTests(Both, SynchronousTestCase):
    """Over TCP."""

    kind = "tcp"


class SctpTests(Both, SynchronousTestCase):
    """Over SCTP."""

    kind = "sctp"
