"""What the C library of Linux does and the standard library does not: namespaces, mounts, capabilities, prctl."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import sys
from typing import Final

LINUX: Final = sys.platform == "linux"

CLONE_NEWNS: Final = 0x00020000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWPID: Final = 0x20000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 1, 4, 24, 38, 47
PR_SET_CHILD_SUBREAPER: Final = 36
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4

_MOUNT_SETATTR: Final = 442
_AT_FDCWD, _AT_RECURSIVE, _ATTR_RDONLY, _ATTR_NOSUID = -100, 0x8000, 1, 2
_KEYCTL: Final = {"x86_64": 250, "aarch64": 219, "riscv64": 219}
_JOIN_SESSION_KEYRING: Final = 1
_CAPABILITIES_3: Final = 0x20080522
_MOST_CAPABILITIES: Final = 64


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def unshare(flags: int) -> None:
    """Leave these namespaces for new ones; where that is of processes, the next child is the first of it."""
    _call("unshare", flags)


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """As mount(2) has it."""
    _call("mount", source.encode(), os.fsencode(target), kind.encode() or None, ctypes.c_ulong(flags), options.encode())


def seal(target: str, everything_below: bool = False) -> None:
    """Nothing there can be written any more, nor gives anybody other rights (Linux 5.12)."""
    attributes = (ctypes.c_uint64 * 4)(_ATTR_RDONLY | _ATTR_NOSUID, 0, 0, 0)
    below = _AT_RECURSIVE if everything_below else 0
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    _call("syscall", _MOUNT_SETATTR, _AT_FDCWD, os.fsencode(target), below, ctypes.byref(attributes), size)


def prctl(option: int, *arguments: int) -> None:
    """As prctl(2) has it."""
    _call("prctl", option, *(ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4]))


def end_with_parent() -> None:
    """Be killed when the process that started us is gone; on Linux alone."""
    if LINUX:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def give_up_capabilities_to_come() -> None:
    """Whatever is executed from now on gets none; before the user changes."""
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    for number in range(_MOST_CAPABILITIES):
        try:
            prctl(PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            return


def give_up_capabilities() -> None:
    """Have none at all, also where the user that we became was not root before."""
    header, none = _Header(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)()
    _call("capset", ctypes.byref(header), none)


def leave_keyring() -> None:
    """Have a session keyring of our own: that of who started us holds keys of theirs."""
    number = _KEYCTL.get(platform.machine())
    if number is not None:
        try:
            _call("syscall", number, _JOIN_SESSION_KEYRING, None)
        except OSError as error:
            # A kernel without keyrings has no keys in them.
            if error.errno != errno.ENOSYS:
                raise


def _call(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), name)
