"""SIGHUP: the file of C{--config} is read again, and what can change while a role runs does so at once.

A file that is wrong changes nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from twisted.application.service import Service
from twisted.logger import Logger
from twisted.python import usage

from rserpool.config.showing import values
from rserpool.core.errors import ConfigurationError
from rserpool.security.following import SecurityFiles
from rserpool.tap.logs import log_level

Change: TypeAlias = Callable[[Any], bool | None]
"""Makes one key of new options count; False if it cannot, before a restart."""


class Reloading(Service):
    """Reads the file of a role's options again.

    @param options: those that it runs with.
    @param words: the command line.
    @param changes: for each key that can change at once, what makes it count.
    """

    _log = Logger()

    def __init__(self, options: Any, words: Sequence[str], changes: Mapping[str, Change]) -> None:
        self._options = options
        self._words = list(words)
        self._changes = {**changes, "log-level": self._change_level, "security": self._change_security}
        self.what = f"{options.configured.file.path}"

    def reload(self) -> bool:
        """Read it again; whether it is right."""
        fresh = type(self._options)()
        try:
            fresh.read_words(self._words)
        except (ConfigurationError, usage.UsageError, OSError) as error:
            self._log.error(
                "{error}; nothing changes until this is mended", event="configuration-unchanged", error=str(error)
            )
            return False
        before, after = self._values(self._options), self._values(fresh)
        keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
        later = [key for key in keys if self._changes.get(key, _not_now)(fresh) is False]
        for key in keys:
            self._log.info(
                "{file}: {key} is {now}{when} (was {before})",
                event="configuration-changed",
                file=self.what,
                key=key,
                now=after.get(key, "not there"),
                when=" when this is started anew, and not before" if key in later else " now",
                before=before.get(key, "not there"),
                restart=key in later,
            )
        self._take(fresh, later)
        # These lines are written whichever of both levels would have them.
        self._options.levels.change(log_level(fresh["log-level"]))
        return True

    @staticmethod
    def _values(options: Any) -> dict[str, str]:
        """Without what the command line overrides."""
        return values(options.configured, secured=options["security"] is None)

    def _take(self, fresh: Any, later: Sequence[str]) -> None:
        """What counts now is compared with the next time; what waits for a restart is told each time."""
        places = {key: place for key, place in fresh.configured.places.items() if key not in later}
        places |= {key: place for key, place in self._options.configured.places.items() if key in later}
        before, after = self._options.configured, fresh.configured
        security = (before if "security" in later else after).security
        self._options.configured = replace(after, places=places, security=security, arguments=before.arguments)

    def _change_level(self, fresh: Any) -> None:
        levels = self._options.levels
        levels.change(min(levels.level, log_level(fresh["log-level"])))

    def _change_security(self, fresh: Any) -> bool:
        secured, written = self._options.settings_security, fresh.configured.security
        if not isinstance(secured, SecurityFiles) or written is None or not fresh.settings_security:
            return False
        secured.become(written.directory, dict(written.options))
        return True


def _not_now(fresh: Any) -> bool:
    return False
