"""The keys of the table C{[user]}, and what is wrong with a file that has it (L{rserpool.config.user})."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from rserpool.config.file import ConfigFile, read_file
from rserpool.config.keys import Key, Kind, problems_of, texts_of
from rserpool.config.words import security_problems
from rserpool.core.errors import ConfigurationError
from rserpool.core.profiles import profile
from rserpool.core.reading import one_of, parse_transport_address, with_port

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


def read_user_file(path: Path) -> ConfigFile:
    """One that may have such a table, and one of security.

    @raise ConfigurationError: if something is wrong with it, with its line.
    """
    file = read_file(path)
    problems = [*problems_of(file, "user", USER_KEYS).values(), *problems_of_user(file), *security_problems(file)]
    if problems:
        raise ConfigurationError(problems[0])
    return file


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
