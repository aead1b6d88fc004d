"""What holds for a role, and where each value comes from: command line, file, environment or default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from rserpool.config.keys import Key, keys_of, texts_of
from rserpool.config.user import said, security_said
from rserpool.config.user_keys import USER_KEYS
from rserpool.config.words import Configured
from rserpool.core.described import identifier_text
from rserpool.core.frozen import frozen
from rserpool.security.text import SECURITY, Written

COMMAND_LINE: Final = "command line"
DEFAULT: Final = "default"
REGISTRARS: Final = "RSERPOOL_REGISTRARS"


@frozen
class Held:
    """A key, its value for people, and where that comes from."""

    key: str
    value: str
    source: str


def held_by(options: Any) -> list[Held]:
    """What holds for a role with these options, which have been read."""
    keys = keys_of(options)
    found = [_held(key, options.given_words, options.configured, options.asks) for key in keys.values()]
    return sorted([*found, _security(options.given_words, options.configured, options.asks)], key=lambda held: held.key)


def held_by_users() -> list[Held]:
    """What holds for users of this host where nobody says otherwise."""
    found = [_held(key, {}, Configured(), True) for key in USER_KEYS.values()]
    return sorted([*found, _security({}, Configured(), True)], key=lambda held: held.key)


def _held(key: Key, given: Mapping[str, list[str]], configured: Configured, asks: bool) -> Held:
    held = _found(key, given, configured, asks)
    return replace(held, value=_identifier(held.value)) if held.key == "identifier" else held


def _identifier(text: str) -> str:
    """As people know it from everywhere else, however it was written."""
    try:
        return identifier_text(int(text, 0))
    except ValueError:
        return text


def _found(key: Key, given: Mapping[str, list[str]], configured: Configured, asks: bool) -> Held:
    name = key.name
    if name in given and not key.pairs:
        return Held(name, ", ".join(given[name]), COMMAND_LINE)
    texts = configured.places.get(name, [])
    if key.pairs and name in given:
        # Each counts by itself.
        sources = {text: str(place) for text, place in texts} | dict.fromkeys(given[name], COMMAND_LINE)
        return Held(name, ", ".join(sources), "; ".join(dict.fromkeys(sources.values())))
    if texts:
        return Held(name, ", ".join(text for text, _ in texts), str(texts[0][1]))
    if configured.file is not None and name == configured.arguments_key and configured.arguments:
        return Held(name, " ".join(configured.arguments), str(configured.place_of_arguments()))
    if asks and name == "registrar" and os.environ.get(REGISTRARS, "").split():
        return Held(name, os.environ[REGISTRARS], REGISTRARS)
    written = said(name) if asks and name in USER_KEYS else None
    if written is not None:
        value = written[0]
        text = str(value).lower() if isinstance(value, bool) else ", ".join(texts_of(name, value))
        return Held(name, text, str(written[1]))
    return Held(name, key.default or "none", DEFAULT)


def _security(given: Mapping[str, list[str]], configured: Configured, asks: bool) -> Held:
    if "security" in given:
        return Held("security", given["security"][-1], COMMAND_LINE)
    if configured.security is not None:
        return Held("security", written_text(configured.security), str(configured.place_of("security")))
    if os.environ.get(SECURITY):
        return Held("security", os.environ[SECURITY], SECURITY)
    found = security_said() if asks else None
    if found is not None:
        return Held("security", written_text(found[0]), str(found[1]))
    return Held("security", "none", DEFAULT)


def written_text(written: Written) -> str:
    """A table C{[security]} as C{--security} would have it."""
    parts = [] if written.directory is None else [str(written.directory)]
    return ",".join([*parts, *(f"{name}={value}" for name, value in written.options)])


def values(configured: Configured, secured: bool = True) -> dict[str, str]:
    """What a file says to a role, for people: by key, without those that the command line overrides.

    @param secured: whether the table C{[security]} counts.
    """
    found = {key: ", ".join(text for text, _ in texts) for key, texts in configured.places.items()}
    if "identifier" in found:
        found["identifier"] = _identifier(found["identifier"])
    if configured.arguments and configured.arguments_key is not None:
        found[configured.arguments_key] = " ".join(configured.arguments)
    if configured.security is not None and secured:
        found["security"] = written_text(configured.security)
    return found
