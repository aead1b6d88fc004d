"""What users and elements of this host go by where no option says otherwise: the table C{[user]} of some files.

These are C{rserpool/user.toml} in the user's own folder of settings (C{~/.config}, or what XDG_CONFIG_HOME names), and
C{/etc/rserpool/user.toml}. What a command line, an endpoint string or a program says comes first, then the environment,
then the user's file, then that of the machine; a key that one of them lacks is looked for in the next.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rserpool.core.errors import ConfigurationError

# Most hosts have no such file, and are spared what reads it.
if TYPE_CHECKING:
    from rserpool.config.file import ConfigFile, Place
    from rserpool.security.text import Written

CONFIG: Final = "RSERPOOL_CONFIG"
"""The environment variable that names a file that is read instead of both; C{none} for none."""
NONE: Final = "none"
MACHINE: Final = Path("/etc/rserpool/user.toml")


def files() -> list[Path]:
    """Where such files may be; that which counts most first."""
    named = os.environ.get(CONFIG, "")
    if named:
        return [] if named == NONE else [Path(named).expanduser()]
    home = os.environ.get("XDG_CONFIG_HOME", "")
    own = Path(home) if os.path.isabs(home) else Path("~/.config").expanduser()
    return [own / "rserpool" / "user.toml", MACHINE]


def may_say() -> bool:
    """Whether there is anything to read."""
    # One that the environment names has to be there.
    return os.environ.get(CONFIG, "") not in ("", NONE) or any(map(os.path.exists, files()))


_read: dict[Path, tuple[Any, ConfigFile]] = {}


def _files() -> list[ConfigFile]:
    """Those that are there; one that the environment names has to be."""
    there = []
    for path in files():
        try:
            status = path.stat()
        except OSError as error:
            if os.environ.get(CONFIG):
                from rserpool.config.file import unreadable

                raise ConfigurationError(f"{CONFIG}: {unreadable(path, error)}") from None
            # There is none, or this user may not know; in neither case does it say anything.
            continue
        stamp = status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode, status.st_uid
        if path not in _read or _read[path][0] != stamp:
            from rserpool.config.user_keys import read_user_file

            _read[path] = stamp, read_user_file(path)
        there.append(_read[path][1])
    return there


def said(name: str) -> tuple[Any, Place] | None:
    """What these files say about a key of C{[user]}, and where; None if nothing.

    @raise ConfigurationError: if something is wrong with one of them, with its line.
    """
    for file in _files():
        if name in file.tables["user"]:
            return file.tables["user"][name], file.place("user", name)
    return None


def usual(*names: str) -> dict[str, str]:
    """What these files say about some keys of C{[user]} that have one value, C{yes} or C{no} for a flag; without those
    that nothing is said about.

    @raise ConfigurationError: as L{said} does.
    """
    found = {name: said(name) for name in names}
    return {name: _word(answer[0]) for name, answer in found.items() if answer is not None}


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def security_said() -> tuple[Written, Place] | None:
    """What the table C{[security]} of these files says; None if none has one.

    @raise ConfigurationError: as L{said} does.
    """
    for file in _files():
        from rserpool.config.words import security_of_file

        written = security_of_file(file)
        if written is not None:
            return written, file.place("security")
    return None
