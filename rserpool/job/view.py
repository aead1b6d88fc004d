"""What a confined process sees of the file system: all of it, read-only, without secrets, and one place to write to.

It is in a mount namespace of its own: what is mounted here is gone with the last process in it, and so is what that
wrote.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rserpool.job import linux

WRITABLE: Final = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108
"""Where everybody may write: a confined process has its own directory there."""
_SEE: Final = linux.MS_NOSUID | linux.MS_NODEV


class Trouble(Exception):
    """Nothing can be confined here; the text says what to do."""


def build(uid: int, gid: int, secrets: Sequence[str], size: int) -> str:
    """Mount it; as root, in a mount namespace of our own.

    @param uid: who will see it; C{gid}, too.
    @param secrets: files that it must not read.
    @param size: bytes that can be written.
    @return: the directory to write to.
    @raise Trouble: if it cannot be, or the user may read a secret.
    @raise OSError: if the kernel refuses something.
    """
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    linux.seal("/", everything_below=True)
    needed = _topmost(_needed())
    wrong = [(f"owns {each}", each) for each in secrets if _owned(uid, each)]
    with _as_user(uid, gid):
        wrong += [(f"can read {each}", each) for each in secrets if _readable(each)]
        blocked = {each: _blocked(each) for each in needed}
    for what, path in wrong:
        raise Trouble(f"user {uid}, whom --code-user names, {what}: chown root {path}; chmod 0600 {path}")
    writable = [each for each in WRITABLE if os.path.isdir(each) and not os.path.islink(each)]
    free = [each for each in writable if not any(_within(path, each) for path in needed)]
    if not free:
        raise Trouble(f"this Python lies where everybody may write ({', '.join(writable)}): install it elsewhere")
    masked = _topmost({each for each in blocked.values() if each is not None})
    opened = {path: os.open(path, os.O_PATH) for path in needed if any(_within(path, each) for each in masked)}
    for folder in masked:
        linux.mount("tmpfs", folder, "tmpfs", _SEE, "mode=755,size=1m")
    for path, descriptor in opened.items():
        os.makedirs(path, mode=0o755, exist_ok=True)
        linux.mount(f"/proc/self/fd/{descriptor}", path, flags=linux.MS_BIND)
        os.close(descriptor)
    for folder in masked:
        linux.seal(folder)
    _hide(secrets, needed)
    first, *others = free
    linux.mount("tmpfs", first, "tmpfs", _SEE, f"mode=1777,size={size},nr_inodes=20000")
    for other in others:
        linux.mount(first, other, flags=linux.MS_BIND)
    linux.mount("proc", "/proc", "proc", _SEE | linux.MS_NOEXEC)
    return first


def _needed() -> set[str]:
    """Directories without which Python does not run, or finds no modules."""
    package = Path(__file__).resolve().parent.parent
    paths = {str(package), sys.base_prefix, sys.prefix, *sys.path}
    # The root of everything is there, and a checkout is more than the package in it.
    ours = {"", "/", str(package.parent)}
    return {os.path.realpath(each) for each in paths if each not in ours and os.path.isabs(each)}


def _owned(uid: int, path: str) -> bool:
    try:
        return os.stat(path).st_uid == uid
    except OSError:
        return False


def _readable(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True


def _hide(secrets: Iterable[str], needed: Collection[str]) -> None:
    """Their folders have nothing in them, as far as nothing else is needed from there."""
    folders = {os.path.dirname(os.path.realpath(each)) for each in secrets if os.path.exists(each)}
    for folder in _topmost(folders):
        if folder != "/" and not any(_within(path, folder) for path in needed) and folder not in WRITABLE:
            linux.mount("tmpfs", folder, "tmpfs", _SEE | linux.MS_NOEXEC | linux.MS_RDONLY, "mode=0,size=4k")


def _blocked(path: str) -> str | None:
    """The first directory on the way there that the present user may not enter; None if it gets there."""
    way = [*reversed(Path(path).parents), Path(path)]
    for each in way:
        if not os.access(each, os.X_OK if each != way[-1] else os.X_OK | os.R_OK, effective_ids=True):
            return str(each)
    return None


def _topmost(paths: Iterable[str]) -> list[str]:
    """Those that are within no other one."""
    top: list[str] = []
    for path in sorted(paths):
        if os.path.isdir(path) and not any(_within(path, each) for each in top):
            top.append(path)
    return top


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


@contextmanager
def _as_user(uid: int, gid: int) -> Any:
    """With the rights of this user, and ours again."""
    before = os.geteuid(), os.getegid()
    os.setgroups([])
    os.setegid(gid)
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(before[0])
        os.setegid(before[1])
