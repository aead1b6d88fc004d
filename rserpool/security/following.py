"""What secures a process while it runs: it follows its files, and tells before certificates end.

A change counts when the files have stood still from one look to the next, so that nothing half written does; SIGHUP
looks at once. What is wrong changes nothing, and is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rserpool.core.access import State
from rserpool.core.errors import ConfigurationError
from rserpool.security.keys import Keyring
from rserpool.security.settings import FILES, SECRETS, TABLE, Security, security_of, settled

LOOK = 2.0
"""Seconds between two looks at the files."""
EXPIRY = 3600.0
"""Seconds between two looks at when certificates end."""
AGAIN = 24
"""So many of these looks apart the same is told again."""

Stamp: TypeAlias = tuple[int, int, int, int] | None
"""What a file's status says about whether it has changed; None if it is not there."""


class Secured:
    """What secures a process now. Whoever uses it starts and stops it; it may be several.

    @ivar current: how it is secured now.
    """

    what = "what secures it"
    _log = Logger()

    def __init__(self, security: Security, *, wall: Callable[[], float] = time.time) -> None:
        """
        @param wall: tells the time, in seconds since 1970, for the ends of certificates.
        """
        self.current = security
        self._wall = wall
        self._watchers: list[Callable[[Security], object]] = []
        self._users = 0
        self._expiry = LoopingCall(self._look_at_expiry)
        self._told: dict[str, int] = {}

    @property
    def secrets(self) -> tuple[Path, ...]:
        """The files that nobody else may read."""
        return ()

    def watch(self, changed: Callable[[Security], object]) -> Callable[[], None]:
        """Have this called with each change.

        @return: a function that ends it.
        """
        self._watchers.append(changed)

        def end() -> None:
            with suppress(ValueError):
                self._watchers.remove(changed)

        return end

    def replace(self, security: Security) -> None:
        """From now on it is secured like this."""
        before, self.current = self.current, security
        self._log.info("{what}: {changes}", event="security-changed", what=self.what, changes=changes(before, security))
        self._told.clear()
        for changed in tuple(self._watchers):
            changed(security)

    def start(self, reactor: Any) -> None:
        """Follow what is to be followed, on the clock of this reactor."""
        self._users += 1
        if self._users == 1:
            self._begin(reactor)

    def stop(self) -> None:
        """Who started it needs it no more."""
        self._users -= 1
        if not self._users:
            self._end()

    def _begin(self, reactor: Any) -> None:
        self._expiry.clock = reactor
        self._expiry.start(EXPIRY)

    def _end(self) -> None:
        if self._expiry.running:
            self._expiry.stop()

    def _look_at_expiry(self) -> None:
        security = self.current
        if not (security.certificate or security.server_ca or security.client_ca):
            return
        from rserpool.security.checking import check_security

        findings = check_security(security, datetime.fromtimestamp(self._wall(), UTC))
        now = {sentence: self._told.get(sentence, 0) + 1 for sentence in (*findings.wrong, *findings.soon)}
        for sentence, times in now.items():
            if times % AGAIN == 1:
                self._log.warn("{sentence} (rserpool keys check says more)", event="certificate", sentence=sentence)
        self._told = now


