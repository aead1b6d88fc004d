"""A directory with a whole scope's keys and certificates: one folder for each process, to be copied there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rserpool.core.errors import ConfigurationError
from rserpool.security.certificates import describe
from rserpool.security.files import read_public, read_secret
from rserpool.security.keys import Key, read_keys, read_own_key
from rserpool.security.making import Issued, new_ca, new_certificate, new_key
from rserpool.security.settings import FILES, TABLE, read_toml

USERS = "users"
CA, CA_KEY = "ca.pem", "ca-private-key.pem"
DAYS = 365
"""For how long a certificate is good, where nothing else is said."""
SECRET, PUBLIC = 0o600, 0o644
_MEMBER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")

Contents = dict[Path, tuple[bytes, int]]
"""What is to be in which file, and its mode."""


@dataclass(frozen=True, slots=True)
class Member:
    """A registrar or an element.

    @ivar name: its folder, and the identity of its key.
    @ivar hosts: the names and addresses that its certificate has.
    """

    name: str
    hosts: tuple[str, ...]


def member_of(text: str) -> Member:
    """Read C{NAME[,HOST...]}: the name is a host's, too.

    @raise ConfigurationError: if it cannot be one.
    """
    hosts = tuple(filter(None, text.split(",")))
    name = hosts[0].replace(":", "_") if hosts else ""
    if not _MEMBER.fullmatch(name) or name == USERS or len(name) > 64:
        raise ConfigurationError(f"{text!r}: a name has letters, digits and . _ -, and is not {USERS!r}")
    return Member(name, hosts)


class ScopeDirectory:
    """The directory, and what is done in it; nothing there is ever overwritten: what was is set aside."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(
        self,
        scope: str,
        registrars: Sequence[Member],
        elements: Sequence[Member],
        now: datetime,
        days: int = DAYS,
        rsa_bits: int = 0,
    ) -> None:
        """Make everything.

        @raise ConfigurationError: if there is something already, or two have one name.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ConfigurationError(
                f"{self.path}: this exists, and nothing in it is overwritten (see rserpool keys add)"
            )
        names = [each.name for each in (*registrars, *elements)]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ConfigurationError(f"two members have the name {min(twice)}")
        ca = new_ca(scope, now)
        keys = {name: new_key(name) for name in names}
        contents: Contents = {self.path / CA: (ca.certificate, PUBLIC), self.path / CA_KEY: (ca.private_key, SECRET)}
        for member in registrars:
            folder = self.path / member.name
            contents |= _common(folder, f"The registrar {member.name}", scope, ca)
            contents |= _own(folder, keys[member.name])
            contents |= _certified(folder, new_certificate(ca, (*member.hosts, scope), now, days, rsa_bits))
            others = [keys[other.name] for other in registrars if other != member]
            contents[folder / FILES["registrar-keys"]] = _key_file("The other registrars", others)
            contents[folder / FILES["element-keys"]] = _key_file("Elements", [keys[other.name] for other in elements])
        for member in elements:
            folder = self.path / member.name
            contents |= _common(folder, f"The element {member.name}", scope, ca)
            contents |= _own(folder, keys[member.name])
            contents |= _certified(folder, new_certificate(ca, member.hosts, now, days, rsa_bits))
        contents |= _common(self.path / USERS, "Users", scope, ca)
        _write_new(contents)

    @property
    def scope(self) -> str:
        """The name of the scope.

        @raise ConfigurationError: if this is no directory of a scope.
        """
        written = self.path / USERS / TABLE
        if not written.exists() or not (self.path / CA).exists():
            raise ConfigurationError(f"{self.path}: rserpool keys make has not made this directory")
        return str(read_toml(written).get("security", {}).get("scope", ""))

    def folders(self) -> Iterator[Path]:
        """The folder of each process, that of users too."""
        for folder in sorted(self.path.iterdir()):
            if folder.is_dir() and (folder / TABLE).exists() and folder.suffix != ".removed":
                yield folder

    def registrars(self) -> list[Path]:
        """The folders of registrars."""
        return [folder for folder in self.folders() if (folder / FILES["element-keys"]).exists()]

    def elements(self) -> list[Path]:
        """The folders of elements."""
        return [
            folder
            for folder in self.folders()
            if (folder / FILES["own-key"]).exists() and not (folder / FILES["element-keys"]).exists()
        ]

    def add(
        self,
        registrars: Sequence[Member],
        elements: Sequence[Member],
        now: datetime,
        days: int = DAYS,
        rsa_bits: int = 0,
    ) -> dict[Path, list[Path]]:
        """Add members, or a second key and a new certificate to those that are there: both keys are good.

        @return: for each folder, which files in it are new or changed.
        @raise ConfigurationError: if an element has a registrar's name, or the other way round.
        """
        scope = self.scope
        ca = Issued(read_public(self.path / CA), read_secret(self.path / CA_KEY))
        wrong = {each.name for each in registrars} & {folder.name for folder in self.elements()}
        wrong |= {each.name for each in elements} & {folder.name for folder in self.registrars()}
        if wrong:
            raise ConfigurationError(f"{min(wrong)} is there already, and is the other of registrar and element")
        changed: dict[Path, list[Path]] = {}
        for member, is_registrar in [*((one, True) for one in registrars), *((one, False) for one in elements)]:
            contents = self._added(
                member, is_registrar, scope, ca, new_names(member, is_registrar, scope), now, days, rsa_bits
            )
            for path in contents:
                if path not in changed.setdefault(path.parent, []):
                    changed[path.parent].append(path)
            _write_aside(contents)
        return changed

    def _added(
        self,
        member: Member,
        is_registrar: bool,
        scope: str,
        ca: Issued,
        names: tuple[str, ...],
        now: datetime,
        days: int,
        rsa_bits: int,
    ) -> Contents:
        folder, others = self.path / member.name, [each for each in self.registrars() if each.name != member.name]
        contents: Contents = {}
        if folder.exists():
            chain = read_public(folder / FILES["certificate"])
            before = tuple(each.name for each in describe(chain, str(folder))[0].names)
            names = tuple(dict.fromkeys((*before, *names)))
        else:
            who = "The registrar" if is_registrar else "The element"
            contents |= _common(folder, f"{who} {member.name}", scope, ca)
            if is_registrar:
                known = [read_own_key(each / FILES["own-key"]) for each in others]
                contents[folder / FILES["registrar-keys"]] = _key_file("The other registrars", known)
                known = [key for each in others[:1] for key in read_keys(each / FILES["element-keys"])]
                contents[folder / FILES["element-keys"]] = _key_file("Elements", known)
        key = new_key(self._unused(member.name))
        contents |= _own(folder, key)
        contents |= _certified(folder, new_certificate(ca, names, now, days, rsa_bits))
        for each in others:
            path = each / FILES["registrar-keys" if is_registrar else "element-keys"]
            contents[path] = (read_secret(path) + _line(key), SECRET)
        return contents

    def _unused(self, name: str) -> str:
        used = {key.name for folder in self.registrars() for key in _known(folder)}
        used |= {read_own_key(each / FILES["own-key"]).name for each in (*self.registrars(), *self.elements())}
        if name not in used:
            return name
        return next(f"{name}@{n}" for n in range(2, len(used) + 3) if f"{name}@{n}" not in used)

    def remove(self, names: Sequence[str]) -> dict[Path, list[Path]]:
        """Take keys away, each by its whole identity: who has no other one is cut off.

        @return: for each folder, which files in it have changed.
        @raise ConfigurationError: if there is no such key.
        """
        changed: dict[Path, list[Path]] = {}
        own = {read_own_key(each / FILES["own-key"]).name: each for each in (*self.registrars(), *self.elements())}
        registrars = self.registrars()
        there = {key.name for folder in registrars for key in _known(folder)}
        missing = [name for name in names if name not in there and name not in own]
        if missing:
            raise ConfigurationError(
                f"{self.path}: no key has the identity {missing[0]}; there are {', '.join(sorted(there | set(own)))}"
            )
        for folder in registrars:
            for file in (FILES["registrar-keys"], FILES["element-keys"]):
                path = folder / file
                before = read_secret(path).decode()
                after = "".join(line for line in before.splitlines(True) if line.partition(":")[0].strip() not in names)
                if after != before:
                    _replace(path, after.encode(), SECRET)
                    changed.setdefault(folder, []).append(path)
        for name in names:
            if name in own:
                own[name].rename(own[name].with_name(own[name].name + ".removed"))
                changed.pop(own[name], None)
        return changed


def new_names(member: Member, is_registrar: bool, scope: str) -> tuple[str, ...]:
    """The names of a member's certificate: a registrar's has that of the scope."""
    return (*member.hosts, scope) if is_registrar else member.hosts


def _known(folder: Path) -> tuple[Key, ...]:
    return (*read_keys(folder / FILES["registrar-keys"]), *read_keys(folder / FILES["element-keys"]))


def _common(folder: Path, who: str, scope: str, ca: Issued) -> Contents:
    text = f'# {who} of the scope {scope}.\n[security]\nstate = "required"\nscope = "{scope}"\n'
    return {
        folder / TABLE: (text.encode(), PUBLIC),
        folder / FILES["server-ca"]: (ca.certificate, PUBLIC),
    }


def _own(folder: Path, key: Key) -> Contents:
    return {folder / FILES["own-key"]: (_line(key), SECRET)}


def _certified(folder: Path, issued: Issued) -> Contents:
    return {
        folder / FILES["certificate"]: (issued.certificate, PUBLIC),
        folder / FILES["private-key"]: (issued.private_key, SECRET),
    }


def _key_file(what: str, keys: Iterable[Key]) -> tuple[bytes, int]:
    return f"# {what}, IDENTITY:KEY\n".encode() + b"".join(_line(key) for key in keys), SECRET


def _line(key: Key) -> bytes:
    return f"{key.name}:{key.secret.hex()}\n".encode()


def _write_new(contents: Mapping[Path, tuple[bytes, int]]) -> None:
    for path, (data, mode) in contents.items():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)


def _write_aside(contents: Mapping[Path, tuple[bytes, int]]) -> None:
    """Write files; what was there gets another name, unless the new one begins with it."""
    for path, (data, mode) in contents.items():
        if not path.exists():
            _write_new({path: (data, mode)})
            continue
        if not data.startswith(path.read_bytes()):
            os.link(path, _aside(path))
        _replace(path, data, mode)


def _aside(path: Path) -> Path:
    for n in range(1, 10_000):
        old = path.with_name(f"{path.name}.old{n}")
        if not old.exists():
            return old
    raise ConfigurationError(f"{path}: there are too many old ones beside it")


def _replace(path: Path, data: bytes, mode: int) -> None:
    """All of it or nothing: whoever reads it meanwhile reads what was."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    _write_new({new: (data, mode)})
    new.replace(path)
