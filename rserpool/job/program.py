"""A slot of a worker that runs a program for each job, and ends with the job all that it started.

C{python -m rserpool.job.program PROGRAM...}: it talks to its worker as L{rserpool.job.__main__} does. What the program
gets is the job's one argument: bytes as they are, and anything else as JSON (of several arguments a list of them). What
it prints until it ends is the result: bytes where the job was bytes, and JSON otherwise. A status that is not 0 is a
failure of the job, and so is a signal.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, Final

from rserpool.core.compute import frames
from rserpool.core.compute.frames import Tag
from rserpool.job import linux
from rserpool.job.__main__ import LENGTH, SOCKET, receive

TAIL: Final = 4096
"""So much of what a program that fails said on standard error is told to the user."""
READ: Final = 1 << 16


class _Over(Exception):
    """Nobody waits for the job any more."""


def main(words: Sequence[str]) -> None:
    """Serve until the worker closes the socket, or is killed."""
    woken, wakes = os.pipe()
    for end in (woken, wakes):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # It is the worker that ends us.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if linux.LINUX:
        # Whoever is left behind becomes our child, and is found.
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    worker = socket.socket(fileno=SOCKET)

    def send(tag: Tag, message: bytes) -> None:
        worker.sendall(LENGTH.pack(len(message) + 1) + bytes((tag,)) + message)

    with contextlib.suppress(EOFError, ConnectionError, _Over):
        send(Tag.READY, frames.encode({"functions": [os.path.basename(words[0])]}))
        while True:
            header, body = frames.decode(receive(worker))
            send(Tag.OUTCOME, _outcome(words, header, body, worker, woken))


def _outcome(words: Sequence[str], header: dict[str, Any], body: bytes, worker: socket.socket, woken: int) -> bytes:
    try:
        given = _given(header, body)
    except frames.BadFrame as error:
        return frames.failure("BadFrame", str(error))
    try:
        program = subprocess.Popen(  # noqa: S603
            words,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_prepare,  # noqa: PLW1509
        )
    except OSError as error:
        return frames.failure(type(error).__name__, f"{words[0]}: {error.strerror}")
    try:
        printed, said = _talk(program, given, worker, woken)
    finally:
        _end(program)
    if len(printed) > frames.LONGEST:
        return frames.failure("TooLong", f"it printed more than {frames.LONGEST} bytes")
    status = program.returncode
    if status:
        how = f"killed by signal {-status}" if status < 0 else f"ended with status {status}"
        return frames.failure("ProgramFailed", how, said.decode("utf-8", "replace"))
    if header.get("as") == frames.BYTES:
        return frames.result(bytes(printed))
    try:
        return frames.result(frames.unpack(frames.JSON, bytes(printed)))
    except frames.BadFrame:
        return frames.failure("NotJSON", "the job was JSON, and what the program printed is none")


def _given(header: dict[str, Any], body: bytes) -> bytes:
    """What the program reads.

    @raise BadFrame: if the arguments are none.
    """
    arguments, named = frames.arguments_of(header.get("as"), body[: len(body) - int(header.get("state", 0))])
    if named:
        raise frames.BadFrame("a program has no named arguments")
    return frames.pack(arguments[0] if len(arguments) == 1 else list(arguments))[1]


def _talk(
    program: subprocess.Popen[bytes], given: bytes, worker: socket.socket, woken: int
) -> tuple[bytearray, bytearray]:
    """Give it what it reads, and hear what it says, until it ends or has said too much.

    @raise _Over: if the worker is gone.
    """
    printed, said, left = bytearray(), bytearray(), memoryview(given)
    pipes: Any = (program.stdin, program.stdout, program.stderr)
    with selectors.DefaultSelector() as selector:
        for pipe, event in zip(pipes, (selectors.EVENT_WRITE, *[selectors.EVENT_READ] * 2), strict=True):
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, event)
        selector.register(worker, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while len(printed) <= frames.LONGEST:
            over = program.poll() is not None
            ready = [key.fileobj for key, _ in selector.select(0 if over else None)]
            if worker in ready:
                raise _Over
            if program.stdin in ready and not (left := _write(program.stdin, left)):
                selector.unregister(program.stdin)
                pipes[0].close()
            heard = False
            for pipe, into in ((program.stdout, printed), (program.stderr, said)):
                if pipe in ready:
                    data = os.read(pipe.fileno(), READ)
                    heard = heard or bool(data)
                    into += data
                    if not data:
                        selector.unregister(pipe)
                    elif into is said:
                        sys.stderr.buffer.write(data)
                        sys.stderr.buffer.flush()
                        del said[:-TAIL]
            if over and not heard:
                break
            if woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(woken, READ)
    return printed, said


def _write(pipe: Any, left: memoryview) -> memoryview:
    """Write what it takes; nothing is left where it takes no more."""
    try:
        return left[os.write(pipe.fileno(), left[:READ]) :]
    except BlockingIOError:
        return left
    except OSError:
        return left[:0]


def _end(program: subprocess.Popen[bytes]) -> None:
    """It, and whatever it has left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()
    for pipe in (program.stdin, program.stdout, program.stderr):
        if pipe is not None:
            pipe.close()
    while rest := _children():
        for pid in rest:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="utf-8") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


def _prepare() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    linux.end_with_parent()


if __name__ == "__main__":
    main(sys.argv[1:])
