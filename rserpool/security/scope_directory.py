"""A directory with a whole scope's keys and certificates: one folder for each process, to be copied there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.security.certificates import describe
from rserpool.security.files import read_public, read_secret
from rserpool.security.keys import Key, read_keys, read_own_key
from rserpool.security.making import Issued, new_ca, new_certificate, new_key
from rserpool.security.operators import certified_name, forgotten_by, known_by
from rserpool.security.settings import FILES, TABLE, read_toml

USERS = "users"
CA, CA_KEY = "ca.pem", "ca-private-key.pem"
DAYS = 365
"""For how long a certificate is good, where nothing else is said."""
SECRET, PUBLIC = 0o600, 0o644
_MEMBER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")

KEY_FILES = {
    "registrar": FILES["registrar-keys"],
    "element": FILES["element-keys"],
    "operator": FILES["operator-keys"],
}
"""In which file of every registrar the key of a member is, by its role."""
_HEADS = {"registrar": "The other registrars", "element": "Elements", "operator": "Operators"}

Contents = dict[Path, tuple[bytes, int]]
"""What is to be in which file, and its mode."""


@frozen
class Member:
    """A registrar, an element, an operator, or somebody who submits code.

    @ivar role: C{"registrar"}, C{"element"}, C{"operator"} or C{"submitter"}.
    @ivar name: its folder, and the identity of its key; a submitter has none, and this is the name in its certificate.
    @ivar hosts: the names and addresses that its certificate has; an operator has none.
    @ivar certified: whether an operator gets a certificate, with a name of its own.
    """

    role: str
    name: str
    hosts: tuple[str, ...]
    certified: bool = False

    def names(self, scope: str) -> tuple[str, ...]:
        """The names of its certificate: a registrar's has that of the scope; most operators have none."""
        if self.role == "operator":
            return (certified_name(self.name, scope),) if self.certified else ()
        return (*self.hosts, scope) if self.role == "registrar" else self.hosts


def member_of(role: str, text: str) -> Member:
    """Read C{NAME[,HOST...]}: the name is a host's, too.

    @raise ConfigurationError: if it cannot be one.
    """
    hosts = tuple(filter(None, text.split(",")))
    name = hosts[0].replace(":", "_") if hosts else ""
    if not _MEMBER.fullmatch(name) or name == USERS or len(name) > 64:
        raise ConfigurationError(f"{text!r}: a name has letters, digits and . _ -, and is not {USERS!r}")
    return Member(role, name, hosts)


@frozen
class Terms:
    """How certificates are made.

    @ivar now: the time at which they are.
    @ivar days: for how long they are good.
    @ivar rsa_bits: bits of RSA keys; 0 for keys on P-256.
    """

    now: datetime
    days: int = DAYS
    rsa_bits: int = 0

    def certificate(self, ca: Issued, names: Sequence[str]) -> Issued:
        """A new one."""
        return new_certificate(ca, names, self.now, self.days, self.rsa_bits)


