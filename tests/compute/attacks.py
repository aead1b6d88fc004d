"""What a job tries that was written by somebody who means harm; each tells how far it got.

They travel by value, and import what they need when they run.
"""

from __future__ import annotations

from typing import Any


def tried(*paths: str) -> dict[str, str]:
    """Read files and list folders."""
    import os

    got = {}
    for path in paths:
        try:
            if os.path.isdir(path):
                got[path] = f"folder: {os.listdir(path)}"
            else:
                with open(path, "rb") as file:
                    got[path] = f"read: {len(file.read(1000))}"
        except OSError as error:
            got[path] = type(error).__name__
    return got


def surroundings() -> dict[str, Any]:
    """What it finds about itself and others."""
    import os

    def holds(path: str) -> str:
        try:
            with open(path, "rb") as file:
                return repr(file.read())
        except OSError as error:
            return type(error).__name__

    listing = os.open("/proc/self/fd", os.O_RDONLY)
    descriptors = sorted(int(each) for each in os.listdir(listing) if int(each) != listing)
    os.close(listing)
    limit = [line for line in open("/proc/self/limits") if line.startswith("Max core")]
    return {
        "environment": {**os.environ},
        "initial": [holds(f"/proc/{pid}/environ") for pid in ("self", "1")],
        "processes": sorted(int(each) for each in os.listdir("/proc") if each.isdigit()),
        "descriptors": [each for each in descriptors if _open(each)],
        "ids": [*os.getresuid(), *os.getresgid(), *os.getgroups()],
        "core": limit[0].split()[4:6],
        "terminal": holds("/dev/tty"),
        "writable": os.access("/etc", os.W_OK) or os.access("/", os.W_OK),
    }


def _open(descriptor: int) -> bool:
    import os

    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def grip(pid: int) -> dict[str, Any]:
    """Take hold of a process: of the worker, and of number 1."""
    import ctypes
    import os
    import signal

    libc = ctypes.CDLL(None, use_errno=True)
    got: dict[str, Any] = {}
    for name, number in (("worker", pid), ("first", 1)):
        attached = libc.ptrace(16, number, 0, 0)
        got[f"{name} traced"] = attached == 0
        for file in ("mem", "environ", "maps", "root", "fd"):
            path = f"/proc/{number}/{file}"
            try:
                if file in ("root", "fd"):
                    os.listdir(path)
                else:
                    with open(path, "rb") as opened:
                        opened.read(1)
                got[f"{name} {file}"] = True
            except OSError:
                got[f"{name} {file}"] = False
        try:
            os.kill(number, signal.SIGKILL)
            got[f"{name} killed"] = True
        except OSError:
            got[f"{name} killed"] = False
    return got


def rise(setuid_file: str) -> dict[str, Any]:
    """Get rights back."""
    import ctypes
    import os
    import subprocess

    got: dict[str, Any] = {}
    for what in ("setuid", "setgid", "seteuid", "setegid"):
        try:
            getattr(os, what)(0)
            got[what] = True
        except OSError:
            got[what] = False
    try:
        os.setgroups([0])
        got["setgroups"] = True
    except OSError:
        got["setgroups"] = False
    done = subprocess.run([setuid_file, "-u"], capture_output=True, text=True, check=False)
    got["setuid file"] = done.stdout.strip()
    libc = ctypes.CDLL(None, use_errno=True)
    got["mounts"] = libc.mount(b"none", b"/", None, ctypes.c_ulong(32 | 4096), None) == 0
    # With a user namespace of its own it has rights there, and none here.
    for name, command in (("remounted", "mount -o remount,bind,rw /"), ("uncovered", "umount /proc")):
        words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", command]
        got[name] = subprocess.run(words, capture_output=True, check=False).returncode == 0
    return got


def outlive(seconds: int) -> int:
    """Leave a daemon behind, as daemons do it: twice forked, with a session of its own, deaf, in nobody's group."""
    import os
    import signal

    ready, tells = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
                signal.signal(number, signal.SIG_IGN)
            os.write(tells, b"!")
            os.closerange(0, 256)
            os.execvp("sleep", ["sleep", str(seconds)])
        os._exit(0)
    os.read(ready, 1)
    return os.getpid()


def leave_things() -> list[str]:
    """Write wherever that is possible, and keep what would survive a process."""
    import builtins
    import ctypes
    import os

    left = []
    for folder in ("/tmp", "/var/tmp", "/dev/shm", os.getcwd(), "/run", "/var/lock", "/home", "/dev/mqueue"):
        try:
            with open(f"{folder}/left-by-a-job", "w") as file:
                file.write("here")
            left.append(folder)
        except OSError:
            pass
    builtins.left_by_a_job = True  # type: ignore[attr-defined]
    libc = ctypes.CDLL(None, use_errno=True)
    left.append(f"shm {libc.shmget(0x1234, 4096, 0o1666) >= 0}")
    return left


def find_things() -> list[Any]:
    """What an earlier job has left."""
    import builtins
    import ctypes
    import os

    found: list[Any] = [
        folder
        for folder in ("/tmp", "/var/tmp", "/dev/shm", os.getcwd(), "/run", "/var/lock", "/home", "/dev/mqueue")
        if os.path.exists(f"{folder}/left-by-a-job")
    ]
    libc = ctypes.CDLL(None, use_errno=True)
    return [*found, hasattr(builtins, "left_by_a_job"), libc.shmget(0x1234, 4096, 0) >= 0, os.listdir(os.getcwd())]


def fill(what: str) -> Any:
    """Use up all there is."""
    import os
    import threading

    if what == "memory":
        return len(bytearray(2**40))
    if what == "time":
        while True:
            pass
    if what == "disk":
        written = 0
        for number in range(10_000):
            with open(f"file{number}", "wb") as file:
                written += file.write(bytes(2**20))
        return written
    if what == "files":
        return [os.open("/dev/null", os.O_RDONLY) for _ in range(10_000)]
    if what == "threads":
        for _ in range(10_000):
            threading.Thread(target=threading.Event().wait, daemon=True).start()
    while True:
        os.fork()


def kill_everybody() -> str:
    """All whom it may."""
    import os
    import signal

    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return "nobody"
    return "somebody"


def say(*messages: bytes, then: Any = None) -> Any:
    """Speak to the worker itself."""
    import os

    for message in messages:
        os.write(3, message)
    return then


def vanish(how: str) -> None:
    """End without a word."""
    import os
    import signal
    import time

    if how == "exit":
        os._exit(0)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "close":
        os.close(3)
        time.sleep(1000)


def flood() -> None:
    """Never be silent."""
    from rserpool.job import checkpoint, progress

    while True:
        progress(0.5)
        checkpoint(b"x" * 40_000)


class Evil:
    """Does something where it is unpickled."""

    def __reduce__(self) -> Any:
        import os

        return os.mkdir, ("unpickled-by-somebody",)


def answer_pickled(how: str) -> Any:
    """Have the user unpickle something."""
    import pickle

    data = pickle.dumps(Evil())
    if how == "bytes":
        return data
    if how == "object":
        return Evil()
    raise ValueError(data)
