"""Options that the twistd subcommands share, and how their mistakes are told."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.application.service import MultiService
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from rserpool.errors import ConfigurationError, RSerPoolError

T = TypeVar("T")


def read(option: str, value: str, parse: Callable[[str], T]) -> T:
    """Parse the value of an option.

    @raise usage.UsageError: with a sentence that names the option.
    """
    try:
        return parse(value)
    except ConfigurationError as error:
        raise usage.UsageError(f"--{option}: {error}") from None


def number(low: int, high: int) -> Callable[[str], int]:
    """A parser of numbers from C{low} to C{high}, decimal or 0x hexadecimal."""

    def parse(text: str) -> int:
        try:
            value = int(text, 0)
        except ValueError:
            raise ConfigurationError(f"{text!r} is not a number") from None
        if not low <= value <= high:
            raise ConfigurationError(f"{text} is not between {low} and {high}")
        return value

    return parse


def seconds(text: str) -> float:
    """A parser of a time in seconds, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < 1e9:
        raise ConfigurationError(f"{text!r} is not a number of seconds")
    return value


def backend(text: str) -> str:
    """The name of an SCTP backend."""
    if text not in ("auto", "usrsctp"):
        raise ConfigurationError(f"there is no backend {text!r}; choose auto or usrsctp")
    return text


class Started(MultiService):
    """Starts its services, and ends the process with one sentence if that cannot be."""

    _log = Logger()

    def __init__(self, name: str, *services: Any) -> None:
        super().__init__()
        self._name = name
        for one in services:
            one.setServiceParent(self)

    def fail(self, failure: Failure) -> None:
        """Stop, and end the process with status 1: what was asked for cannot be done."""
        from twisted.internet import reactor

        sentence = f"{self._name}: {failure.getErrorMessage()}"
        self._log.critical("{sentence}", sentence=sentence)
        reactor.addSystemEventTrigger("after", "shutdown", os._exit, 1)
        reactor.stop()

    def privilegedStartService(self) -> None:
        self._attempt(super().privilegedStartService)

    def startService(self) -> None:
        self._attempt(super().startService)

    def _attempt(self, start: Callable[[], None]) -> None:
        try:
            start()
        except (CannotListenError, RSerPoolError) as error:
            sentence = f"{self._name}: {sentence_of(error)}"
            self._log.critical("{sentence}", sentence=sentence)
            raise SystemExit(sentence) from None


def sentence_of(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, CannotListenError):
        reason = error.socketError
        cause = getattr(reason, "strerror", None) or str(reason)
        host = error.interface or "any address"
        return f"cannot listen on {host} port {error.port}: {cause}"
    return str(error)
