"""What a confined process does: unpickles the function that came with its one job, and calls it.

It has no rights any more when it begins: unpickling runs whatever the user likes.
"""

from __future__ import annotations

import contextlib
import importlib
import socket
import traceback
from typing import Any

from rserpool.core.compute import frames
from rserpool.core.compute.frames import Tag
from rserpool.job.__main__ import LENGTH, outcome, receive
from rserpool.job.telling import here


def pickler() -> Any:
    """What unpickles, loaded before the rights are given up.

    @raise ImportError: if it is not installed.
    """
    try:
        return importlib.import_module("cloudpickle")
    except ImportError:
        raise ImportError("cloudpickle is needed: pip install 'rserpool[code]'") from None


def serve(worker: socket.socket) -> None:
    """Say that we are ready, and do one job."""

    def send(tag: Tag, message: bytes) -> None:
        worker.sendall(LENGTH.pack(len(message) + 1) + bytes((tag,)) + message)

    send(Tag.READY, frames.encode({"functions": []}))
    with contextlib.suppress(EOFError, ConnectionError):
        header, body = frames.decode(receive(worker))
        telling = here()
        telling.send = send
        length = header.get("state", 0)
        state, body = body[len(body) - length :], body[: len(body) - length]
        telling.state = frames.unpack(header["state as"], state) if "state as" in header else None
        send(Tag.OUTCOME, done(header, body))
        # Who ended now might be heard of before its outcome is: the worker ends us.
        receive(worker)


def done(header: dict[str, Any], body: bytes) -> bytes:
    """Do it, and say how that went."""
    length = header["code"]
    if header.get("python") != frames.PYTHON:
        says = f"the code is that of Python {header.get('python')}, and this worker has {frames.PYTHON}: take the same"
        return frames.failure("OtherPython", says)
    try:
        function = pickler().loads(body[:length])
    except BaseException as error:
        return frames.failure(type(error).__name__, f"the code cannot be loaded: {error}", traceback.format_exc())
    return outcome({header["do"]: function}, header, body[length:])
