"""A secured scope without files: keys and certificates of its processes in memory."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from functools import cache

from rserpool.core.access import State
from rserpool.security.following import Secured
from rserpool.security.keys import Key, Keyring
from rserpool.security.settings import Certificate, Security

SCOPE = "scope.test"
"""The name of the scope; the certificate of each registrar has it, and no other name."""
DAYS = 365


class ScopeSecurity:
    """What secures each process of a scope.

    Registrars and elements have keys, which depend on the seed; users have none, and check the certificate of the
    registrar. When somebody comes or goes every registrar hears of it, as it would by its files.

    @ivar state: that of registrars that come from now on, or are changed.
    @ivar secured: what secures each process, by its name; its C{replace} changes that while the process runs.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.secured: dict[str, Secured] = {}
        self.state = State.REQUIRED
        self._letters: dict[str, str] = {}
        self._known: dict[str, Key] = {}

    def of(self, name: str, letter: str) -> Secured:
        """What secures a process.

        @param letter: C{"r"} for a registrar, C{"e"} for an element, C{"u"} for a user.
        """
        if name not in self.secured:
            self._letters[name] = letter
            if letter != "u":
                self._known[name] = self._key(name)
            self.secured[name] = Secured(self._security(name))
            self._tell()
        return self.secured[name]

    def renew(self, name: str) -> None:
        """A process gets a second key, and uses it; its first one is good, too."""
        security = self.secured[name].current
        assert security.own is not None
        count = 2 + sum(each.startswith(f"{name}@") for each in self._known)
        self._known[f"{name}@{count}"] = self._key(f"{name}@{count}")
        self._tell()
        self.secured[name].replace(self._security(name))

    def require(self) -> None:
        """Every registrar is to require TLS from now on; each refuses that while anything would be lost."""
        self.state = State.REQUIRED
        self._tell()

    def revoke(self, name: str) -> None:
        """No registrar knows this key any more.

        @param name: its whole identity: C{e1}, or C{e1@2}.
        """
        del self._known[name]
        self._tell()

    def _tell(self) -> None:
        for name, secured in self.secured.items():
            if self._letters[name] == "r":
                security = self._security(name)
                if security != secured.current:
                    secured.replace(security)

    def _key(self, name: str) -> Key:
        return Key(name, hashlib.sha256(f"{self._seed}/{name}".encode()).digest())

    def _security(self, name: str) -> Security:
        letter = self._letters[name]
        ca, certificate = certificates()
        if letter == "u":
            return Security(scope=SCOPE, server_ca=ca)
        own = [key for key in self._known.values() if key.bearer == name][-1:] or [self._key(name)]
        if letter == "e":
            return Security(scope=SCOPE, server_ca=ca, registrars=Keyring((), own[0]), elements=Keyring((), own[0]))
        others = [key for key in self._known.values() if key.bearer != name]
        registrars, elements = (
            Keyring([key for key in others if self._letters[key.bearer] == each], own[0]) for each in "re"
        )
        return Security(
            state=self.state,
            scope=SCOPE,
            server_ca=ca,
            registrars=registrars,
            elements=elements,
            certificate=certificate,
        )


@cache
def certificates() -> tuple[bytes, Certificate]:
    """A CA, and a certificate of it for every registrar; made once in a process, since that takes some milliseconds."""
    from rserpool.security.making import new_ca, new_certificate

    now = datetime.now(UTC)
    ca = new_ca(SCOPE, now)
    issued = new_certificate(ca, [SCOPE], now, DAYS)
    return ca.certificate, Certificate(issued.certificate, issued.private_key)
