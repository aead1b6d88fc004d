"""On which line of a TOML file each key is, which C{tomllib} does not say.

A statement of TOML never depends on another one for where it ends. So a text is read a statement at a time, each as the
shortest run of lines that C{tomllib} itself takes: strings and arrays over several lines, quoted and dotted keys, and
comments are what they are to it.
"""

from __future__ import annotations

import tomllib
from typing import Any, TypeAlias

Name: TypeAlias = tuple[str, ...]
"""The full name of a key: those of its tables, and its own."""


def lines_of(text: str) -> dict[Name, int]:
    """The line of each table and key of a text that is TOML, from 1; of a key whose value has keys, of each of them."""
    found: dict[Name, int] = {}
    table: Name = ()
    rest = text.split("\n")
    number = 1
    while rest:
        statement, length = _first(rest)
        if statement is None:
            break
        if rest[0].lstrip(" \t").startswith("["):
            table = _header(statement)
            found.setdefault(table, number)
        else:
            _note(found, table, statement, number)
        del rest[:length]
        number += length
    return found


def _first(lines: list[str]) -> tuple[dict[str, Any] | None, int]:
    """What the first statement says, and how many lines it has."""
    text = ""
    for length, line in enumerate(lines, 1):
        text += f"{line}\n"
        try:
            return tomllib.loads(text), length
        except tomllib.TOMLDecodeError:
            continue
    return None, len(lines)


def _header(statement: Any) -> Name:
    name: list[str] = []
    while statement:
        if isinstance(statement, list):
            (statement,) = statement
        else:
            ((part, statement),) = statement.items()
            name.append(part)
    return tuple(name)


def _note(found: dict[Name, int], table: Name, values: dict[str, Any], number: int) -> None:
    for key, value in values.items():
        found.setdefault((*table, key), number)
        if isinstance(value, dict):
            _note(found, (*table, key), value, number)
