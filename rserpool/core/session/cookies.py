"""Cookies: the state that an element leaves with its user (RFC 5352 section 3.8, RFC 5355 section 2.16).

The user keeps the last one and echoes it unread. To the elements of a pool ours are letters to each other: signed with
a key that they share, of one pool, and not older than they allow. A service that must understand foreign cookies says
so, by L{UnsignedCookies}.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from struct import Struct
from typing import Any, Final, Protocol

from rserpool.core.errors import ConfigurationError, CookieRefused

LONGEST_STATE: Final = 60_000
"""The most bytes of state in a cookie; an ASAP message holds 65,535."""
MAX_AGE: Final = 3600.0
"""Seconds for which a cookie is good, where nothing else is said."""
SKEW: Final = 60.0
"""Seconds by which the clocks of two elements may differ, where nothing else is said."""
SHORTEST_KEY: Final = 16

_MAGIC: Final = b"RSPc"
_HEAD: Final = Struct("!4sBBHQ8s")
_VERSION: Final = 1
_ENCRYPTED: Final = 0x01
_SIGNATURE: Final = 32
_NONCE: Final = 12


class Cookies(Protocol):
    """How an element makes cookies of states, and states of cookies."""

    def seal(self, state: bytes, pool: bytes, wall: float) -> bytes:
        """The cookie that carries C{state}; C{wall} is wall-clock time, seconds since 1970."""

    def open(self, cookie: bytes, pools: Iterable[bytes], wall: float) -> bytes:
        """The state in a cookie of one of these pools.

        @raise CookieRefused: if it is not to be believed.
        """


class UnsignedCookies:
    """The state as it is, signed by nobody: for services whose cookies other implementations define.

    Whoever is a user may then give an element any state that he likes.
    """

    def seal(self, state: bytes, pool: bytes, wall: float) -> bytes:
        """The state."""
        return _short(state)

    def open(self, cookie: bytes, pools: Iterable[bytes], wall: float) -> bytes:
        """The cookie."""
        return cookie


class KeyRing:
    """Keys that the elements of a pool share, by name: one signs, all verify.

    To change keys without a break: give every element the new key beside the old one; then let every element sign
    with the new one; take the old one away when its cookies have become too old.

    @param keys: bytes by name; at least 16 bytes each.
    @param current: the name of the key that signs; the last one by default.
    """

    def __init__(self, keys: Mapping[str, bytes], current: str | None = None) -> None:
        self._by_mark: dict[bytes, bytes] = {}
        self._current = b""
        self.replace(keys, current)

    def replace(self, keys: Mapping[str, bytes], current: str | None = None) -> None:
        """From now on these keys, and no others.

        @raise ConfigurationError: if there is none, one is too short, or the current one is not among them.
        """
        if not keys:
            raise ConfigurationError("signed cookies need a key that the elements of the pool share")
        for name, key in keys.items():
            if len(key) < SHORTEST_KEY:
                raise ConfigurationError(f"the key {name!r} has {len(key)} bytes; at least {SHORTEST_KEY} are needed")
        if current is None:
            current = list(keys)[-1]
        if current not in keys:
            raise ConfigurationError(f"there is no key {current!r} to sign with; there are {', '.join(keys)}")
        self._by_mark = {_mark(key): key for key in keys.values()}
        self._current = _mark(keys[current])

    @property
    def current(self) -> tuple[bytes, bytes]:
        """The key that signs: its mark in cookies, and itself."""
        return self._current, self._by_mark[self._current]

    def find(self, mark: bytes) -> bytes | None:
        """The key with this mark, if we have it."""
        return self._by_mark.get(mark)

    @classmethod
    def parse(cls, text: str) -> KeyRing:
        """Keys as a file has them: see L{parse_keys}; the last one signs."""
        return cls(parse_keys(text))


def parse_keys(text: str) -> dict[str, bytes]:
    """Read lines C{NAME HEXADECIMAL}, empty lines, and comments that begin with C{#}.

    @raise ConfigurationError: which names the line, and not the key.
    """
    keys: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        try:
            name, digits = words
            keys[name] = bytes.fromhex(digits)
        except ValueError:
            raise ConfigurationError(f"line {number} of the keys is not NAME HEXADECIMAL") from None
    return keys


class SignedCookies:
    """Cookies with an age, a pool and a signature (HMAC-SHA-256); encrypted (AES-GCM) too, if wanted.

    @param keys: the keys that the elements of the pool share.
    @param max_age: seconds for which a cookie is good.
    @param skew: seconds by which another element's clock may be ahead of ours.
    @param nonce: C{nonce(12)} gives bytes that never come again (C{os.urandom}): needed to encrypt, and turns
        encryption on. Needs the package C{cryptography} (extra C{cookies}).
    """

    def __init__(
        self,
        keys: KeyRing,
        *,
        max_age: float = MAX_AGE,
        skew: float = SKEW,
        nonce: Callable[[int], bytes] | None = None,
    ) -> None:
        self._keys = keys
        self._max_age = max_age
        self._skew = skew
        self._nonce = nonce
        if nonce is not None:
            _aes_gcm(bytes(32))

    def seal(self, state: bytes, pool: bytes, wall: float) -> bytes:
        """The cookie.

        @raise ValueError: if the state is longer than L{LONGEST_STATE} bytes.
        """
        mark, key = self._keys.current
        flags = 0 if self._nonce is None else _ENCRYPTED
        head = _HEAD.pack(_MAGIC, _VERSION, flags, len(pool), max(0, round(wall * 1000)), mark) + pool
        body = _short(state)
        if self._nonce is not None:
            nonce = self._nonce(_NONCE)
            body = nonce + bytes(_aes_gcm(_derived(key, b"encrypt")).encrypt(nonce, body, head))
        return head + body + _signature(key, head + body)

    def open(self, cookie: bytes, pools: Iterable[bytes], wall: float) -> bytes:
        """The state; see L{Cookies.open}."""
        if len(cookie) < _HEAD.size + _SIGNATURE or cookie[:4] != _MAGIC:
            raise CookieRefused("it is not a signed cookie of this software")
        _, version, flags, length, issued, mark = _HEAD.unpack_from(cookie)
        if version != _VERSION:
            raise CookieRefused(f"it is of version {version}, and we know version {_VERSION}")
        key = self._keys.find(mark)
        if key is None:
            raise CookieRefused("it is signed with a key that this element does not have")
        signed, signature = cookie[:-_SIGNATURE], cookie[-_SIGNATURE:]
        if not hmac.compare_digest(_signature(key, signed), signature):
            raise CookieRefused("its signature is wrong")
        # From here on it is the word of another element.
        start = _HEAD.size + length
        pool, body = signed[_HEAD.size : start], signed[start:]
        if pool not in set(pools):
            raise CookieRefused(f"it is of the pool {pool.decode('utf-8', 'backslashreplace')!r}")
        age = wall - issued / 1000
        if age > self._max_age + self._skew:
            raise CookieRefused(f"it is {age:.0f} s old, and may be {self._max_age:g} s old")
        if age < -self._skew:
            raise CookieRefused(f"it was made {-age:.0f} s from now: the clocks of two elements differ")
        if not flags & _ENCRYPTED:
            return body
        try:
            return bytes(_aes_gcm(_derived(key, b"encrypt")).decrypt(body[:_NONCE], body[_NONCE:], signed[:start]))
        except ConfigurationError as error:
            raise CookieRefused(str(error)) from error


def _short(state: bytes) -> bytes:
    if len(state) > LONGEST_STATE:
        raise ValueError(f"the state of a session holds at most {LONGEST_STATE} bytes, not {len(state)}")
    return state


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hmac.digest(key, b"rserpool cookie " + purpose, "sha256")


def _mark(key: bytes) -> bytes:
    return hashlib.sha256(b"rserpool cookie key " + key).digest()[:8]


def _signature(key: bytes, signed: bytes) -> bytes:
    return hmac.digest(_derived(key, b"sign"), signed, "sha256")


def _aes_gcm(key: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise ConfigurationError(
            "encrypted cookies need the package cryptography: pip install rserpool[cookies]"
        ) from None
    return AESGCM(key)
