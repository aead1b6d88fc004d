"""Session framing: frames in a stream, whatever its pieces, and the hello."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import WireError
from rserpool.core.wire.frames import DATA, GOODBYE, HELLO, LONGEST_FRAME, FrameReader, Hello, frame


class FrameTests(SynchronousTestCase):
    """Frames."""

    @given(
        bodies=st.lists(st.tuples(st.integers(1, GOODBYE), st.binary(max_size=300)), max_size=8),
        cuts=st.lists(st.integers(0, 2000), max_size=8),
    )
    def test_in_whatever_pieces(self, bodies: list[tuple[int, bytes]], cuts: list[int]) -> None:
        stream = b"".join(frame(kind, body) for kind, body in bodies)
        places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
        reader = FrameReader()
        found = []
        for start, stop in zip(places, places[1:], strict=False):
            found += reader.feed(stream[start:stop])
        self.assertEqual(found, bodies)

    @given(st.binary(max_size=100))
    def test_any_bytes_are_frames_or_refused(self, data: bytes) -> None:
        try:
            FrameReader(1000).feed(data)
        except WireError:
            pass

    def test_a_long_one_byte_by_byte_costs_no_more_than_its_length(self) -> None:
        reader = FrameReader()
        stream = frame(DATA, bytes(100_000))
        found = []
        for place in range(len(stream)):
            found += reader.feed(stream[place : place + 1])
        self.assertEqual(found, [(DATA, bytes(100_000))])

    def test_too_long(self) -> None:
        with self.assertRaisesRegex(ValueError, "at most 16777215 bytes"):
            frame(DATA, bytes(LONGEST_FRAME + 1))
        with self.assertRaisesRegex(WireError, "not a frame"):
            FrameReader(longest=10).feed(frame(DATA, bytes(11)))

    def test_another_protocol_is_noticed_with_its_first_bytes(self) -> None:
        for data in (b"HTTP/1.1 200 OK\r\n", b"SSH-2.0-OpenSSH\r\n", b"\0\0\0\0"):
            with self.assertRaisesRegex(WireError, "not a frame of a session"):
                FrameReader().feed(data)


class HelloTests(SynchronousTestCase):
    """What either side says first."""

    def test_round_trip(self) -> None:
        for hello in (Hello(), Hello(b"pool"), Hello(b"pool", True)):
            [(kind, body)] = FrameReader().feed(hello.encode())
            self.assertEqual(Hello.decode(kind, body), hello)

    def test_layout(self) -> None:
        self.assertEqual(Hello(b"p", True).encode().hex(), "0100000d" + b"RSerPool".hex() + "01010000" + "70")

    def test_another_version(self) -> None:
        [(kind, body)] = FrameReader().feed(Hello(version=2).encode())
        with self.assertRaisesRegex(WireError, "version 2 of session framing, and we speak 1"):
            Hello.decode(kind, body)

    def test_no_hello(self) -> None:
        for kind, body in ((DATA, b"RSerPool\1\0\0\0"), (HELLO, b"RSerPool"), (HELLO, b"RSerPooX\1\0\0\0")):
            with self.assertRaisesRegex(WireError, "does not begin with the hello"):
                Hello.decode(kind, body)