class SecurityFiles(Secured):
    """What secures a process, in files that may change while it runs.

    @raise ConfigurationError: if something is wrong with them at the start.
    """

    def __init__(
        self,
        directory: Path | None,
        options: Mapping[str, Any] | None = None,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Read them; see L{security_of}."""
        self._directory = directory
        self._options = options
        self.what = f"security {directory or 'by options'}"
        stamps = self._stamps()
        super().__init__(security_of(directory, options), wall=wall)
        # What was read last, for better or worse; and what the last look has seen.
        self._read = self._seen = stamps
        self._there = {path for path, stamp in stamps.items() if stamp is not None}
        self._loop = LoopingCall(self.look)

    def look(self, patiently: bool = True) -> None:
        """Look at the files.

        @param patiently: whether a change counts at the next look alone, if nothing more has changed by then.
        """
        stamps = self._stamps()
        before, self._seen = self._seen, stamps
        if stamps == self._read or (patiently and stamps != before):
            return
        self._read = stamps
        try:
            gone = sorted(str(path) for path in self._there if stamps.get(path) is None)
            if gone:
                raise ConfigurationError(f"{gone[0]}: it is gone; to take keys away, leave it there and empty it")
            security = security_of(self._directory, self._options)
        except (ConfigurationError, OSError) as error:
            self._log.error(
                "{error}; nothing changes until this is mended", event="security-unchanged", error=str(error)
            )
            return
        self._there = {path for path, stamp in stamps.items() if stamp is not None}
        self.replace(security)

    @property
    def secrets(self) -> tuple[Path, ...]:
        table = settled(self._directory, self._options)
        return tuple(Path(table[name]) for name in SECRETS if name in table)

    def become(self, directory: Path | None, options: Mapping[str, Any] | None) -> None:
        """It is in other files from now on."""
        self._directory, self._options = directory, options
        self._there = set()
        self.reload()

    def reload(self) -> None:
        """Look at the files now, as SIGHUP asks for."""
        self._read = {}
        self.look(patiently=False)

    def _begin(self, reactor: Any) -> None:
        super()._begin(reactor)
        # Nobody has looked at them for a while.
        self.look(patiently=False)
        self._loop.clock = reactor
        self._loop.start(LOOK, now=False)

    def _end(self) -> None:
        super()._end()
        if self._loop.running:
            self._loop.stop()

    def _stamps(self) -> dict[Path, Stamp]:
        paths: list[Path] = []
        if self._directory is not None:
            paths += [self._directory / TABLE, *(self._directory / file for file in FILES.values())]
        with suppress(ConfigurationError, OSError):
            table = settled(self._directory, self._options)
            paths += [Path(table[name]) for name in FILES if name in table]
        return {path: _stamp(path) for path in paths}


def _stamp(path: Path) -> Stamp:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_mode


def changes(before: Security, after: Security) -> str:
    """What is different, in a sentence without secrets."""
    said = []
    for what, old, new in (
        ("registrars", before.registrars, after.registrars),
        ("elements", before.elements, after.elements),
        ("operators", before.operators, after.operators),
    ):
        said += _keys(what, old, new)
    if before.own != after.own:
        said.append(f"its own key is {after.own.name if after.own else 'gone'} now")
    for what, attribute in (
        ("its certificate", "certificate"),
        ("the trust anchors for servers", "server_ca"),
        ("the trust anchors for clients", "client_ca"),
    ):
        if getattr(before, attribute) != getattr(after, attribute):
            said.append(f"{what} changed")
    if before.state is not after.state:
        said.append(f"TLS is {'not spoken' if after.state is State.PLAIN else after.state.value} now")
    return "; ".join(said) or "read anew"


def _keys(what: str, before: Keyring, after: Keyring) -> list[str]:
    added = [name for name in after if before.find(name) is None]
    gone = [name for name in before if after.find(name) is None]
    other = [name for name in after if before.find(name) not in (None, after.find(name))]
    return [
        f"keys of {what} {how}: {', '.join(names)}"
        for how, names in (("added", added), ("gone", gone), ("changed", other))
        if names
    ]


def told(security: Security) -> str:
    """How a process is secured, in a sentence for its log."""
    if security.state is State.OFFERED:
        start = "TLS is offered and not required: whoever comes in the clear is believed, and the scope is not secure"
    else:
        start = "TLS is required"
    said = [start, f"the scope is {security.scope}" if security.scope else "the scope has no name"]
    said.append(f"its own key is {security.own.name}" if security.own else "it has no key of its own")
    counts = [
        f"{len(ring)} of {who}"
        for who, ring in (
            ("registrars", security.registrars),
            ("elements", security.elements),
            ("operators", security.operators),
        )
        if len(ring)
    ]
    if counts:
        said.append(f"keys: {', '.join(counts)}")
    said.append("a certificate" if security.certificate else "no certificate")
    return "; ".join(said)
