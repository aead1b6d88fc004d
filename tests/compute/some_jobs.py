"""Functions that workers offer in tests."""

import os
import signal
from typing import Any

from rserpool.job import checkpoint, progress, restored


def square(x: int) -> int:
    return x * x


def where() -> int:
    """The process that does it."""
    return os.getpid()


def length(data: bytes) -> int:
    return len(data)


def twice(data: bytes) -> bytes:
    print("twice:", len(data))
    return data + data


def hold(what: Any) -> Any:
    """The first worker never ends it; the next one goes on from what that left."""
    if restored() is None:
        checkpoint({"held": what})
        progress(0.25)
        print("holding", flush=True)
        signal.pause()
    return restored()


def die() -> None:
    print("dying", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def fill(mebibytes: int) -> int:
    return len(bytearray(mebibytes * 2**20))


def fail(why: str) -> None:
    raise LookupError(why)


def _hidden() -> None:
    """Nobody may call it."""
