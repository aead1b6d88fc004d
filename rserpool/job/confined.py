"""Runs one job that brings its own code, where it can do no harm: what C{twistd rserpool-worker --accept-code} starts.

Three processes, of which the worker starts the first, as root. The I{warden} leaves the namespaces of mounts, processes
and IPC for new ones; the I{first} in these is number 1 there, makes the view of the file system, and sees to it that
all others end with the job; the I{job} gives all rights up, and only then reads what it is to do. When the descriptor
PARENT closes, or the worker is killed, the kernel ends them all. Nothing of the worker's memory is in them: this is a
new Python, with an environment that says nothing.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from dataclasses import asdict, fields
from typing import NoReturn

from rserpool.core.compute import frames
from rserpool.core.compute.frames import Tag
from rserpool.core.frozen import frozen
from rserpool.job import code, linux
from rserpool.job.__main__ import LENGTH, SOCKET, leave_end_to_worker
from rserpool.job.view import Trouble, build

PARENT = 4
OPEN_FILES = 256
_NOT_BEGUN = 111
"""The status of who has told why it does not begin."""


@frozen
class Limits:
    """Of one job.

    @ivar uid: the user and the group that it runs as; C{gid}, too.
    @ivar memory: bytes of address space of each of its processes.
    @ivar seconds: of processor time of each; 0 for as much as it takes.
    @ivar disk: bytes that it may write, all files together.
    @ivar processes: that its user may have, threads included.
    @ivar secrets: files that it must not read.
    """

    uid: int
    gid: int
    memory: int
    seconds: float
    disk: int
    processes: int
    secrets: tuple[str, ...] = ()

    def text(self) -> str:
        """For a command line."""
        return json.dumps(asdict(self))


def limits_of(text: str) -> Limits:
    """What L{Limits.text} made."""
    given = json.loads(text)
    return Limits(**{each.name: given[each.name] for each in fields(Limits)})


def main(text: str) -> int:
    """Be the warden.

    @return: the status to end with: that of the job.
    """
    limits = limits_of(text)
    linux.end_with_parent()
    # Who has a terminal could type into it.
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.closerange(PARENT + 1, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 20 else 1 << 20)
    with socket.socket(fileno=SOCKET) as worker:
        if not _told(worker, lambda: _leave(limits)):
            return _NOT_BEGUN
        first = os.fork()
        if not first:
            _first(worker, limits)
    # Ready when it has ended, and with it all that was in its namespace.
    ended = os.pidfd_open(first)
    ready, _, _ = select.select([PARENT, ended], [], [])
    if ended not in ready:
        os.kill(first, signal.SIGKILL)
    _, status = os.waitpid(first, 0)
    return _status(status)


def _leave(limits: Limits) -> None:
    if limits.uid == 0 or limits.uid == os.getuid():
        raise Trouble("jobs run as another user than the worker, and not as root: --code-user names whom")
    code.pickler()
    try:
        linux.unshare(linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWIPC)
    except OSError as error:
        raise Trouble(
            f"a job cannot be confined here ({error.strerror}): start the worker as root, without --uid, and in a "
            "container with CAP_SYS_ADMIN"
        ) from None


def _first(worker: socket.socket, limits: Limits) -> NoReturn:
    """Number 1 of the new namespace: with it all others end."""
    status = _NOT_BEGUN
    try:
        folder = ""

        def mounted() -> None:
            nonlocal folder
            folder = build(limits.uid, limits.gid, limits.secrets, limits.disk)
            # Who has been another user for a while loses it: not sooner.
            linux.end_with_parent()
            if select.select([PARENT], [], [], 0)[0]:
                os._exit(_NOT_BEGUN)

        if _told(worker, mounted):
            job = os.fork()
            if not job:
                _job(worker, limits, folder)
            # Nothing of what the job has is ours to hold.
            os.closerange(0, PARENT + 1)
            while True:
                pid, ended = os.wait()
                if pid == job:
                    status = _status(ended)
                    break
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _job(worker: socket.socket, limits: Limits, folder: str) -> NoReturn:
    try:
        os.close(PARENT)
        if _told(worker, lambda: _give_up(limits, folder)):
            code.serve(worker)
    except BaseException:
        traceback.print_exc()
    finally:
        # Nobody waits for its threads.
        os._exit(0)


def _give_up(limits: Limits, folder: str) -> None:
    """All rights, for ever; and be sure of it."""
    uid, gid = limits.uid, limits.gid
    # Where memory is short it ends before the worker does.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="utf-8") as file:
        file.write("1000")
    linux.leave_keyring()
    linux.give_up_capabilities_to_come()
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    linux.give_up_capabilities()
    linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    leave_end_to_worker()
    os.umask(0o077)
    os.environ.clear()
    os.environ |= {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": folder, "TMPDIR": folder}
    os.chdir(folder)
    _limit(limits)
    _verify(uid, gid)


def _limit(limits: Limits) -> None:
    bounds = {
        resource.RLIMIT_AS: limits.memory,
        resource.RLIMIT_FSIZE: limits.disk,
        resource.RLIMIT_NPROC: limits.processes,
        resource.RLIMIT_NOFILE: OPEN_FILES,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
        resource.RLIMIT_NICE: 0,
        resource.RLIMIT_RTPRIO: 0,
    }
    if limits.seconds:
        # A while later nobody is asked any more.
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(limits.seconds), math.ceil(limits.seconds) + 60))
    for which, bound in bounds.items():
        highest = resource.getrlimit(which)[1]
        least = bound if highest == resource.RLIM_INFINITY else min(bound, highest)
        resource.setrlimit(which, (least, least))


def _verify(uid: int, gid: int) -> None:
    """Whether it has no rights, as the kernel sees it."""
    with open("/proc/self/status", encoding="utf-8") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    wrong = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(status[name], 16)]
    wrong += ["Uid"] * (os.getresuid() != (uid,) * 3) + ["Gid"] * (os.getresgid() != (gid,) * 3)
    wrong += ["Groups"] * bool(os.getgroups()) + ["NoNewPrivs"] * (status["NoNewPrivs"] != "1")
    left = [int(each) for each in os.listdir("/proc/self/fd") if int(each) > SOCKET and _is_open(int(each))]
    wrong += [f"descriptor {each}" for each in left]
    if wrong:
        raise Trouble(f"a job keeps what it must not have ({', '.join(wrong)}): this kernel is not known to us")
    if not os.access(os.__file__, os.R_OK):
        raise Trouble(f"user {uid} cannot read this Python ({os.path.dirname(os.__file__)}): chmod -R go+rX it")


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _told(worker: socket.socket, act: Callable[[], object]) -> bool:
    """Do it; the worker is told what is wrong with it."""
    try:
        act()
    except (Trouble, OSError, ImportError, ValueError, KeyError) as error:
        says = str(error) if isinstance(error, Trouble) else f"a job cannot be confined here: {error}"
        message = bytes((Tag.BROKEN,)) + frames.failure("Trouble", says)
        worker.sendall(LENGTH.pack(len(message)) + message)
        return False
    return True


def _status(ended: int) -> int:
    how = os.waitstatus_to_exitcode(ended)
    return how if how >= 0 else 128 - how


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
