"""Pingpong's messages, byte by byte, and what is none."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import WireError
from rserpool.services.messages import Ping, Pong, decode_cookie, encode_cookie
from tests.core.wire.strategies import DETERMINISTIC


class MessageTests(SynchronousTestCase):
    """Pings, pongs, cookies."""

    def test_bytes(self) -> None:
        """As rsplib has them on the wire."""
        self.assertEqual(b"\x01\x00\x00\x0f\0\0\0\0\0\0\0\x07abc", Ping(7, b"abc").encode())
        self.assertEqual(b"\x02\x00\x00\x15" + b"\0" * 7 + b"\x07" + b"\0" * 7 + b"\x09a", Pong(7, 9, b"a").encode())
        self.assertEqual(b"<PP-TD1>" + b"\0" * 6 + b"\x01\x02", encode_cookie(258))

    @DETERMINISTIC
    @given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.binary(max_size=100), st.binary(max_size=9))
    def test_both_ways(self, number: int, reply: int, data: bytes, more: bytes) -> None:
        """What was encoded is read; what follows is left alone."""
        self.assertEqual(Ping(number, data), Ping.decode(Ping(number, data).encode() + more))
        self.assertEqual(Pong(number, reply, data), Pong.decode(Pong(number, reply, data).encode() + more))
        self.assertEqual(reply, decode_cookie(encode_cookie(reply)))

    @DETERMINISTIC
    @given(st.binary(max_size=40))
    def test_anything(self, data: bytes) -> None:
        """Any bytes are read, or refused with a L{WireError}."""
        for decode in (Ping.decode, Pong.decode, decode_cookie):
            try:
                decode(data)
            except WireError as error:
                self.assertIn("no ", str(error))

    def test_too_long(self) -> None:
        """A ping that no pong could bring back."""
        Ping(1, bytes(65_515)).encode()
        with self.assertRaises(ValueError):
            Ping(1, bytes(65_516)).encode()
