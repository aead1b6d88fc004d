"""Functions that workers offer in tests."""

import os
import signal
import subprocess
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


def terminate() -> list[int]:
    """SIGTERM for itself, for a child that goes on as it does, and for another program."""
    os.kill(os.getpid(), signal.SIGTERM)
    ready, tells = os.pipe()
    child = os.fork()
    if not child:
        os.write(tells, b"!")
        while True:
            signal.pause()
    os.read(ready, 1)
    other = subprocess.Popen(["sleep", "1000"])
    os.kill(child, signal.SIGTERM)
    other.terminate()
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), other.wait()]


def fail(why: str) -> None:
    raise LookupError(why)


def _hidden() -> None:
    """Nobody may call it."""
