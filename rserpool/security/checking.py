"""What is wrong with keys and certificates, and when they end: C{rserpool keys check}."""

from __future__ import annotations

import stat
from datetime import datetime, timedelta
from pathlib import Path

from rserpool.core.errors import ConfigurationError
from rserpool.core.frozen import frozen
from rserpool.core.identity import Identity
from rserpool.security.access_file import KeyNames, access_of
from rserpool.security.certificates import Described, check_pair, describe, untrusted
from rserpool.security.files import read_public, read_secret
from rserpool.security.keys import Key, bearer_of, read_keys, read_own_key
from rserpool.security.settings import FILES, KEYS, TABLE, Security, read_toml, security_of, settled

WARN_DAYS = 30


@frozen
class Findings:
    """What was found.

    @ivar wrong: what has to be mended, a sentence each.
    @ivar soon: what will have to be, a sentence each.
    @ivar ends: which certificate is good until when.
    """

    wrong: tuple[str, ...]
    soon: tuple[str, ...]
    ends: tuple[tuple[str, datetime], ...]


def check(directory: Path, now: datetime, days: int = WARN_DAYS) -> Findings:
    """Look at the directory of one process, or at that of a whole scope.

    @param days: how long before its end a certificate is told.
    @raise ConfigurationError: if there is nothing to check.
    """
    folders = [directory] if _is_one(directory) else _folders(directory)
    if not folders:
        raise ConfigurationError(f"{directory}: there are no keys and no certificates in it")
    look = _Look(now, days)
    for folder in folders:
        look.at(folder)
    if len(folders) > 1:
        look.together()
    return Findings(tuple(dict.fromkeys(look.wrong)), tuple(dict.fromkeys(look.soon)), tuple(look.ends))


def check_security(security: Security, now: datetime, days: int = WARN_DAYS) -> Findings:
    """What is the matter with the certificates of a process that runs, or will be within C{days}."""
    look = _Look(now, days)
    for what, pem in (
        ("the certificate", security.certificate and security.certificate.chain),
        ("a trust anchor for servers", security.server_ca),
        ("a trust anchor for clients", security.client_ca),
    ):
        for one in describe(pem, what) if pem else ():
            look.expiry(what, one)
    return Findings(tuple(look.wrong), tuple(look.soon), tuple(look.ends))


def _is_one(directory: Path) -> bool:
    return any((directory / name).exists() for name in (TABLE, *FILES.values()))


def _folders(directory: Path) -> list[Path]:
    if not directory.is_dir():
        raise ConfigurationError(f"{directory}: there is no such directory")
    return [
        folder
        for folder in sorted(directory.iterdir())
        if folder.is_dir() and folder.suffix != ".removed" and _is_one(folder)
    ]