class ScopeDirectory:
    """The directory, and what is done in it; nothing there is ever overwritten: what was is set aside."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self, scope: str, members: Sequence[Member], terms: Terms) -> None:
        """Make everything.

        @raise ConfigurationError: if there is something already, or two have one name.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ConfigurationError(
                f"{self.path}: this exists, and nothing in it is overwritten (see rserpool keys add)"
            )
        names = [each.name for each in members]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ConfigurationError(f"two members have the name {min(twice)}")
        ca = new_ca(scope, terms.now)
        keys = {each.name: new_key(each.name) for each in members if each.role != "submitter"}
        contents: Contents = {self.path / CA: (ca.certificate, PUBLIC), self.path / CA_KEY: (ca.private_key, SECRET)}
        for member in members:
            folder = self.path / member.name
            contents |= _common(folder, f"The {member.role} {member.name}", scope, ca)
            if member.role != "submitter":
                contents |= _own(folder, keys[member.name])
            if member.names(scope):
                contents |= _certified(folder, terms.certificate(ca, member.names(scope)))
            if member.role == "registrar":
                for role, file in KEY_FILES.items():
                    known = [keys[each.name] for each in members if each.role == role and each != member]
                    contents[folder / file] = _key_file(role, known)
                contents |= known_by(folder, _certified_of(members), scope, ca.certificate)
        contents |= _common(self.path / USERS, "Users", scope, ca)
        contents |= _workers(members, [self.path / each.name for each in members if each.role == "element"], ca)
        # All of it or nothing.
        new = self.path.with_name(f".{self.path.name}.new")
        if new.exists():
            raise ConfigurationError(f"{new}: this is left of another attempt: take it away first")
        _write_new({new / path.relative_to(self.path): what for path, what in contents.items()})
        new.replace(self.path)

    @property
    def scope(self) -> str:
        """The name of the scope.

        @raise ConfigurationError: if this is no directory of a scope.
        """
        written = self.path / USERS / TABLE
        if not written.exists() or not (self.path / CA).exists():
            raise ConfigurationError(f"{self.path}: rserpool keys make has not made this directory")
        return str(read_toml(written).get("security", {}).get("scope", ""))

    def folders(self) -> dict[Path, str]:
        """The folder of each member, and its role.

        @raise ConfigurationError: if there is no such directory.
        """
        if not self.path.is_dir():
            raise ConfigurationError(f"{self.path}: rserpool keys make has not made this directory")
        there = [
            folder
            for folder in sorted(self.path.iterdir())
            if folder.suffix != ".removed" and (folder / FILES["own-key"]).exists()
        ]
        registrars = [folder for folder in there if (folder / KEY_FILES["element"]).exists()]
        operators = {key.bearer for folder in registrars for key in _read(folder / KEY_FILES["operator"])}
        roles = {folder: "operator" if folder.name in operators else "element" for folder in there}
        return roles | dict.fromkeys(registrars, "registrar")

    def submitters(self) -> list[Path]:
        """The folders of those who submit code."""
        there = (self.path / name for name in sorted(os.listdir(self.path)))
        return [
            each for each in there if not (each / FILES["own-key"]).exists() and (each / FILES["certificate"]).exists()
        ]

    def registrars(self) -> list[Path]:
        """The folders of registrars."""
        return [folder for folder, role in self.folders().items() if role == "registrar"]

    def add(self, members: Sequence[Member], terms: Terms) -> dict[Path, list[Path]]:
        """Add members, or a second key and a new certificate to those that are there: both keys are good.

        @return: for each folder, which files in it are new or changed.
        @raise ConfigurationError: if a name has another role already.
        """
        scope = self.scope
        ca = Issued(read_public(self.path / CA), read_secret(self.path / CA_KEY))
        roles = {folder.name: role for folder, role in self.folders().items()}
        roles |= {folder.name: "submitter" for folder in self.submitters()}
        for member in members:
            if roles.get(member.name, member.role) != member.role:
                raise ConfigurationError(f"{member.name} is there already: the {roles[member.name]}")
        changed: dict[Path, list[Path]] = {}
        for member in members:
            contents = self._added(member, scope, ca, terms)
            for path in contents:
                files = changed.setdefault(path.parent, [])
                files += [path] * (path not in files)
            _write_aside(contents)
        workers = [folder for folder, role in self.folders().items() if role == "element"]
        trusting = {path: what for path, what in _workers(members, workers, ca).items() if not path.exists()}
        for path in trusting:
            changed.setdefault(path.parent, []).append(path)
        _write_new(trusting)
        return changed

    def _added(self, member: Member, scope: str, ca: Issued, terms: Terms) -> Contents:
        folder, others = self.path / member.name, [each for each in self.registrars() if each.name != member.name]
        names, contents = member.names(scope), Contents()
        if not folder.exists():
            contents |= _common(folder, f"The {member.role} {member.name}", scope, ca)
            if member.role == "registrar":
                for role, file in KEY_FILES.items():
                    known = [key for each in others[:1] for key in _read(each / file)]
                    contents[folder / file] = _key_file(role, known)
                known = [read_own_key(each / FILES["own-key"]) for each in others]
                contents[folder / KEY_FILES["registrar"]] = _key_file("registrar", known)
                same = (each / FILES[name] for each in others[:1] for name in ("access", "client-ca"))
                contents |= {folder / path.name: (path.read_bytes(), PUBLIC) for path in same if path.exists()}
        elif names and (folder / FILES["certificate"]).exists():
            before = describe(read_public(folder / FILES["certificate"]), str(folder))[0].names
            names = tuple(dict.fromkeys((*(each.name for each in before), *names)))
        if names:
            contents |= _certified(folder, terms.certificate(ca, names))
        if member.role == "submitter":
            return contents
        key = new_key(self._unused(member.name))
        contents |= _own(folder, key)
        for each in others:
            path = each / KEY_FILES[member.role]
            contents[path] = ((read_secret(path) if path.exists() else b"") + _line(key), SECRET)
            contents |= known_by(each, _certified_of([member]), scope, ca.certificate)
        return contents

    def _unused(self, name: str) -> str:
        used = {key.name for folder in self.registrars() for key in _known(folder)}
        used |= {read_own_key(each / FILES["own-key"]).name for each in self.folders()}
        if name not in used:
            return name
        return next(f"{name}@{n}" for n in range(2, len(used) + 3) if f"{name}@{n}" not in used)

    def remove(self, names: Sequence[str]) -> dict[Path, list[Path]]:
        """Take keys away, each by its whole identity: who has no other one is cut off.

        @return: for each folder, which files in it have changed.
        @raise ConfigurationError: if there is no such key.
        """
        changed: dict[Path, list[Path]] = {}
        folders = self.folders()
        own = {read_own_key(each / FILES["own-key"]).name: each for each in folders}
        there = {key.name for folder in self.registrars() for key in _known(folder)} | set(own)
        missing = [name for name in names if name not in there]
        if missing:
            raise ConfigurationError(
                f"{self.path}: no key has the identity {missing[0]}; there are {', '.join(sorted(there))}"
            )
        for folder in self.registrars():
            for path in (folder / file for file in KEY_FILES.values() if (folder / file).exists()):
                before = read_secret(path).decode()
                after = "".join(line for line in before.splitlines(True) if line.partition(":")[0].strip() not in names)
                if after != before:
                    _replace(path, after.encode(), SECRET)
                    changed.setdefault(folder, []).append(path)
        cut = [name for name in names if name in own and own[name].name == name]
        for folder in self.registrars():
            for path, data in forgotten_by(folder, cut, self.scope).items():
                _replace(path, data, PUBLIC)
                changed.setdefault(folder, []).append(path)
        for name in names:
            if name in own:
                own[name].rename(own[name].with_name(own[name].name + ".removed"))
                changed.pop(own[name], None)
        return changed


