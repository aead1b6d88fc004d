"""Files that only their owner may read: keys, and the private keys of certificates."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from rserpool.core.errors import ConfigurationError

LARGEST = 16 * 1024 * 1024
"""Bytes of a file, at most: who names a disk by mistake gets a sentence."""


def read_secret(path: Path) -> bytes:
    """What is in a file that nobody but its owner may read or write.

    @raise ConfigurationError: if it cannot be read, or others may: it says what to do.
    """
    return _read(path, secret=True)


def read_public(path: Path) -> bytes:
    """What is in a file that all may read, but only its owner may write.

    @raise ConfigurationError: if it cannot be read, or others may write it.
    """
    return _read(path, secret=False)


def absolute(text: str, folder: Path) -> Path:
    """The file that a text of a configuration file names, where C{~} and variables of the environment may be.

    @param folder: what it is relative to.
    """
    return folder / Path(os.path.expandvars(text)).expanduser()


def _read(path: Path, secret: bool) -> bytes:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            wrong = wrong_mode(status, path, secret)
            if wrong:
                raise ConfigurationError(wrong)
            if status.st_size > LARGEST:
                raise ConfigurationError(f"{path}: this is too large ({status.st_size} bytes)")
            return file.read(LARGEST)
    except OSError as error:
        raise ConfigurationError(f"{path}: it cannot be read: {error.strerror or error}") from None


def _is_credential(path: Path) -> bool:
    """Whether systemd has put it there for this process (C{LoadCredential=}), and nobody else gets there."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not os.path.isabs(folder) or path.absolute().parent != Path(folder):
        return False
    status = os.stat(folder)
    return status.st_uid in (0, os.geteuid()) and not status.st_mode & 0o027


def wrong_mode(status: os.stat_result, path: Path, secret: bool) -> str:
    """What is wrong with who may read and write a file; empty if all is well."""
    if not stat.S_ISREG(status.st_mode):
        return f"{path}: this is not a file"
    mode = stat.S_IMODE(status.st_mode)
    if os.name != "posix":
        return ""
    if secret and mode & 0o077 == 0o040 and status.st_uid in (0, os.geteuid()) and _is_credential(path):
        # systemd lets the service alone read it, by an access list that shows as the mask of a group.
        return ""
    if secret and mode & 0o077:
        may = "read" if mode & 0o044 else "write"
        return f"{path}: others than its owner may {may} it (mode {mode:04o}): chmod 0600 {path}"
    if mode & 0o022:
        return f"{path}: others than its owner may write it (mode {mode:04o}): chmod go-w {path}"
    return ""
