"""Cookies and business cards, from element to element (RFC 5352 sections 3.8 and 3.9), over TCP and SCTP in memory."""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import ConfigurationError, RequestFailed, SessionEnded
from rserpool.core.wire import asap
from rserpool.session import KeyRing, SessionProtocol, SignedCookies, UnsignedCookies
from rserpool.session.links import MOST_COMPLAINTS
from tests.conformance import rfc
from tests.session.scope import SessionCase

KEY = b"k" * 32


class Counter(SessionProtocol):
    """Counts requests; the count is the state of the session."""

    def __init__(self, started: list[bytes | None]) -> None:
        self._started = started

    def sessionStarted(self, state: bytes | None) -> None:
        self._started.append(state)
        self.count = int(state or b"0")

    def messageReceived(self, data: bytes) -> bytes:
        self.count += 1
        self.session.set_state(b"%d" % self.count)
        return b"%d" % self.count


class Both(SessionCase):
    """What is so over both transports."""

    def setUp(self: Any) -> None:
        super().setUp()
        self.seen: dict[str, list[bytes | None]] = {}

    def counter(self: Any, name: str, key: bytes = KEY, cookies: Any = None, **options: Any) -> Any:
        started: list[bytes | None] = []
        self.seen[name] = started
        cookies = cookies or SignedCookies(KeyRing({"key": key}), max_age=100.0, skew=10.0)
        return self.scope.serve(name, lambda: Counter(started), cookies=cookies, **options)

    def count(self: Any, told: Any) -> int:
        return int(self.scope.result(told.session.request(b"count")))

    def over(self: Any, told: Any) -> str:
        """Why the session ended."""
        self.scope.until(lambda: told.ended)
        self.assertIsInstance(told.ended[0], SessionEnded)
        return str(told.ended[0])

    # 1.2: cookies

    def test_state_goes_along(self: Any) -> None:
        """Through three failovers the count goes on."""
        for name in "abcd":
            self.counter(name)
        told = self.scope.session(repeat=True)
        counts = []
        for _ in range(4):
            counts += [self.count(told), self.count(told)]
            self.scope.kill_serving(told.session)
        self.assertEqual(counts, [1, 2, 3, 4, 5, 6, 7, 8])
        self.assertEqual(sorted(sum(self.seen.values(), []), key=lambda state: state or b""), [None, b"2", b"4", b"6"])

    @rfc("5352", "3.8", "a cookie should be signed")
    def test_a_cookie_that_is_refused_is_refused_clearly(self: Any) -> None:
        """Elements with other keys take nobody's word; the session ends, and says why."""
        self.counter("a")
        told = self.scope.session(repeat=True)
        self.count(told)
        self.counter("b", key=b"x" * 32)
        self.counter("c", key=b"y" * 32)
        self.scope.dies("a")
        why = self.over(told)
        self.assertRegex(why, "pool 'pool': no element takes the session's cookie: .*0x00000062.*does not have")
        self.assertEqual((self.seen["b"], self.seen["c"]), ([], []))

    def test_another_element_may_take_it(self: Any) -> None:
        """One element without the new key does not end the session."""
        self.counter("a")
        told = self.scope.session(repeat=True)
        self.count(told)
        self.counter("b", key=b"x" * 32)
        self.counter("c")
        self.counter("d", key=b"x" * 32)
        self.scope.dies("a")
        self.assertEqual(self.count(told), 2)
        self.assertEqual(self.seen["c"], [b"1"])

    def test_forged(self: Any) -> None:
        self.counter("a")
        told = self.scope.session(repeat=True)
        self.count(told)
        self.counter("b")
        cookie = bytearray(told.session.cookie)
        cookie[-33] ^= 1
        told.session._core.cookie = bytes(cookie)
        self.scope.dies("a")
        self.assertIn("its signature is wrong", self.over(told))

    def test_foreign(self: Any) -> None:
        """A cookie of another pool with the same keys."""
        self.counter("a", pool="other")
        told = self.scope.session("other")
        self.count(told)
        self.counter("b")
        self.counter("c")
        elsewhere = self.scope.session(repeat=True)
        self.count(elsewhere)
        elsewhere.session._core.cookie = told.session.cookie
        self.scope.dies(self.scope.name(elsewhere.session.element))
        self.assertIn("it is of the pool 'other'", self.over(elsewhere))

    def test_too_old(self: Any) -> None:
        self.counter("a")
        told = self.scope.session(repeat=True)
        self.count(told)
        self.counter("b")
        for element in self.scope.elements:
            self.scope.jump(element, 200.0)
        self.scope.dies("a")
        self.assertRegex(self.over(told), "it is 200 s old, and may be 100 s old")

    def test_clocks_differ(self: Any) -> None:
        """By less than the skew: nobody minds."""
        self.counter("a")
        told = self.scope.session(repeat=True)
        self.count(told)
        self.scope.jump(self.counter("b"), -5.0)
        self.scope.dies("a")
        self.assertEqual(self.count(told), 2)

    def test_unsigned(self: Any) -> None:
        """An explicit choice of the service: the cookie is the state."""
        for name in "ab":
            self.counter(name, cookies=UnsignedCookies())
        told = self.scope.session(repeat=True)
        self.count(told)
        self.assertEqual(told.session.cookie, b"1")
        self.scope.kill_serving(told.session)
        self.assertEqual(self.count(told), 2)

    def test_a_service_without_cookies_refuses_them(self: Any) -> None:
        self.counter("a")
        told = self.scope.session(repeat=True)
        self.count(told)
        self.scope.serve("b")
        self.scope.dies("a")
        self.assertIn("this service keeps no state in cookies", self.over(told))
        self.assertEqual(self.scope.started["b"], [])

    def test_no_keys_were_given(self: Any) -> None:
        """The element's own mistake: logged where it was made, and the session is dropped there."""
        self.scope.serve("a", lambda: Counter([]))
        told = self.scope.session(patience=3.0)
        self.scope.until(lambda: told.session.element)
        told.session.send(b"count")
        self.scope.advance(0.1)
        [failure, *_] = self.flushLoggedErrors(ConfigurationError)
        self.assertIn("give the factory SignedCookies, or UnsignedCookies", str(failure.value))

    # 1.3: business cards

    def will(self: Any, told: Any, *names: str, exclusive: bool = False, element: str = "a") -> None:
        """The element names its successors."""
        known = {self.scope.name(each): each for each in told.pool}
        foreign = {name: self.scope.foreign(name) for name in names if name not in known}
        factory = self.scope.factories[element]
        factory.name_successors([{**known, **foreign}[name] for name in names], exclusive=exclusive)
        self.scope.advance(0.05)

    def with_elements(self: Any, names: str) -> Any:
        """A session at element a, and these elements in the pool."""
        self.counter("a")
        told = self.scope.session(repeat=True)
        self.count(told)
        for name in names:
            self.counter(name)
        self.scope.until(lambda: len(told.pool) == len(names) + 1)
        return told

    @rfc("5352", "3.9", "BC2) Unpack")
    def test_users_follow_the_order_of_the_card(self: Any) -> None:
        told = self.with_elements("bcde")
        self.will(told, "d", "b")
        self.scope.dies("b")
        self.scope.dies("a")
        self.assertEqual(self.count(told), 2)
        self.assertEqual(told.failovers, [("a", "d")])

    def test_the_last_card_counts(self: Any) -> None:
        told = self.with_elements("bcde")
        self.will(told, "d")
        self.will(told, "e")
        self.scope.dies("a")
        self.count(told)
        self.assertEqual(told.failovers, [("a", "e")])

    def test_without_those_named_the_policy_decides(self: Any) -> None:
        told = self.with_elements("bc")
        self.will(told, "b")
        self.scope.dies("b")
        self.scope.dies("a")
        self.count(told)
        self.assertEqual(told.failovers, [("a", "c")])

    def test_dead_and_foreign_elements_on_a_card(self: Any) -> None:
        """Elements that the registrar does not know are passed over: a card leads nobody out of the pool."""
        told = self.with_elements("bc")
        self.will(told, "x", "c")
        self.scope.dies("a")
        self.count(told)
        self.assertEqual(told.failovers, [("a", "c")])
        self.assertNotIn("10.66.6.6", [host for host, _ in self.scope.trace.dialled()])

    def test_a_card_of_another_pool_is_ignored(self: Any) -> None:
        told = self.with_elements("bc")
        element = self.scope.foreign("x")
        [session] = self.scope.factories["a"].sessions
        session._send_control(asap.BusinessCard(b"elsewhere", (element,), True))
        self.scope.advance(0.1)
        self.scope.dies("a")
        self.count(told)
        self.assertEqual(len(told.failovers), 1)

    def test_the_log_stays_short(self: Any) -> None:
        """Of an element that says again and again what is of no use, the log tells ten times."""
        told = self.with_elements("")
        [session] = self.scope.factories["a"].sessions
        with capturedLogs() as logs:
            for _ in range(50):
                session._send_control(asap.BusinessCard(b"elsewhere", (self.scope.foreign("x"),)))
            self.scope.advance(0.1)
        said = [text for event in logs if "business card of another pool" in (text := formatEvent(event))]
        self.assertEqual(len(said), MOST_COMPLAINTS)
        self.assertEqual(self.count(told), 2)

    def test_an_exclusive_will(self: Any) -> None:
        """These only, in their order; when all are gone the session ends with a clear error."""
        told = self.with_elements("bcde")
        self.will(told, "d", "b", exclusive=True)
        self.scope.factories["d"].successors = self.scope.factories["a"].successors
        self.scope.factories["b"].successors = self.scope.factories["a"].successors
        self.scope.dies("a")
        self.count(told)
        self.scope.dies("d")
        self.count(told)
        self.assertEqual(told.failovers, [("a", "d"), ("d", "b")])
        self.scope.dies("b")
        answer = told.session.request(b"count")
        self.assertRegex(
            self.over(told),
            "the last will of its element names 0x00000064, 0x00000062 alone: none of them is in the pool any more",
        )
        self.assertIn("the last will", str(self.failureResultOf(answer, RequestFailed).value))

    def test_a_will_of_dead_elements_only(self: Any) -> None:
        told = self.with_elements("bc")
        self.will(told, "x", exclusive=True)
        self.scope.dies("a")
        self.assertRegex(self.over(told), "names 0x00000078 alone: none of them is in the pool any more")

    def test_the_next_element_has_a_will_of_its_own(self: Any) -> None:
        """The card of whoever serves counts: it takes the exclusive will of the one before away."""
        told = self.with_elements("bc")
        self.will(told, "b", exclusive=True)
        self.scope.dies("a")
        self.count(told)
        self.scope.advance(0.1)
        self.scope.dies("b")
        self.count(told)
        self.assertEqual(told.failovers, [("a", "b"), ("b", "c")])

    @rfc("5352", "3.8", "SHOULD send the latest received cookie")
    def test_a_user_that_is_an_element_introduces_itself(self: Any) -> None:
        """At the start, after a failover (behind the cookie), and when it changes."""
        cards: dict[str, list[Any]] = {"a": [], "b": []}

        class Listening(Counter):
            name = ""

            def cardReceived(self, pool: bytes, elements: Any) -> None:
                cards[self.name].append((pool, len(elements), hasattr(self, "count")))

        def build(name: str) -> Any:
            protocol = Listening([])
            protocol.name = name
            return protocol

        for name in "ab":
            self.scope.serve(name, lambda name=name: build(name), cookies=SignedCookies(KeyRing({"key": KEY})))
        told = self.scope.session(own_pool="mine", repeat=True)
        self.count(told)
        first = self.scope.name(told.session.element)
        second = "b" if first == "a" else "a"
        told.session.introduce("mine", [told.session.element])
        self.scope.advance(0.1)
        self.assertEqual([card[:2] for card in cards[first]], [(b"mine", 0), (b"mine", 1)])
        self.scope.dies(first)
        self.count(told)
        self.assertEqual(cards[second], [(b"mine", 1, True)])


class TcpTests(Both, SynchronousTestCase):
    """Over TCP."""

    kind = "tcp"


class SctpTests(Both, SynchronousTestCase):
    """Over SCTP."""

    kind = "sctp"