class _Look:
    def __init__(self, now: datetime, days: int) -> None:
        self._now = now
        self._days = days
        self._own: dict[Path, Key] = {}
        self._known: dict[Path, dict[str, dict[str, bytes]]] = {}
        self.wrong: list[str] = []
        self.soon: list[str] = []
        self.ends: list[tuple[str, datetime]] = []

    def at(self, folder: Path) -> None:
        """One process's folder."""
        if stat.S_IMODE(folder.stat().st_mode) & 0o022:
            self.wrong.append(f"{folder}: others may put files there: chmod go-w {folder}")
        there = {name: folder / file for name, file in FILES.items() if (folder / file).exists()}
        # None: where the settings cannot be read, there may be a name of the scope.
        scope: str | None = None
        try:
            settings = settled(folder)
            there = {name: Path(path) for name, path in settings.items() if name in FILES}
            scope = settings.get("scope", "")
            security_of(folder)
        except ConfigurationError as error:
            self.wrong.append(str(error))
            self._each(there)
        self._keys(folder, there)
        self._access(folder, there)
        self._certificates(folder, there, scope)

    def _each(self, there: dict[str, Path]) -> None:
        """Settings stop at their first mistake; here every file is read."""
        for name, path in there.items():
            try:
                if name in ("private-key", "own-key"):
                    read_secret(path)
                elif name not in KEYS:
                    read_public(path)
            except ConfigurationError as error:
                self.wrong.append(str(error))

    def _keys(self, folder: Path, there: dict[str, Path]) -> None:
        own: Key | None = None
        if "own-key" in there:
            try:
                own = self._own[folder] = read_own_key(there["own-key"])
            except ConfigurationError as error:
                self.wrong.append(str(error))
        known = self._known[folder] = {}
        for name in KEYS:
            if name in there:
                try:
                    known[name] = dict(read_keys(there[name], own))
                except ConfigurationError as error:
                    self.wrong.append(str(error))
        if known.get("registrar-keys") and own is None and "own-key" not in there:
            self.wrong.append(
                f"{folder}: registrars know each other by keys, and this one has none: {FILES['own-key']}"
            )

    def _access(self, folder: Path, there: dict[str, Path]) -> None:
        """Whom the access file names by keys that nobody has: a slip of the pen, as a rule."""
        if "access" not in there:
            return
        try:
            table = read_toml(there["access"])
            access = access_of(table, KeyNames(), where=str(there["access"]))
        except ConfigurationError as error:
            self.wrong.append(str(error))
            return
        known = {bearer_of(name) for keys in self._known[folder].values() for name in keys}
        if folder in self._own:
            known.add(self._own[folder].bearer)
        for identity in sorted(access.identities):
            if identity.kind == "psk" and identity.name not in known:
                self.wrong.append(f"{there['access']}: it names {identity}, and no file here has a key of that")

    def _certificates(self, folder: Path, there: dict[str, Path], scope: str | None) -> None:
        described: dict[str, list[Described]] = {}
        for name in ("certificate", "server-ca", "client-ca"):
            if name in there:
                try:
                    described[name] = describe(read_public(there[name]), str(there[name]))
                except ConfigurationError as error:
                    self.wrong.append(str(error))
                for one in described.get(name, ()):
                    self.expiry(str(there[name]), one)
        if "server-ca" in described and scope == "":
            self.wrong.append(
                f"{folder}: without the name of the scope (scope = in {TABLE}) no registrar can be checked"
            )
        if "certificate" not in described or "private-key" not in there:
            return
        path, own = there["certificate"], described["certificate"][0]
        try:
            check_pair(read_public(path), read_secret(there["private-key"]), str(path), str(there["private-key"]))
        except ConfigurationError as error:
            self.wrong.append(str(error))
        if not own.names:
            self.wrong.append(f"{path}: it names nobody (subjectAltName): nobody will believe it")
        registrar = "element-keys" in there or "registrar-keys" in there
        if registrar and scope and Identity("dns", scope) not in own.names:
            self.wrong.append(f"{path}: a registrar's certificate has the name of the scope, too: {scope}")
        if "server-ca" in described and own.begins <= self._now < own.ends:
            why = untrusted(read_public(path), read_public(there["server-ca"]), self._now)
            if why:
                self.wrong.append(f"{path}: who trusts {there['server-ca']} does not believe it: {why}")

    def expiry(self, where: str, one: Described) -> None:
        """What one certificate says, and how long it is good."""
        self.ends.append((where, one.ends))
        if one.weak:
            self.wrong.append(f"{where}: {one.weak}")
        if self._now < one.begins:
            self.wrong.append(f"{where}: it is good from {one.begins:%Y-%m-%d %H:%M} UTC on: is the clock right?")
        elif self._now >= one.ends:
            self.wrong.append(f"{where}: it ended at {one.ends:%Y-%m-%d %H:%M} UTC")
        elif self._now >= one.ends - timedelta(days=self._days):
            left = one.ends - self._now
            when = f"in {left.days} days" if left.days > 1 else f"in {left.total_seconds() / 3600:.0f} hours"
            self.soon.append(f"{where}: it ends {when}, at {one.ends:%Y-%m-%d %H:%M} UTC")

    def together(self) -> None:
        """What the processes of a scope know of each other."""
        registrars = {folder: known for folder, known in self._known.items() if known}
        operators = {bearer_of(name) for known in registrars.values() for name in known.get("operator-keys", ())}
        for folder, own in self._own.items():
            kind = "operator-keys" if own.bearer in operators else "element-keys"
            kind = "registrar-keys" if folder in registrars else kind
            for other, known in registrars.items():
                if other != folder and kind in known:
                    self._agreed(own, folder, other / FILES[kind], known[kind])
        for kind in ("element-keys", "operator-keys"):
            self._same(kind, registrars)

    def _agreed(self, own: Key, folder: Path, path: Path, known: dict[str, bytes]) -> None:
        if own.name not in known:
            self.wrong.append(f"{path}: it has no key of {own.name} ({folder / FILES['own-key']})")
        elif known[own.name] != own.secret:
            self.wrong.append(f"{path}: its key of {own.name} is not that in {folder / FILES['own-key']}")

    def _same(self, kind: str, registrars: dict[Path, dict[str, dict[str, bytes]]]) -> None:
        files = [(folder, known[kind]) for folder, known in registrars.items() if kind in known]
        for (one, first), (other, second) in zip(files, files[1:], strict=False):
            for name in sorted(first.keys() ^ second.keys()):
                has, lacks = (one, other) if name in first else (other, one)
                self.wrong.append(f"{lacks / FILES[kind]}: it has no key of {name}, and that of {has.name} has")
