"""What is wrong with a configuration file: all of it, each in a sentence with its line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from twisted.python import usage

from rserpool.config.file import SECURITY_TABLE, ConfigFile, read_file
from rserpool.config.keys import keys_of, problems_of
from rserpool.config.user_keys import USER_KEYS, problems_of_user
from rserpool.config.words import WrongOption, security_of_file, security_problems
from rserpool.core.errors import ConfigurationError
from rserpool.security.text import secured_as


def check(path: Path, options_of: Mapping[str, Callable[[], Any]]) -> tuple[list[str], list[str]]:
    """Read a file as each role would that it has a table for, and open what it names; nothing is started.

    @param options_of: what makes the options of a role's subcommand of C{twistd}.
    @return: the tables that there are, and what is wrong.
    @raise ConfigurationError: if nothing of it can be read.
    """
    problems: list[str] = []
    file = read_file(path, problems)
    there = [f"[{name}]" for name in file.written]
    if not there:
        return there, problems or [file.says_nothing]
    unsound = security_problems(file)
    problems += unsound
    roles = [role for role in options_of if f"[{role}]" in there]
    for role in roles:
        wrong = problems_of(file, role, keys_of(options_of[role]()))
        problems += _values(file, role, options_of[role], wrong, bool(unsound))
    if "[user]" in there:
        problems += [*problems_of(file, "user", USER_KEYS).values(), *problems_of_user(file)]
    if not unsound and not roles and f"[{SECURITY_TABLE}]" in there:
        problems += _security(file)
    return there, sorted(dict.fromkeys(problems), key=_line)


NEEDED: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "element": {"pool": ("--pool=pool",), "plugin": ("--", "web", "--path", ".")},
    "proxy": {"pool": ("--pool=pool",), "listen": ("--listen=1",)},
    "worker": {"pool": ("--pool=pool",)},
}
"""What a role cannot do without: where a file lacks it that is told, and then the rest is looked at with this."""


def _values(
    file: ConfigFile, role: str, options_of: Callable[[], Any], wrong: dict[str, str], unsound: bool
) -> list[str]:
    """What the role's own options say, one after the other: what is wrong is passed over, and the rest read again.

    @param wrong: what is wrong already, by key.
    @param unsound: whether something is wrong with the table C{[security]}.
    """
    told, passed = list(wrong.values()), {*wrong, *([SECURITY_TABLE] if unsound else [])}
    lacking, needed = list[str](), NEEDED.get(role, {})
    while True:
        fill = [word for name in needed if name in passed or name in lacking for word in needed[name]]
        try:
            options_of().read_words(["--config", str(file.path), *fill], without=passed)
            return told
        except ConfigurationError as error:
            told.append(str(error))
            cause = error.__cause__ or error.__context__
            if not isinstance(cause, WrongOption) or cause.option in passed:
                return told
            passed.add(cause.option)
        except usage.UsageError as error:
            # It is about several options, or about one that is not there.
            text, names = str(error), _OPTION.findall(str(error))
            without = _needed(text, needed)
            about = [name for name in names if name in file.tables[role] and name not in passed]
            if not passed.intersection(names) or without:
                told.append(f"{file.place(role)}: [{role}]: {text}")
            if without and without not in lacking:
                lacking.append(without)
            elif about:
                passed.add(about[0])
            else:
                return told


def _needed(text: str, needed: Mapping[str, tuple[str, ...]]) -> str:
    """What is lacking, by what an error says; empty if that is something else."""
    found = _NEEDS.match(text)
    name = "plugin" if text.startswith("say what serves") else "" if found is None else found[1]
    return name if name in needed else ""


_OPTION = re.compile(r"--([a-z][a-z-]*)")
_NEEDS = re.compile(r"--([a-z-]+) [A-Z]+ is needed")
_LINE = re.compile(r", line ([0-9]+):")
_OPTION = re.compile(r"--([a-z][a-z-]*)")


def _line(sentence: str) -> int:
    found = _LINE.search(sentence)
    return 0 if found is None else int(found[1])


def _security(file: ConfigFile) -> list[str]:
    written = security_of_file(file)
    try:
        if written is not None:
            secured_as(written, shared=False)
    except ConfigurationError as error:
        return [f"{file.place(SECURITY_TABLE)}: {error}"]
    return []
