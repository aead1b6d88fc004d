"""Pre-shared keys, and the files that hold them (RFC 5352 section 9.2, RFC 5353 section 6.2; RFC 9257).

A file has lines C{IDENTITY:HEX}, empty lines, and comments that begin with C{#}. The identity travels in the clear.
To change a key without a break, its bearer has a second one for a while: C{web1@2} is another key of C{web1}.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rserpool.core.errors import ConfigurationError
from rserpool.security.files import read_secret

SHORTEST = 16
"""Bytes of a key, at least: what the handshake shows lets others guess at a shorter one (RFC 9257 section 6)."""
LONGEST = 64
"""Bytes of a key, at most: OpenSSL takes 256, others fewer."""
LONGEST_NAME = 128
"""Characters of an identity, at most: what OpenSSL takes."""
_NAME = re.compile(r"[A-Za-z0-9._-]+(@[A-Za-z0-9._-]+)?")


class Key(NamedTuple):
    """A key, and the identity by which both sides know it."""

    name: str
    secret: bytes

    @property
    def bearer(self) -> str:
        """Whose it is; see L{bearer_of}."""
        return bearer_of(self.name)

    def __repr__(self) -> str:
        """The secret is for nobody's log."""
        return f"Key({self.name!r})"


def bearer_of(name: str) -> str:
    """Whose key it is that has this identity: C{web1} for C{web1@2}, as for C{web1}."""
    return name.partition("@")[0]


class Keyring:
    """The keys of others by identity, and one's own.

    @ivar own: the key by which one is known oneself.
    @raise ConfigurationError: if two keys have one identity or one secret, or another's identity is one's own.
    """

    def __init__(self, keys: Iterable[Key] = (), own: Key | None = None) -> None:
        self.own = own
        self._secrets: dict[str, bytes] = {}
        distinct = _Distinct(own)
        for key in keys:
            distinct.add(key)
            self._secrets[key.name] = key.secret

    def find(self, name: str) -> bytes | None:
        """The secret of another's key; None if nobody we know has this identity."""
        return self._secrets.get(name)

    def __iter__(self) -> Iterator[str]:
        """The identities of others' keys."""
        return iter(self._secrets)

    def __len__(self) -> int:
        return len(self._secrets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Keyring) and (self.own, self._secrets) == (other.own, other._secrets)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        """The secrets are for nobody's log."""
        return f"Keyring({list(self._secrets)!r}, own={self.own!r})"


def read_keys(path: Path, own: Key | None = None) -> tuple[Key, ...]:
    """The keys of a file.

    @param own: the key by which whoever asks is known: it must not be another's.
    @raise ConfigurationError: if others may read the file, or a line is wrong; the text names file and line, and never
        what is secret in it.
    """
    try:
        text = read_secret(path).decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: this is not text") from None
    return parse_keys(text, str(path), own)


def parse_keys(text: str, where: str, own: Key | None = None) -> tuple[Key, ...]:
    """Read lines C{IDENTITY:HEX}.

    @param where: the file's name, for sentences.
    @raise ConfigurationError: see L{read_keys}.
    """
    keys: list[Key] = []
    lines = text.splitlines()
    distinct = _Distinct(own)
    for number, line in enumerate(lines, 1):
        words = line.split("#", 1)[0].strip()
        if words:
            at = f"{where}, line {number}"
            keys.append(_key(words, at))
            try:
                distinct.add(keys[-1])
            except ConfigurationError as error:
                raise ConfigurationError(f"{at}: {error}") from None
    if text and not text.endswith("\n"):
        raise ConfigurationError(
            f"{where}, line {len(lines)}: it does not end, as if the file were half written: end it with a line break"
        )
    return tuple(keys)


def read_own_key(path: Path) -> Key:
    """The one key of a file, by which whoever reads it is known.

    @raise ConfigurationError: if there is none, or more than one; see L{read_keys}.
    """
    keys = read_keys(path)
    if len(keys) != 1:
        raise ConfigurationError(f"{path}: one line IDENTITY:HEX is expected here, and there are {len(keys)}")
    return keys[0]


def _key(words: str, at: str) -> Key:
    name, colon, digits = words.partition(":")
    name, digits = name.strip(), digits.strip()
    if not colon or not _NAME.fullmatch(name):
        # What stands before a colon that is missing may be the secret.
        raise ConfigurationError(f"{at}: this is not IDENTITY:HEX (an identity has letters, digits and . _ - @)")
    if len(name) > LONGEST_NAME:
        raise ConfigurationError(f"{at}: the identity is longer than {LONGEST_NAME} characters")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        raise ConfigurationError(f"{at}: the key of {name} is not hexadecimal") from None
    if not SHORTEST <= len(secret) <= LONGEST:
        raise ConfigurationError(
            f"{at}: the key of {name} has {len(secret)} bytes; {SHORTEST} to {LONGEST} random ones are needed"
        )
    if len(set(secret)) == 1:
        raise ConfigurationError(f"{at}: the key of {name} is one byte again and again, and not random")
    return Key(name, secret)


class _Distinct:
    """Whether each key is another's: one secret has one identity (RFC 9257 section 6)."""

    def __init__(self, own: Key | None) -> None:
        self._own = own
        self._names: set[str] = set()
        self._by_secret: dict[bytes, str] = {}

    def add(self, key: Key) -> None:
        own = self._own
        if own is not None and key.bearer == own.bearer:
            raise ConfigurationError(f"{key.name} is one's own identity, and this file is for those of others")
        if own is not None and key.secret == own.secret:
            raise ConfigurationError(f"the key of {key.name} is one's own: each needs a key of its own")
        if key.name in self._names:
            raise ConfigurationError(f"there are two keys {key.name}: name the second one {key.bearer}@2, for example")
        if key.secret in self._by_secret:
            raise ConfigurationError(
                f"{key.name} and {self._by_secret[key.secret]} have the same key: each needs one of its own"
            )
        self._names.add(key.name)
        self._by_secret[key.secret] = key.name
