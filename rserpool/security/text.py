"""How people say in one text how a process is secured, in options, endpoint strings and the environment.

C{DIR}, or C{DIR,NAME=VALUE,...}, or C{NAME=VALUE,...}: the names are those of the table C{[security]}, and come before
what the directory says.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakValueDictionary

from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.core.reading import YES_OR_NO

# What nothing secures is spared what security needs.
if TYPE_CHECKING:
    from rserpool.security.following import Secured, SecurityFiles

SECURITY: Final = "RSERPOOL_SECURITY"
"""The environment variable that says it where nothing else does."""
OFF: Final = "off"
"""What turns it off where the environment turns it on."""
HELP: Final = f"keys and certificates for TLS, see rserpool keys (default: {SECURITY}, else none)"

_BOOLEANS = {**YES_OR_NO, "true": True, "false": False}


@frozen
class Written:
    """What a text says.

    @ivar directory: None if settings name all.
    """

    directory: Path | None
    options: tuple[tuple[str, Any], ...]


def read_text(text: str) -> Written:
    """Read it; no file is opened.

    @raise ConfigurationError: with a sentence that says what is wrong.
    """
    from rserpool.security.settings import FILES, FLAGS, check_table

    directory: Path | None = None
    options: dict[str, Any] = {}
    for number, part in enumerate(text.split(",")):
        name, equals, value = part.partition("=")
        if not equals:
            if number or not part.strip():
                raise ConfigurationError(f"{text!r}: expected DIR or NAME=VALUE, and found {part!r}")
            directory = Path(part).expanduser().absolute()
        elif name in FLAGS and value in _BOOLEANS:
            options[name] = _BOOLEANS[value]
        else:
            options[name] = str(Path(value).expanduser().absolute()) if name in FILES and value else value
    check_table(options, repr(text))
    return Written(directory, tuple(sorted(options.items())))


def secured_by(text: str, shared: bool = True) -> Secured | None:
    """What this text says; None for L{OFF}, and where nothing is secured.

    @param shared: whether the same text gives the same object, as long as somebody has it; not for who looks at the
        files in a thread of its own.
    @raise ConfigurationError: if something is wrong with it, or with the files that it names.
    """
    return None if text == OFF else secured_as(read_text(text), shared)


def secured_as(written: Written, shared: bool = True) -> Secured | None:
    """What a text, or a table of a configuration file, says; None where nothing is secured.

    @param shared: see L{secured_by}.
    @raise ConfigurationError: as L{secured_by} does.
    """
    from rserpool.core.access import State
    from rserpool.security.following import SecurityFiles

    found = _all.get(written) if shared else None
    if found is None:
        found = SecurityFiles(written.directory, dict(written.options))
        if shared:
            _all[written] = found
    return None if found.current.state is State.PLAIN else found


def named_security(shared: bool = True) -> Secured | None:
    """What the environment says.

    @param shared: see L{secured_by}.
    @raise ConfigurationError: as L{secured_by}; it names the variable.
    """
    text = os.environ.get(SECURITY, "")
    try:
        return secured_by(text, shared) if text else None
    except ConfigurationError as error:
        raise ConfigurationError(f"{SECURITY}: {error}") from None


def forked() -> None:
    """The child of a fork follows its files itself."""
    _all.clear()


_all: WeakValueDictionary[Written, SecurityFiles] = WeakValueDictionary()
os.register_at_fork(after_in_child=forked)
