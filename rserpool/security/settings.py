"""How one process is secured: a directory, or the options of a table C{[security]} (RFC 5352 section 9)."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rserpool.core.access import Access, State
from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.security.access_file import KeyNames, access_of
from rserpool.security.files import read_public, read_secret
from rserpool.security.keys import Key, Keyring, read_keys, read_own_key


@frozen
class Certificate:
    """A certificate with what leads to its issuer, and its private key.

    @ivar chain: PEM, the own certificate first.
    @ivar private_key: PEM, without a passphrase.
    """

    chain: bytes
    private_key: bytes = field(repr=False)


_BY_KEYS: Final = Access()


@dataclass(frozen=True, slots=True)
class Security:
    """What one process has to prove who it is, and to check who others are.

    @ivar state: plain, offered or required.
    @ivar scope: the name of the scope: a dNSName that the certificate of each of its registrars has.
    @ivar registrars: the keys of other registrars; its C{own} is the key by which this process is known.
    @ivar elements: the keys of elements; its C{own} is the same.
    @ivar operators: the keys of operators, whose questions over ENRP are answered; its C{own} is the same.
    @ivar certificate: the own one, if there is one.
    @ivar server_ca: PEM of who issues the certificates of registrars, and of elements where sessions are secured.
    @ivar client_ca: PEM of who issues the certificates of those that dial; another setting, since who may serve is
        not who may ask.
    @ivar access: who may be what, by the access file or by the files of keys.
    @ivar lowest_tls: C{"1.2"} or C{"1.3"}.
    @ivar static_rsa: whether TLS_RSA_WITH_AES_128_CBC_SHA is taken (RFC 5352 section 9.2), which RFC 9325 forbids.
    @ivar plain_users: whether users in the clear are answered in a secured scope (RFC 5352 section 9.3).
    @ivar whose: in whose folder they would be, by what they are: C{"a registrar"}, C{"an element"}, C{"an element
        or operator"}, C{"users"}; empty where that cannot be told.
    """

    state: State = State.REQUIRED
    scope: str | None = None
    registrars: Keyring = field(default_factory=Keyring)
    elements: Keyring = field(default_factory=Keyring)
    operators: Keyring = field(default_factory=Keyring)
    certificate: Certificate | None = None
    server_ca: bytes | None = None
    client_ca: bytes | None = None
    access: Access = field(default_factory=lambda: _BY_KEYS, compare=False)
    lowest_tls: str = "1.2"
    static_rsa: bool = False
    plain_users: bool = False
    whose: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        """Without an access file the files of keys say who may be what.

        @raise ConfigurationError: if somebody has two keys of different kinds.
        """
        if self.access is _BY_KEYS:
            names = KeyNames(self.registrars, self.elements, self.operators, self.own and self.own.name)
            access = access_of(None, names, self.state, plain_users=self.plain_users)
            object.__setattr__(self, "access", access)

    @property
    def own(self) -> Key | None:
        """The key by which this process is known."""
        return self.registrars.own


TABLE: Final = "security.toml"
"""The file of a directory that has the table C{[security]}; without it, the files alone say all."""
FILES: Final = {
    "own-key": "own.key",
    "registrar-keys": "registrars.keys",
    "element-keys": "elements.keys",
    "operator-keys": "operators.keys",
    "certificate": "certificate.pem",
    "private-key": "private-key.pem",
    "server-ca": "server-ca.pem",
    "client-ca": "client-ca.pem",
    "access": "access.toml",
}
"""The settings that are files, and how these are named in a directory; which of them are there is used."""
KEYS: Final = ("registrar-keys", "element-keys", "operator-keys")
SECRETS: Final = ("own-key", "private-key", *KEYS)
"""Of these, those whose files nobody else may read."""
WORDS: Final = ("state", "scope", "lowest-tls")
FLAGS: Final = ("static-rsa", "plain-users")
NAMES: Final = (*WORDS, *FILES, *FLAGS)
"""Every setting, as it is named in the table, in options and in endpoint strings."""


def security_of(directory: Path | None, options: Mapping[str, Any] | None = None) -> Security:
    """Read how this process is secured.

    @param directory: with files as in L{FILES}, and perhaps L{TABLE}; None if options name all.
    @param options: settings by name, which come before those of the directory; files are relative to the working
        directory.
    @raise ConfigurationError: if something is wrong; the text names the file, and what to do.
    """
    where = "the options of security" if directory is None else str(directory)
    return _security(settled(directory, options), where)


def settled(directory: Path | None, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All settings by name, each file with its path; see L{security_of}."""
    table: dict[str, Any] = {}
    if directory is not None:
        if not directory.is_dir():
            raise ConfigurationError(f"{directory}: there is no such directory; rserpool keys make makes one")
        written = directory / TABLE
        if written.exists():
            table = _table(written)
        for name, file in FILES.items():
            if name in table or (directory / file).exists():
                table[name] = str(directory / table.get(name, file))
    given = dict(options or {})
    check_table(given, "the options of security")
    return table | given


def check_table(table: Mapping[str, Any], where: str) -> None:
    """
    @raise ConfigurationError: if the table has a name that there is not, or a value of the wrong kind.
    """
    for name, value in table.items():
        if name not in NAMES:
            raise ConfigurationError(f"{where}: there is no setting {name!r}; there are {', '.join(NAMES)}")
        if name in FLAGS and not isinstance(value, bool):
            raise ConfigurationError(f"{where}: {name} is true or false, not {value!r}")
        if name not in FLAGS and not (isinstance(value, str) and value):
            raise ConfigurationError(f'{where}: {name} is a text, as in {name} = "...", not {value!r}')
    state, lowest = table.get("state", "required"), table.get("lowest-tls", "1.2")
    if state not in [each.value for each in State]:
        raise ConfigurationError(f"{where}: state is plain, offered or required, not {state!r}")
    if lowest not in ("1.2", "1.3"):
        raise ConfigurationError(f"{where}: lowest-tls is 1.2 or 1.3, not {lowest!r}")


def read_toml(path: Path) -> dict[str, Any]:
    """
    @raise ConfigurationError: if the file cannot be read, others may write it, or it is not TOML.
    """
    try:
        return tomllib.loads(read_public(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: this is not TOML: {error}") from None


def _table(path: Path) -> dict[str, Any]:
    whole = read_toml(path)
    table = whole.get("security")
    if not isinstance(table, dict) or len(whole) > 1:
        raise ConfigurationError(f"{path}: one table [security] is expected here")
    check_table(table, str(path))
    return table


def _security(table: Mapping[str, Any], where: str) -> Security:
    paths = {name: Path(table[name]) for name in FILES if name in table}
    own = read_own_key(paths["own-key"]) if "own-key" in paths else None
    rings = {name: read_keys(paths[name], own) if name in paths else () for name in KEYS}
    together = [key for keys in rings.values() for key in keys]
    try:
        Keyring(together, own)
    except ConfigurationError as error:
        files = [str(paths[name]) for name in KEYS if name in paths]
        raise ConfigurationError(f"{' and '.join(files)}: {error}") from None
    for one, other in (("certificate", "private-key"), ("private-key", "certificate")):
        if one in paths and other not in paths:
            raise ConfigurationError(f"{where}: {one} goes with {other}")
    certificate = None
    if "certificate" in paths:
        certificate = Certificate(read_public(paths["certificate"]), read_secret(paths["private-key"]))
    anchors: dict[str, bytes] = {name: read_public(paths[name]) for name in ("server-ca", "client-ca") if name in paths}
    if certificate or anchors:
        _check_certificates(certificate, anchors, paths)
    state, plain_users = State(table.get("state", "required")), table.get("plain-users", False)
    registrars, elements, operators = (Keyring(rings[name], own) for name in KEYS)
    access = access_of(
        read_toml(paths["access"]) if "access" in paths else None,
        KeyNames(registrars, elements, operators, None if own is None else own.name),
        state,
        plain_users=plain_users,
        where=str(paths.get("access", where)),
    )
    return Security(
        state=state,
        scope=table.get("scope"),
        registrars=registrars,
        elements=elements,
        operators=operators,
        certificate=certificate,
        server_ca=anchors.get("server-ca"),
        client_ca=anchors.get("client-ca"),
        access=access,
        lowest_tls=table.get("lowest-tls", "1.2"),
        static_rsa=table.get("static-rsa", False),
        plain_users=plain_users,
        whose=_whose(set(paths)),
    )


def _whose(there: Collection[str]) -> str:
    """Who has such files; see L{Security.whose}."""
    if not set(KEYS).isdisjoint(there):
        return "a registrar"
    if "client-ca" in there:
        # A worker may have it, too: to know who submits code.
        return "" if {"own-key", "certificate"} <= set(there) else "a registrar"
    if "own-key" in there:
        return "an element" if "certificate" in there else "an element or operator"
    return "users" if "server-ca" in there and "certificate" not in there else ""


def _check_certificates(
    certificate: Certificate | None, anchors: Mapping[str, bytes], paths: Mapping[str, Path]
) -> None:
    # It loads what only those with certificates need.
    from rserpool.security.certificates import check_pair, describe

    for name, pem in anchors.items():
        describe(pem, str(paths[name]))
    if certificate is not None:
        check_pair(certificate.chain, certificate.private_key, str(paths["certificate"]), str(paths["private-key"]))