def _read(path: Path) -> tuple[Key, ...]:
    return read_keys(path) if path.exists() else ()


def _known(folder: Path) -> list[Key]:
    return [key for file in KEY_FILES.values() for key in _read(folder / file)]


def _common(folder: Path, who: str, scope: str, ca: Issued) -> Contents:
    text = f'# {who} of the scope {scope}.\n[security]\nstate = "required"\nscope = "{scope}"\n'
    return {
        folder / TABLE: (text.encode(), PUBLIC),
        folder / FILES["server-ca"]: (ca.certificate, PUBLIC),
    }


def _certified_of(members: Iterable[Member]) -> list[str]:
    return [each.name for each in members if each.role == "operator" and each.certified]


def _own(folder: Path, key: Key) -> Contents:
    return {folder / FILES["own-key"]: (_line(key), SECRET)}


def _certified(folder: Path, issued: Issued) -> Contents:
    return {
        folder / FILES["certificate"]: (issued.certificate, PUBLIC),
        folder / FILES["private-key"]: (issued.private_key, SECRET),
    }


def _workers(members: Iterable[Member], elements: Iterable[Path], ca: Issued) -> Contents:
    """What lets elements know who submits code, if anybody does."""
    if all(member.role != "submitter" for member in members):
        return {}
    return {folder / FILES["client-ca"]: (ca.certificate, PUBLIC) for folder in elements}


def _key_file(role: str, keys: Iterable[Key]) -> tuple[bytes, int]:
    return f"# {_HEADS[role]}, IDENTITY:KEY\n".encode() + b"".join(_line(key) for key in keys), SECRET


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
