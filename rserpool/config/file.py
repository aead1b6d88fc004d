"""A configuration file: its tables, and where in it each key is. Only its owner, or root, may write it."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from rserpool.config.lines import lines_of
from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.security.files import read_public

ROLES: Final = ("registrar", "element", "proxy", "worker", "user")
"""The tables of what a process runs; C{user} is what every user and element goes by where nothing else is said."""
SECURITY_TABLE: Final = "security"
TABLES: Final = (*ROLES, SECURITY_TABLE)


@frozen
class Place:
    """Where something is written.

    @ivar line: from 1.
    """

    path: Path
    line: int

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}"


@frozen
class ConfigFile:
    """What a file says.

    @ivar tables: its tables by name; one of a role that is not there is empty.
    """

    path: Path
    tables: Mapping[str, Mapping[str, Any]]
    lines: Mapping[tuple[str, ...], int]

    @property
    def written(self) -> list[str]:
        """The names of the tables that are there."""
        return [name for name in self.tables if self.tables[name] or (name,) in self.lines]

    @property
    def says_nothing(self) -> str:
        """The sentence about a file without tables."""
        return f"{self.path}: there is no table in it; write [registrar], for example"

    def place(self, *name: str) -> Place:
        """Where a key is, or else the table that it would be in."""
        while name and name not in self.lines:
            name = name[:-1]
        return Place(self.path, self.lines.get(name, 1))


def read_file(path: Path, wrong: list[str] | None = None) -> ConfigFile:
    """Read a file, and check that there are no other tables than those of the schema.

    @param wrong: what is wrong with its tables is added here, instead of raised.
    @raise ConfigurationError: if it cannot be read, others may write it, or it is not TOML; with its line.
    """
    check_owner(path)
    try:
        text = read_public(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(f"{Place(path, line)}: this is not text in UTF-8") from None
    try:
        whole = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: this is not TOML: {error}") from None
    file = ConfigFile(path, {**{name: {} for name in TABLES}, **_only_tables(whole)}, lines_of(text))
    problems = _problems_of_tables(file, whole)
    if wrong is None and problems:
        raise ConfigurationError(problems[0])
    if wrong is not None:
        wrong += problems
    return file


def _problems_of_tables(file: ConfigFile, whole: Mapping[str, Any]) -> list[str]:
    problems = []
    for name, value in whole.items():
        if name not in TABLES:
            what = "table" if isinstance(value, dict | list) else "key outside of a table"
            known = ", ".join(f"[{table}]" for table in TABLES)
            problems.append(f"{file.place(name)}: there is no {what} {name}{like(name, TABLES)}; write {known}")
        elif not isinstance(value, dict):
            problems.append(f"{file.place(name)}: {name} is a table, written [{name}]")
    return problems


def _only_tables(whole: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in whole.items() if isinstance(value, dict)}


def check_owner(path: Path) -> None:
    """
    @raise ConfigurationError: if somebody else than root or the one who runs this owns the file, or may put another
        one in its place.
    """
    try:
        owner, folder = path.stat().st_uid, path.absolute().parent.stat()
    except OSError as error:
        raise ConfigurationError(unreadable(path, error)) from None
    if os.name != "posix":
        return
    if owner not in (0, os.geteuid()):
        raise ConfigurationError(f"{path}: another user owns it (number {owner}), and may change it: chown it")
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        raise ConfigurationError(
            f"{path}: anybody may put another file in its place: chmod o-w {path.absolute().parent}"
        )


def unreadable(path: Path, error: OSError) -> str:
    """The sentence about a file that is not there, or not for this user."""
    return f"{path}: it cannot be read: {error.strerror or error}"


def like(name: str, names: Iterable[str]) -> str:
    """A question after one of these that looks like it; empty if none does."""
    import difflib

    close = difflib.get_close_matches(name, list(names), 1)
    return f" (did you mean {close[0]}?)" if close else ""
