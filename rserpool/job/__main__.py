"""A slot of a worker: a process that calls functions, one at a time. Its worker starts it, and talks to it by a socket.

C{python -m rserpool.job MODULE}: the socket is descriptor 3. Each message has its length before it, in 4 bytes.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from struct import Struct
from types import ModuleType
from typing import Any, TypeAlias

from rserpool.core.compute import frames
from rserpool.core.compute.frames import Tag
from rserpool.job import linux
from rserpool.job.telling import here

SOCKET = 3
LENGTH = Struct("!I")

Functions: TypeAlias = dict[str, Callable[..., Any]]


def main(module: str, memory: int) -> None:
    """Serve until the worker is gone.

    @param memory: bytes of address space that the process may have; 0 for as much as there is.
    """
    # Also if it is killed in the middle of a job.
    linux.end_with_parent()
    if linux.LINUX and os.getppid() == 1:
        sys.exit(1)
    # Whoever interrupts the worker interrupts the slots with it: it is the worker that ends them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    leave_end_to_worker()
    worker = socket.socket(fileno=SOCKET)

    def send(tag: Tag, message: bytes) -> None:
        worker.sendall(LENGTH.pack(len(message) + 1) + bytes((tag,)) + message)

    try:
        functions = functions_of(_load(module))
    except BaseException as error:
        trace = "" if _is_missing(module, error) else traceback.format_exc()
        send(Tag.BROKEN, frames.failure(type(error).__name__, str(error), trace))
        return
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    send(Tag.READY, frames.encode({"functions": sorted(functions)}))
    with contextlib.suppress(EOFError, ConnectionError):
        serve(functions, worker, send)


def serve(functions: Functions, worker: socket.socket, send: Callable[[Tag, bytes], object]) -> None:
    """Do the jobs that come.

    @raise EOFError: when the worker is gone.
    """
    telling = here()
    telling.send = send
    while True:
        header, body = frames.decode(receive(worker))
        length = header.get("state", 0)
        # Behind the arguments is the state, if there is one.
        state, body = body[len(body) - length :], body[: len(body) - length]
        telling.state = frames.unpack(header["state as"], state) if "state as" in header else None
        send(Tag.OUTCOME, outcome(functions, header, body))


def leave_end_to_worker() -> None:
    """SIGTERM, which some send to all processes of a service at once, ends no job: the worker does, when it is time.

    Processes that a job starts are ended by it as ever.
    """
    own = os.getpid()

    def terminated(*_: object) -> None:
        if os.getpid() != own:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)

    signal.signal(signal.SIGTERM, terminated)


def outcome(functions: Functions, header: dict[str, Any], body: bytes) -> bytes:
    """Call a function, and say how that went."""
    try:
        arguments, named = frames.arguments_of(header.get("as"), body)
        value = functions[header["do"]](*arguments, **named)
        try:
            return frames.result(value)
        except (TypeError, ValueError) as error:
            return frames.failure(type(error).__name__, f"what {header['do']} returned cannot travel: {error}")
    except BaseException as error:
        # The first frame is this one.
        trace = traceback.TracebackException.from_exception(error)
        del trace.stack[:1]
        return frames.failure(type(error).__name__, str(error), "".join(trace.format()))


def functions_of(module: ModuleType) -> Functions:
    """The functions that a module offers: those in its C{__all__}; without one, those that it defines itself and whose
    names have no leading underscore.

    @raise ValueError: if there are none.
    """
    names = getattr(module, "__all__", None)
    if names is not None:
        functions = {name: getattr(module, name) for name in names if callable(getattr(module, name))}
    else:
        functions = {
            name: value
            for name, value in vars(module).items()
            if inspect.isfunction(value) and value.__module__ == module.__name__ and not name.startswith("_")
        }
    if not functions:
        raise ValueError(f"module {module.__name__} has no functions to offer")
    return functions


def _load(name: str) -> ModuleType:
    """A module by its name, or by the path of its file."""
    # As python -m does, and python FILE.
    folder, name = os.path.split(name) if name.endswith(".py") else ("", name)
    sys.path[0] = os.path.abspath(folder or os.curdir)
    return importlib.import_module(name.removesuffix(".py"))


def _is_missing(name: str, error: BaseException) -> bool:
    """Whether there is no such module: then nothing of the user's has failed."""
    named = os.path.basename(name).removesuffix(".py") if name.endswith(".py") else name
    return isinstance(error, ModuleNotFoundError) and f"{named}.".startswith(f"{error.name}.")


def receive(worker: socket.socket) -> bytes:
    """The next message.

    @raise EOFError: when the worker is gone.
    """
    (length,) = LENGTH.unpack(_exactly(worker, LENGTH.size))
    return _exactly(worker, length)


def _exactly(worker: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = worker.recv(min(length - len(data), 1 << 20))
        if not part:
            raise EOFError
        data += part
    return bytes(data)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
