"""Sessions as their users see them, over TCP and SCTP in memory: requests, failover, cookies, the ends of sessions."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.session.network import SessionScene


class Both:
    """What is so over both transports."""

    kind: str

    def setUp(self: Any) -> None:
        self.scene = SessionScene(self, self.kind)

    def test_a_request_is_answered(self: Any) -> None:
        self.scene.serve("a")
        told = self.scene.session()
        self.assertEqual(self.scene.result(told.session.request(b"hello")), b"a hello")

    def test_what_is_sent_before_there_is_an_element_waits(self: Any) -> None:
        self.scene.serve("a")
        told = self.scene.session()
        for number in range(3):
            told.session.send(b"%d" % number)
        self.scene.until(lambda: len(told.received) == 3)
        self.assertEqual(told.received, [b"a 0", b"a 1", b"a 2"])

    def test_goes_on_at_the_next_element(self: Any) -> None:
        """And says so once, with the old and the new one."""
        for name in "abc":
            self.scene.serve(name)
        told = self.scene.session(repeat=True)
        first = self.scene.result(told.session.request(b"1"))
        self.scene.kill(first[:1].decode())
        second = self.scene.result(told.session.request(b"2"))
        self.assertNotEqual(first[:1], second[:1])
        self.assertEqual(told.failovers, [(first[:1].decode(), second[:1].decode())])
        self.assertEqual(told.ended, [])


class TcpTests(Both, SynchronousTestCase):
    """Over TCP."""

    kind = "tcp"


class SctpTests(Both, SynchronousTestCase):
    """Over SCTP."""

    kind = "sctp"
