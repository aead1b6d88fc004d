"""What users and elements of this host go by where no option says otherwise: the table C{[user]} of some files.

These are C{rserpool/user.toml} in the user's own folder of settings (C{~/.config}, or what XDG_CONFIG_HOME names), and
C{/etc/rserpool/user.toml}. What a command line, an endpoint string or a program says comes first, then the environment,
then the user's file, then that of the machine; a key that one of them lacks is looked for in the next.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from rserpool.config.file import ConfigFile, Place, read_file, unreadable
from rserpool.config.keys import Key, Kind, problems_of, texts_of
from rserpool.config.words import security_of_file, security_problems
from rserpool.core.errors import ConfigurationError
from rserpool.core.profiles import profile
from rserpool.core.reading import one_of, parse_transport_address, with_port
from rserpool.security.text import Written

CONFIG: Final = "RSERPOOL_CONFIG"
"""The environment variable that names a file that is read instead of both; C{none} for none."""
NONE: Final = "none"
MACHINE: Final = Path("/etc/rserpool/user.toml")
USER_KEYS: Final = {
    key.name: key
    for key in (
        Key("announce", Kind.FLAG, "false", "Also look for registrars that announce themselves by multicast."),
        Key("backend", Kind.VALUE, "auto", "SCTP: auto, kernel or usrsctp"),
        Key("profile", Kind.VALUE, "default", "timers: fast, default or rfc, and ,mtu=BYTES"),
        Key("registrar", Kind.TEXTS, "this host", "HOST:PORT[/UDPPORT] of registrars"),
        Key("transport", Kind.VALUE, "auto", "how to speak with registrars: auto, sctp or tcp"),
    )
}


def _registrar(text: str) -> object:
    return with_port(parse_transport_address(text), repr(text), "a registrar")


_PARSERS: Final[dict[str, Callable[[str], object]]] = {
    "backend": one_of("backend", ("auto", "kernel", "usrsctp")),
    "profile": profile,
    "registrar": _registrar,
    "transport": one_of("transport", ("auto", "sctp", "tcp")),
}


def files() -> list[Path]:
    """Where such files may be; that which counts most first."""
    named = os.environ.get(CONFIG, "")
    if named:
        return [] if named == NONE else [Path(named).expanduser()]
    home = os.environ.get("XDG_CONFIG_HOME", "")
    own = Path(home) if os.path.isabs(home) else Path("~/.config").expanduser()
    return [own / "rserpool" / "user.toml", MACHINE]


_read: dict[Path, tuple[Any, ConfigFile]] = {}


def _files() -> list[ConfigFile]:
    """Those that are there; one that the environment names has to be."""
    there = []
    for path in files():
        try:
            status = path.stat()
        except OSError as error:
            if os.environ.get(CONFIG):
                raise ConfigurationError(f"{CONFIG}: {unreadable(path, error)}") from None
            # There is none, or this user may not know; in neither case does it say anything.
            continue
        stamp = status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode, status.st_uid
        if path not in _read or _read[path][0] != stamp:
            file = read_file(path)
            problems = [*problems_of(file, "user", USER_KEYS).values(), *problems_of_user(file)]
            problems += security_problems(file)
            if problems:
                raise ConfigurationError(problems[0])
            _read[path] = stamp, file
        there.append(_read[path][1])
    return there


def problems_of_user(file: ConfigFile) -> list[str]:
    """What is wrong with the values of its table C{[user]}, of those that are of the right kind."""
    problems, passed = [], problems_of(file, "user", USER_KEYS)
    for name, value in file.tables["user"].items():
        try:
            for text in texts_of(name, value) if name in _PARSERS and name not in passed else ():
                _PARSERS[name](text)
        except ConfigurationError as error:
            problems.append(f"{file.place('user', name)}: {name}: {error}")
    return problems


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


def usual_words(keys: Mapping[str, Key], given: Collection[str]) -> list[str]:
    """The same as options, for those of some keys that are not given; of registrars the services find out themselves.

    @raise ConfigurationError: as L{said} does.
    """
    names = [name for name in USER_KEYS if name in keys and name not in given and name != "registrar"]
    return [
        f"--{'' if text == 'yes' else 'no-'}{name}" if USER_KEYS[name].kind is Kind.FLAG else f"--{name}={text}"
        for name, text in usual(*names).items()
    ]


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def security_said() -> tuple[Written, Place] | None:
    """What the table C{[security]} of these files says; None if none has one.

    @raise ConfigurationError: as L{said} does.
    """
    for file in _files():
        written = security_of_file(file)
        if written is not None:
            return written, file.place("security")
    return None
