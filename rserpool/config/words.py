"""What a configuration file says, as words of a command line; and which of them a mistake is about.

A file is read as if its keys stood on the command line before all else, so that options override it, and one parser
reads both. What may be repeated is either on the command line or in the file, never put together; but of pairs of a
name and a number each counts by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twisted.python import usage

from rserpool.config.file import SECURITY_TABLE, ConfigFile, Place, like, read_file
from rserpool.config.keys import Key, Kind, problems_of, texts_of
from rserpool.core.errors import ConfigurationError
from rserpool.security.files import absolute
from rserpool.security.text import Written


class WrongOption(usage.UsageError):
    """The value of one option is wrong.

    @ivar option: its name, without C{--}.
    """

    def __init__(self, option: str, value: str, sentence: str) -> None:
        super().__init__(f"--{option}: {sentence}")
        self.option, self.value, self.sentence = option, value, sentence


@dataclass(frozen=True, slots=True)
class Configured:
    """What a file says to one role.

    @ivar places: where the value of an option is from, for those that the command line does not give.
    @ivar words: the options as words.
    @ivar arguments: what follows the options, under the key C{arguments_key} of the table of the role.
    @ivar security: what the table C{[security]} says; None if there is none.
    """

    file: ConfigFile | None = None
    places: Mapping[str, list[tuple[str, Place]]] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    security: Written | None = None
    arguments_key: str | None = None
    role: str = ""

    def place_of_arguments(self) -> Place | None:
        """Where what follows the options is."""
        if self.file is None or self.arguments_key is None:
            return None
        return self.file.place(self.role, self.arguments_key)

    def told(self, error: Exception) -> str:
        """What is wrong, with the line of the file if it is about one."""
        place = self.place_of(error.option, error.value) if isinstance(error, WrongOption) else None
        if place is None:
            return str(error)
        assert isinstance(error, WrongOption)
        return f"{place}: {error.option}: {error.sentence}"

    def place_of(self, option: str, value: str | None = None) -> Place | None:
        """Where an option is given in the file; None if it is not."""
        if option == "security" and self.security is not None and self.file is not None:
            return self.file.place("security")
        places = self.places.get(option) or []
        return next((place for text, place in places if text == value), places[0][1] if places else None)


NOTHING = Configured()


def configured(
    path: Path,
    role: str,
    keys: Mapping[str, Key],
    given: Collection[str] = (),
    arguments: str | None = None,
    without: Collection[str] = (),
) -> Configured:
    """Read what a file says to a role.

    @param given: names of the options, without C{--} and C{no-}, that the command line has itself.
    @param without: keys that are passed over; C{"security"}: the table of that name.
    @param arguments: the key for what follows the options.
    @raise ConfigurationError: if something is wrong with the file, with its line.
    """
    file = read_file(path, [] if SECURITY_TABLE in without else None)
    if not file.written:
        raise ConfigurationError(file.says_nothing)
    problems = [sentence for name, sentence in problems_of(file, role, keys).items() if name not in without]
    problems += [] if SECURITY_TABLE in without else security_problems(file)
    if problems:
        raise ConfigurationError(problems[0] + _more(len(problems) - 1, path))
    places: dict[str, list[tuple[str, Place]]] = {}
    words: list[str] = []
    rest: list[str] = []
    for name, value in file.tables[role].items():
        if name in without or (name in given and keys[name].kind is not Kind.PAIRS):
            continue
        if name == arguments:
            rest = texts_of(name, value)
        elif keys[name].kind is Kind.FLAG:
            words.append(f"--{name}" if value else f"--no-{name}")
            places[name] = [(str(value).lower(), file.place(role, name))]
        else:
            within = list(value) if isinstance(value, dict) else []
            texts = texts_of(name, value)
            words += [f"--{name}={text}" for text in texts]
            lines = [file.place(role, name, each) for each in within] or [file.place(role, name)] * len(texts)
            places[name] = list(zip(texts, lines, strict=True))
    secured = None if SECURITY_TABLE in without else security_of_file(file)
    return Configured(file, places, tuple(words), tuple(rest), secured, arguments, role)


def _more(count: int, path: Path) -> str:
    return f"; and {count} more: rserpool config check {path}" if count else ""


DIRECTORY = "directory"
"""The key of C{[security]} for what C{--security DIR} names."""


def security_problems(file: ConfigFile) -> list[str]:
    """What is wrong with the names and values of the table C{[security]}."""
    if not file.tables["security"]:
        return []
    from rserpool.security.settings import NAMES, check_table

    problems = []
    names = (DIRECTORY, *NAMES)
    for name, value in file.tables["security"].items():
        where = f"{file.place('security', name)}: {name}"
        try:
            if name not in names:
                problems.append(f"{where}: [security] has no such key{like(name, names)}; it has {', '.join(names)}")
            elif name == DIRECTORY and not (isinstance(value, str) and value):
                problems.append(f"{where}: expected is a text, not {value!r}")
            elif name != DIRECTORY:
                check_table({name: value}, str(file.place("security", name)))
        except ConfigurationError as error:
            problems.append(str(error))
    return problems


def security_of_file(file: ConfigFile) -> Written | None:
    """What the table C{[security]} says, files relative to where it is; None if there is no such table."""
    table: Mapping[str, Any] = file.tables["security"]
    if not table:
        return None
    from rserpool.security.settings import FILES

    folder = file.path.absolute().parent
    directory = absolute(table[DIRECTORY], folder) if DIRECTORY in table else None
    options = {
        name: str(absolute(value, folder)) if name in FILES else value
        for name, value in table.items()
        if name != DIRECTORY
    }
    return Written(directory, tuple(sorted(options.items())))
