"""What users, workers and their slots say to each other: a header of JSON in one line, and a body of bytes.

A value is JSON, or bytes as they are; nothing else travels, and never a pickle of what somebody sent. Every text is
bounded before it is read. A job may bring the code of its function, which stands before its arguments: workers that
accept code hand it to a confined process, unread, and all others refuse it.

A message of a slot begins with one byte more, its L{Tag}: so what its worker only passes on is not read there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

from rserpool.core.compute.errors import JobFailed

LONGEST: Final = 15 * 1024 * 1024
"""The most bytes of a value; a message over TCP holds 16 MiB."""
LONGEST_HEADER: Final = 64 * 1024
LONGEST_CHECKPOINT: Final = 40_000
"""The most bytes of a checkpoint: it travels as a cookie (RFC 5352 section 3.8), which holds 65,535 with all else."""
LONGEST_TEXT: Final = 16 * 1024
"""The most characters of an error's text, and of its traceback."""
LONGEST_CODE: Final = 768 * 1024
"""The most bytes of a function that travels."""
PYTHON: Final = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""Whose bytecode it is: another Python does not run it."""
LONGEST_NAME: Final = 200
"""The most characters of the name of a function that travels."""
GLANCE: Final = 100
"""Of so many parts of a value the length is looked at before it is encoded."""
JSON: Final = "json"
BYTES: Final = "bytes"
_DUMP = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


class Tag(IntEnum):
    """What a message of a slot is."""

    OUTCOME = ord("=")
    CHECKPOINT = ord("c")
    PROGRESS = ord("p")
    READY = ord("r")
    BROKEN = ord("!")


class BadFrame(ValueError):
    """What came is no message of this protocol; the text says what is wrong."""


def encode(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """A message."""
    return b"%b\n%b" % (_DUMP(header).encode(), body)


def decode(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the body of a message.

    @raise BadFrame: if it is none.
    """
    end = data.find(b"\n", 0, LONGEST_HEADER + 1)
    if end < 0:
        raise BadFrame("its header does not end")
    try:
        header = json.loads(data[:end])
    except (ValueError, RecursionError):
        raise BadFrame("its header is not JSON") from None
    if not isinstance(header, dict):
        raise BadFrame("its header is not a JSON object")
    return header, data[end + 1 :]


def pack(value: Any) -> tuple[str, bytes]:
    """A value as it travels: how, and its bytes.

    @raise TypeError: if it is neither JSON nor bytes.
    @raise ValueError: if it is longer than L{LONGEST}, or not a number that JSON has.
    """
    if _least(value) > LONGEST:
        # Before a copy of it is made.
        raise ValueError(f"a value may have {LONGEST} bytes, and this one has more than {_least(value) - 1}")
    if isinstance(value, bytes | bytearray | memoryview):
        kind, body = BYTES, bytes(value)
    else:
        try:
            kind, body = JSON, _DUMP(value).encode()
        except RecursionError:
            raise ValueError("it refers to itself, or lies too deep for JSON") from None
        except TypeError as error:
            raise TypeError(f"values travel as JSON, or as bytes alone: {error}") from None
    if len(body) > LONGEST:
        raise ValueError(f"a value may have {LONGEST} bytes, and this one has {len(body)}")
    return kind, body


def _least(value: Any, depth: int = 3) -> int:
    """So many bytes a value has at least, as far as a glance shows."""
    if isinstance(value, bytes | bytearray | memoryview):
        return memoryview(value).nbytes
    if isinstance(value, str):
        return len(value) + len('""')
    if not isinstance(value, list | tuple | dict):
        return 1
    if not depth or len(value) > GLANCE:
        return 2 * len(value)
    return sum(_least(each, depth - 1) for each in (value.values() if isinstance(value, dict) else value))


def unpack(kind: Any, body: bytes) -> Any:
    """The value that travelled.

    @raise BadFrame: if it is none.
    """
    if kind == BYTES:
        return body
    if kind != JSON:
        raise BadFrame(f"it holds a value of an unknown kind, {str(kind)[:40]!r}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise BadFrame("its value is not JSON") from None


def work(function: str, arguments: tuple[Any, ...], named: Mapping[str, Any], code: bytes = b"") -> bytes:
    """A job: one argument of bytes travels as it is, all others as JSON.

    @param code: that of the function, if it travels with the job.
    @raise TypeError: if an argument is neither JSON nor bytes.
    @raise ValueError: as L{pack}.
    """
    header: dict[str, Any] = {"do": function}
    if len(arguments) == 1 and not named and isinstance(arguments[0], bytes | bytearray | memoryview):
        header["as"], body = pack(arguments[0])
    else:
        header["as"], body = pack([arguments, named] if named else [arguments])
    if code:
        header |= {"code": len(code), "python": PYTHON}
    return encode(header, code + body)


def arguments_of(kind: Any, body: bytes) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a job.

    @raise BadFrame: if they are none.
    """
    value = unpack(kind, body)
    if kind == BYTES:
        return (value,), {}
    match value:
        case [list() as arguments]:
            return tuple(arguments), {}
        case [list() as arguments, dict() as named]:
            return tuple(arguments), named
    raise BadFrame("its arguments are not [[...]] or [[...], {...}]")


def result(value: Any) -> bytes:
    """The outcome of a job that was done.

    @raise TypeError: as L{pack}.
    @raise ValueError: as L{pack}.
    """
    kind, body = pack(value)
    return encode({"as": kind}, body)


def failure(kind: str, says: str, traceback: str = "") -> bytes:
    """The outcome of a job that failed."""
    # The end of a traceback says what happened.
    error = {"kind": kind[:200], "says": says[:LONGEST_TEXT], "traceback": traceback[-LONGEST_TEXT:]}
    return encode({"error": True}, _DUMP(error).encode())


def value_of(outcome: bytes) -> Any:
    """What a job returned.

    @raise JobFailed: what it raised.
    @raise BadFrame: if this is no outcome.
    """
    header, body = decode(outcome)
    if not header.get("error"):
        return unpack(header.get("as"), body)
    error = unpack(JSON, body)
    match error:
        case {"kind": str() as kind, "says": str() as says, "traceback": str() as traceback}:
            raise JobFailed(kind[:200], says[:LONGEST_TEXT], traceback[:LONGEST_TEXT])
    raise BadFrame("it says that the job failed, and not how")
