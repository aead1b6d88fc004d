"""What is wrong with a configuration file: all of it, each in a sentence with its line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twisted.python import usage

from rserpool.config.file import SECURITY_TABLE, ConfigFile, read_file
from rserpool.config.keys import keys_of, problems_of
from rserpool.config.user import USER_KEYS, problems_of_user
from rserpool.config.words import WrongOption, security_of_file, security_problems
from rserpool.core.errors import ConfigurationError
from rserpool.security.text import secured_as


def check(path: Path, options_of: Mapping[str, Callable[[], Any]]) -> tuple[list[str], list[str]]:
    """Read a file as each role would that it has a table for, and open what it names; nothing is started.

    @param options_of: what makes the options of a role's subcommand of C{twistd}.
    @return: the tables that there are, and what is wrong.
    @raise ConfigurationError: if nothing of it can be read.
    """
    file = read_file(path)
    there = [f"[{name}]" for name in file.tables if file.tables[name] or (name,) in file.lines]
    if not there:
        return there, [f"{path}: there is no table in it; write [registrar], for example"]
    problems = security_problems(file)
    sound = not problems
    roles = [role for role in options_of if f"[{role}]" in there]
    for role in roles:
        wrong = problems_of(file, role, keys_of(options_of[role]()))
        problems += wrong or (_values(file, role, options_of[role]) if sound else [])
    if "[user]" in there:
        problems += problems_of(file, "user", USER_KEYS) or problems_of_user(file)
    if sound and not roles and f"[{SECURITY_TABLE}]" in there:
        problems += _security(file)
    return there, list(dict.fromkeys(problems))


def _values(file: ConfigFile, role: str, options_of: Callable[[], Any]) -> list[str]:
    """What the role's own options say, one after the other."""
    wrong: dict[str, str] = {}
    while True:
        options = options_of()
        try:
            options.read_words(["--config", str(file.path)], without=wrong)
        except ConfigurationError as error:
            cause = error.__cause__ or error.__context__
            if isinstance(cause, WrongOption) and cause.option not in wrong:
                wrong[cause.option] = str(error)
                continue
            wrong[""] = str(error)
        except usage.UsageError as error:
            if not wrong:
                wrong[""] = f"{file.place(role)}: [{role}]: {error}"
        return list(wrong.values())


def _security(file: ConfigFile) -> list[str]:
    written = security_of_file(file)
    try:
        if written is not None:
            secured_as(written, shared=False)
    except ConfigurationError as error:
        return [f"{file.place(SECURITY_TABLE)}: {error}"]
    return []
