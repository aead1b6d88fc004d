"""What files say to a command of C{rserpool}: that of C{--config}, if it has such an option, and those of users."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rserpool.config.keys import Key, Kind, keys_of_parser
from rserpool.config.user_keys import USER_KEYS
from rserpool.config.user_words import usual_words
from rserpool.config.words import NOTHING, Configured, configured

ONLY_TWISTD = {name: Key(name, Kind.VALUE, "", "") for name in ("agentx", "log", "log-level")}
"""Keys that a command passes over: options of C{twistd} alone. So one file is for both."""


def words_for(parser: argparse.ArgumentParser, role: str | None, words: Sequence[str]) -> tuple[list[str], Configured]:
    """The words to put before those of a command line.

    @param role: the table of the file of C{--config}; None if there is no such option.
    @param words: the command line, without the name of the command.
    @raise ConfigurationError: if something is wrong with a file, with its line.
    """
    keys = keys_of_parser(parser)
    given = {word.partition("=")[0].removeprefix("--").removeprefix("no-") for word in words if word.startswith("--")}
    found = NOTHING
    if role is not None:
        finding = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        finding.add_argument("--config", type=Path, nargs="?")
        path = finding.parse_known_args(list(words))[0].config
        if path is not None:
            found = configured(path.expanduser(), role, {**keys, **ONLY_TWISTD}, given, "pool", ONLY_TWISTD)
    if USER_KEYS["transport"].name not in keys:
        return list(found.words), found
    return [*usual_words(keys, given | set(found.places)), *found.words], found
