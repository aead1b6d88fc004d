"""What travels between users, workers and slots."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.compute import frames
from rserpool.core.compute.errors import JobFailed

VALUES: Any = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda inner: some.lists(inner) | some.dictionaries(some.text(), inner),
    max_leaves=10,
)


class ValueTests(SynchronousTestCase):
    """JSON, or bytes."""

    @given(VALUES | some.binary())
    def test_there_and_back(self, value: Any) -> None:
        self.assertEqual(frames.value_of(frames.result(value)), value)

    @given(some.lists(VALUES), some.dictionaries(some.text(), VALUES))
    def test_arguments(self, arguments: list[Any], named: dict[str, Any]) -> None:
        header, body = frames.decode(frames.work("square", tuple(arguments), named))
        self.assertEqual(header["do"], "square")
        self.assertEqual(frames.arguments_of(header["as"], body), (tuple(arguments), named))

    def test_bytes(self) -> None:
        header, body = frames.decode(frames.work("f", (b"\n\xff",), {}))
        self.assertEqual(frames.arguments_of(header["as"], body), ((b"\n\xff",), {}))

    def test_nothing_else(self) -> None:
        """Bytes among others, objects, what JSON has no number for, and what is too long: the sentence says it."""
        for value in ([b"x"], {1, 2}, object()):
            self.assertIn("JSON, or as bytes", str(self.assertRaises(TypeError, frames.pack, value)))
        self.assertRaises(ValueError, frames.pack, float("nan"))
        self.assertRaises(ValueError, frames.pack, bytes(frames.LONGEST + 1))
        self.assertEqual(len(frames.pack(memoryview(bytes(frames.LONGEST)))[1]), frames.LONGEST)
        long = "x" * (frames.LONGEST // 2)
        # That is seen before it is encoded, where the object would be found.
        for arguments, named in (((long, [long]), {}), ((long, object()), {"more": {"of": long}})):
            with self.assertRaisesRegex(ValueError, "15728640 bytes, and this one has more than 15728"):
                frames.work("f", arguments, named)
        endless: list[Any] = []
        endless.append(endless)
        self.assertRaises(ValueError, frames.pack, endless)


class OutcomeTests(SynchronousTestCase):
    """What a job comes to."""

    def test_failure(self) -> None:
        error = self.assertRaises(JobFailed, frames.value_of, frames.failure("KeyError", "no \udc80", "Tracebacks"))
        self.assertEqual((error.kind, str(error), error.traceback), ("KeyError", "KeyError: no \udc80", "Tracebacks"))

    def test_long_failure(self) -> None:
        """It is cut; of a traceback the end is what matters."""
        error = self.assertRaises(JobFailed, frames.value_of, frames.failure("E", "a" * 99_999, "b" * 99_999 + "end"))
        self.assertEqual(len(str(error)), frames.LONGEST_TEXT + len("E: "))
        self.assertEqual(len(error.traceback), frames.LONGEST_TEXT)
        self.assertTrue(error.traceback.endswith("end"))


class GarbageTests(SynchronousTestCase):
    """From whoever is a user, or a worker."""

    @given(some.binary())
    def test_any_bytes(self, data: bytes) -> None:
        for read in (frames.decode, frames.value_of, lambda data: frames.arguments_of("json", data)):
            try:
                read(data)
            except (frames.BadFrame, JobFailed):
                pass

    def test_odd(self) -> None:
        deep = b"[" * 200_000
        for data in (b"", b"{}", b"[]\n", b"1\n", deep + b"\n", b"x" * frames.LONGEST_HEADER + b"\n", b"\xff\n"):
            self.assertRaises(frames.BadFrame, frames.decode, data)
        for data in (b'{"as":"pickle"}\nx', b'{"as":"json"}\n' + deep, b"{}\n", b'{"error":1}\n[]', b'{"as":[]}\n1'):
            self.assertRaises(frames.BadFrame, frames.value_of, data)
        for data in (b"1", b"[1]", b"[[],[]]", b"[[],{},1]"):
            self.assertRaises(frames.BadFrame, frames.arguments_of, "json", data)
