"""What RFC 5352 requires of the control channel between a pool user and a pool element (sections 3.8, 3.9 and 5)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.wire import asap
from rserpool.core.wire.frames import PPID_REPEATED, PPID_REPLY, PPID_REQUEST
from rserpool.session import KeyRing, SignedCookies
from tests.conformance import rfc
from tests.session.scope import SessionScope, Told
from tests.session.test_state import KEY, Counter


class ControlChannelTests(SynchronousTestCase):
    """A user that is an element itself, and elements that keep their state in cookies."""

    def play(self, kind: str) -> Told:
        """Three requests: one before a failover; two after it, of which the first is repeated."""
        self.scope = SessionScope(self, kind)
        for name in "ab":
            self.serve(name)
        told = self.scope.session(own_pool="mine", repeat=True)
        self.count(told, 1)
        self.first = self.scope.kill_serving(told.session)
        self.count(told, 2)
        self.count(told, 3)
        self.second = self.scope.name(told.session.element)
        return told

    def serve(self, name: str, key: bytes = KEY) -> None:
        self.scope.serve(name, lambda: Counter([]), cookies=SignedCookies(KeyRing({"key": key})))

    def count(self, told: Told, expected: int) -> None:
        self.assertEqual(int(self.scope.result(told.session.request(b"count"))), expected)
        self.scope.advance(0.1)

    def between(self, *names: str) -> list[Any]:
        """What came over associations between the user and these elements, in order: sender, PPID and bytes."""
        entries = [each for each in self.scope.trace.entries if each.target]
        users = {each.target for each in entries} - {*"abc"} - {each.name for each in self.scope.registrars}
        found = [
            each for each in entries if {each.source, each.target} & users and {each.source, each.target} & {*names}
        ]
        return [("user" if each.source in users else each.source, each.ppid, each.what) for each in found]

    def control(self, *names: str) -> list[tuple[str, type]]:
        """The messages of ASAP among them."""
        return [(who, type(asap.decode(data).message)) for who, ppid, data in self.between(*names) if ppid == 11]

    @rfc("5352", "5", "MUST be sent using the PPID", "MUST NOT use the PPID registered for ASAP")
    def test_ppids(self) -> None:
        """Cards, cookies and the refusal of one have the PPID of ASAP; requests and answers have others."""
        told = self.play("sctp")
        self.serve("c", key=b"x" * 32)
        self.scope.until(lambda: len(told.pool) == 2)
        self.scope.kill_serving(told.session)
        told.session.request(b"count").addErrback(lambda failure: None)
        self.scope.advance(1.0)
        kinds = {kind for _, kind in self.control("a", "b", "c")}
        self.assertEqual(kinds, {asap.BusinessCard, asap.Cookie, asap.CookieEcho, asap.Error})
        data = [(ppid, data) for _, ppid, data in self.between("a", "b", "c") if ppid != 11]
        self.assertEqual({ppid for ppid, _ in data}, {PPID_REQUEST, PPID_REPEATED, PPID_REPLY})
        self.assertEqual({data[4:] for ppid, data in data if ppid != PPID_REPLY}, {b"count"})

    @rfc("5352", "3.8", "SHOULD send the latest received cookie")
    @rfc("5352", "3.9", "a PE should always send an ASAP_BUSINESS_CARD", "A PU should send an ASAP_BUSINESS_CARD")
    def test_what_comes_first(self) -> None:
        """Of an element its card; of a user that fails over the cookie, before the card, and before any request."""
        self.play("sctp")
        for name in (self.first, self.second):
            kinds = [kind for who, kind in self.control(name) if who == name]
            self.assertEqual(kinds[0], asap.BusinessCard)
            self.assertIn(asap.Cookie, kinds)
        at_first, at_second = (
            [
                ppid if ppid != 11 else type(asap.decode(data).message)
                for who, ppid, data in self.between(name)
                if who == "user"
            ]
            for name in (self.first, self.second)
        )
        self.assertEqual(at_first[:2], [asap.BusinessCard, PPID_REQUEST])
        self.assertEqual(at_second[:2], [asap.CookieEcho, asap.BusinessCard])

    @rfc("5355", "2.16", "MUST be multiplexed")
    @rfc("5354", "3.5", "The TCP Port MUST NOT be used for control")
    def test_one_tcp_connection(self) -> None:
        """The state came along: so cookies did, and each element was dialled once."""
        self.play("tcp")
        dialled = [place for place in self.scope.trace.dialled() if place[1] == 80]
        self.assertEqual((len(dialled), len(set(dialled))), (2, 2))
