"""The service that C{twistd} starts: it ends the process with one sentence if that cannot be."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from errno import EADDRINUSE
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from rserpool.core.addresses import ASAP_PORT, ASAP_TLS_PORT, ENRP_PORT, ENRP_TLS_PORT
from rserpool.core.errors import RSerPoolError
from rserpool.tap.notifying import Notifier, notifier
from rserpool.tap.signals import Signals

MISTAKES = (CannotListenError, RSerPoolError, usage.UsageError, OSError, OverflowError, ValueError)
"""What comes of options that cannot be: told in a sentence."""
OF_REGISTRARS = (ASAP_PORT, ASAP_TLS_PORT, ENRP_PORT, ENRP_TLS_PORT)
TAKEN = {
    "rserpool-ns": "if a registrar of this host has it, give this one an address of its own: --asap 127.0.0.2, for "
    "example",
    "rserpool-pe": "that is a registrar's port: have what serves, behind --, listen at another one",
    "rserpool-proxy": "that is a registrar's port: name another one with --listen",
    "rserpool-worker": "that is a registrar's port: name another one with --tcp",
}
"""What to do where a port of registrars is taken. Over UDP registrars may share an address; with the kernel's SCTP they
may not."""


class CannotStart(SystemExit, Exception):
    """Ends the process with status 1; the sentence has been told.

    C{twistd} tidies up (pid file, the parent of a daemon) after an C{Exception} alone.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.code = 1


class Started(MultiService):
    """Starts its services, and ends the process with one sentence if that cannot be."""

    _log = Logger()

    def __init__(self, name: str, *services: Any) -> None:
        super().__init__()
        self._name = name
        self._starting = False
        self._notifier: Notifier | None = None
        self._signals = Signals(name, self)
        for one in services:
            one.setServiceParent(self)

    def tells(self, reactor: Any, ready: Callable[[], str], status: Callable[[], str]) -> None:
        """Have systemd hear of it, where that runs it; see L{Notifier<rserpool.tap.notifying.Notifier>}."""
        self._notifier = notifier(reactor, ready, status)

    def reloading(self) -> None:
        """SIGHUP has come."""
        if self._notifier is not None:
            self._notifier.reloading()

    def reloaded(self) -> None:
        """What it asks for is done."""
        if self._notifier is not None:
            self._notifier.reloaded()

    def fail(self, failure: Failure) -> None:
        """Stop, and end the process with status 1: what was asked for cannot be done.

        @raise CannotStart: while the services are started.
        """
        from twisted.internet import reactor

        error = failure.value
        sentence = self._tell(
            sentence_of(error, self._name) if isinstance(error, Exception) else failure.getErrorMessage()
        )
        if self._starting:
            raise CannotStart(sentence)
        try:
            reactor.stop()
        except ReactorNotRunning:
            return
        atexit.register(_end)

    def privilegedStartService(self) -> None:
        self._take_signals()
        self._attempt(super().privilegedStartService)

    def startService(self) -> None:
        self._take_signals()
        self._attempt(super().startService)
        if self._notifier is not None:
            self._notifier.begin()

    def _take_signals(self) -> None:
        """What it says while it starts may have somebody send one."""
        from twisted.internet import reactor

        self._signals.take(reactor)

    def stopService(self) -> Any:
        if self._notifier is not None:
            self._notifier.stopping()
        return maybeDeferred(super().stopService).addBoth(self._stopped)

    def _stopped(self, result: Any) -> Any:
        self._signals.give_back()
        if self._notifier is not None:
            self._notifier.end()
        return result

    def _attempt(self, start: Callable[[], None]) -> None:
        self._starting = True
        try:
            start()
        except MISTAKES as error:
            raise CannotStart(self._tell(sentence_of(error, self._name))) from None
        finally:
            self._starting = False

    def _tell(self, what: str) -> str:
        sentence = f"{self._name}: {what}"
        self._log.critical("{sentence}", event="failed", sentence=sentence)
        # The log may be a file.
        with suppress(OSError):
            print(sentence, file=sys.__stderr__, flush=True)
        return sentence


def _end() -> None:
    """Let the process end with status 1, when twistd has tidied up."""
    with suppress(OSError, AttributeError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(1)


def sentence_of(error: Exception, name: str = "") -> str:
    """What went wrong, in one line.

    @param name: of the command to which it happened, which has options of its own.
    """
    if isinstance(error, CannotListenError):
        from rserpool.node.listening import cannot_listen

        busy = getattr(error.socketError, "errno", None) == EADDRINUSE
        taken = error.port in OF_REGISTRARS and busy and name in TAKEN
        return f"{cannot_listen(error)}{f'; {TAKEN[name]}' if taken else ''}"
    return str(error) or type(error).__name__
