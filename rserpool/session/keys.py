"""The keys of signed cookies in a file, so that they can be changed while elements serve (RFC 5352 section 3.8)."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rserpool.core.errors import ConfigurationError
from rserpool.core.session.cookies import KeyRing, parse_keys

LOOK = 5.0
"""Seconds between two looks at the file."""


class KeyFile(Service):
    """A L{KeyRing} that follows a file with lines C{NAME HEXADECIMAL}; the last key signs, all verify.

    Give it as a child to the service whose sessions it is for. To change keys without a break, put the new key
    I{before} the old one in the file of every element; then, in every file, behind it; later take the old one away.

    @ivar ring: for L{SignedCookies<rserpool.core.session.cookies.SignedCookies>}.
    """

    _log = Logger()

    def __init__(self, reactor: Any, path: str | Path) -> None:
        """
        @raise ConfigurationError: if the file cannot be read, or holds no keys; the text never shows a key.
        """
        self._path = Path(path)
        self._text = self._read()
        self.ring = KeyRing(self._parsed(self._text))
        self._loop = LoopingCall(self.look)
        self._loop.clock = reactor

    def startService(self) -> None:
        """Look at the file every L{LOOK} seconds."""
        super().startService()
        self._warn()
        self._loop.start(LOOK, now=False)

    def stopService(self) -> None:
        """Look at it no more."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()

    what = "the keys of cookies"

    def reload(self) -> None:
        """Look at the file now, as SIGHUP asks for."""
        self.look()

    def look(self) -> None:
        """Take the keys anew if the file has changed; if it is wrong, the keys stay, and the log says why."""
        try:
            text = self._read()
            if text != self._text:
                self.ring.replace(self._parsed(text))
                self._log.info("{path}: the keys of cookies have changed", path=str(self._path))
        except ConfigurationError as error:
            self._log.error("{error}; the keys stay as they are", error=str(error))
        else:
            self._text = text

    def _warn(self) -> None:
        """Whoever reads the keys can forge cookies."""
        try:
            mode = stat.S_IMODE(os.stat(self._path).st_mode)
        except OSError:
            return
        if os.name == "posix" and mode & stat.S_IROTH:
            self._log.warn(
                "{path}: everybody on this host can read the keys of cookies, and so forge them: chmod o-rwx {path}",
                path=str(self._path),
            )

    def _read(self) -> str:
        try:
            return self._path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ConfigurationError(f"{self._path}: the keys of cookies cannot be read: {reason}") from None

    def _parsed(self, text: str) -> dict[str, bytes]:
        try:
            keys = parse_keys(text)
            KeyRing(keys)
        except ConfigurationError as error:
            raise ConfigurationError(f"{self._path}: {error}") from None
        return keys
