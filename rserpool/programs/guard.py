"""Runs a program, and ends it with all that it started when its parent is gone, also if that was killed.

C{python -I -S guard.py GRACE USER -- PROGRAM...}: descriptor 3 is a pipe whose other end the parent has. When it closes
the program gets SIGTERM, and SIGKILL after GRACE seconds. USER is C{UID:GID}, or C{-}. It ends as the program does. No
other module of this package is needed, so that it is small.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable

PARENT = 3
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
CANNOT_RUN = 126
NOT_FOUND = 127
LINUX = sys.platform == "linux"


def main(arguments: list[str]) -> int:
    """Run it.

    @return: the status to end with.
    """
    grace, user, _, *words = arguments
    libc = ctypes.CDLL(None) if LINUX else None
    if libc is not None:
        # Whoever is left behind becomes our child, and is found.
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    # The parent closes the pipe; what a terminal sends goes to us all.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        program = subprocess.Popen(words, preexec_fn=prepared(user, libc), start_new_session=True)  # noqa: PLW1509, S603
    except OSError as error:
        print(f"{words[0]}: {error.strerror}", file=sys.stderr)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else CANNOT_RUN
    while program.poll() is None:
        ready, _, _ = select.select([PARENT, woken], [], [])
        with contextlib.suppress(BlockingIOError):
            os.read(woken, 4096)
        if PARENT in ready and not os.read(PARENT, 1):
            end(program, float(grace), woken)
            break
        reap(program)
    if LINUX:
        kill_the_rest()
    return program.returncode if program.returncode >= 0 else 128 - program.returncode


def prepared(user: str, libc: ctypes.CDLL | None) -> Callable[[], None]:
    """What the child does before it becomes the program."""

    def prepare() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        if user != "-":
            uid, gid = map(int, user.split(":"))
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        if libc is not None:
            # After the user: who changes that loses it.
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

    return prepare


def end(program: "subprocess.Popen[bytes]", grace: float, woken: int) -> None:
    """Ask the program to end, and then see to it."""
    deadline = time.monotonic() + grace
    to_group(program, signal.SIGTERM)
    while program.poll() is None and time.monotonic() < deadline:
        select.select([woken], [], [], max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(BlockingIOError):
            os.read(woken, 4096)
    to_group(program, signal.SIGKILL)
    program.wait()


def to_group(program: "subprocess.Popen[bytes]", number: int) -> None:
    """Send a signal to the program and those that it started and that stayed in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, number)


def reap(program: "subprocess.Popen[bytes]") -> None:
    """Those that were left behind have ended; the program itself is not waited for here."""
    for pid in children():
        if pid != program.pid:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)


def kill_the_rest() -> None:
    """Linux: what the program started and left behind."""
    for _ in range(1000):
        rest = children()
        if not rest:
            return
        for pid in rest:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def children() -> list[int]:
    """Our own."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(pid) for pid in file.read().split()]
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
