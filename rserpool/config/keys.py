"""The keys of a role: one for each of its options, read off the options themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from rserpool.config.file import ConfigFile, like
from rserpool.core.frozen import frozen

if TYPE_CHECKING:
    import argparse

NO_KEYS: Final = frozenset({"help", "version", "config", "security"})
"""Options that are about the command line; and --security, whose settings have a table of their own."""
_ITS_DEFAULT = re.compile(r"\s*\(([^()]*(?:\([^()]*\)[^()]*)*)\)\.?$")
"""What stands in brackets at the end of a text of help."""
_AGAIN = re.compile(r"; may be (given several times|repeated)\.$")


class Kind(Enum):
    """What is written behind a key."""

    FLAG = "true or false"
    VALUE = "text or number"
    TEXTS = "text, or array of texts"
    PAIRS = "table of numbers"


@frozen
class Key:
    """A key of the table of a role.

    @ivar name: that of the option, without C{--}; for a flag without C{no-}.
    @ivar default: for people.
    """

    name: str
    kind: Kind
    default: str
    meaning: str

    @property
    def pairs(self) -> bool:
        """Whether each of its values counts by itself."""
        return self.kind is Kind.PAIRS


def keys_of(options: Any) -> dict[str, Key]:
    """The keys of the options of a subcommand of C{twistd}, by name.

    @param options: an instance.
    """
    names = [name.removesuffix("=") for name in options.longOpt]
    valued = {name.removesuffix("=") for name in options.longOpt if name.endswith("=")}
    keys = {}
    for name in names:
        meaning = _AGAIN.sub("", " ".join(str(options.docs.get(name, "")).split()))
        if name in NO_KEYS or name.removeprefix("no-") in keys:
            continue
        if name not in valued:
            name = name.removeprefix("no-")
            meaning = " ".join(str(options.docs[name]).split())
            keys[name] = Key(name, Kind.FLAG, "true" if "(the default)" in meaning else "false", meaning)
        elif hasattr(options, "opt_" + name.replace("-", "_")):
            kind = Kind.PAIRS if meaning.startswith("NAME=") else Kind.TEXTS
            keys[name] = Key(name, kind, *_split(meaning, None))
        else:
            keys[name] = Key(name, Kind.VALUE, *_split(meaning, options.defaults.get(name)))
    if getattr(options, "arguments", None):
        keys[options.arguments] = Key(options.arguments, Kind.TEXTS, "", options.arguments_meaning)
    return dict(sorted(keys.items()))


def keys_of_parser(parser: argparse.ArgumentParser) -> dict[str, Key]:
    """The keys of the options of a command of C{rserpool}, and of what it takes without an option, by name."""
    keys = {}
    for action in parser._actions:
        name = action.option_strings[0].removeprefix("--") if action.option_strings else action.dest
        if name in NO_KEYS or name.startswith("-"):
            continue
        kind = Kind.FLAG if action.nargs == 0 else Kind.VALUE
        if isinstance(action.default, list):
            kind = Kind.TEXTS
        keys[name] = Key(name, kind, "", str(action.help))
    return keys


def _split(meaning: str, default: str | None) -> tuple[str, str]:
    found = _ITS_DEFAULT.search(meaning)
    if default is not None or found is None:
        return default or "", meaning
    return found[1], meaning[: found.start()]


def problems_of(file: ConfigFile, role: str, keys: Mapping[str, Key]) -> dict[str, str]:
    """What is wrong with the names and kinds of what a role's table has, by key: a sentence with its line for each."""
    problems = {}
    for name, value in file.tables[role].items():
        where = f"{file.place(role, name)}: {name}"
        if name not in keys:
            problems[name] = f"{where}: [{role}] has no such key{like(name, keys)}; it has {', '.join(keys)}"
        elif not _fits(keys[name].kind, value):
            problems[name] = f"{where}: expected is {_expected(keys[name].kind)}, not {_shown(value)}"
    return problems


def _fits(kind: Kind, value: Any) -> bool:
    single = isinstance(value, str | int | float) and not isinstance(value, bool)
    if kind is Kind.FLAG:
        return isinstance(value, bool)
    if kind is Kind.VALUE:
        return single
    if kind is Kind.PAIRS and isinstance(value, dict):
        return all(_fits(Kind.VALUE, each) for each in value.values())
    return single or (isinstance(value, list) and all(_fits(Kind.VALUE, each) for each in value))


def _expected(kind: Kind) -> str:
    return ("" if kind is Kind.FLAG else "a ") + kind.value.replace(", or array", " or an array")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    return "this array" if isinstance(value, list) else repr(value)


def texts_of(name: str, value: Any) -> list[str]:
    """What is given to an option, once for each."""
    if isinstance(value, dict):
        return [f"{each}={number}" for each, number in value.items()]
    return [str(each) for each in (value if isinstance(value, list) else [value])]
