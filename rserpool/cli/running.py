"""Runs a subcommand of C{rserpool} in the reactor, and says in a sentence what went wrong."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TextIO, cast

from twisted.internet.defer import CancelledError, ensureDeferred
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogBeginner
from twisted.python.failure import Failure
from zope.interface import provider

from rserpool.cli.codes import ANOTHER_SERVICE, BAD_OPTION, INTERRUPTED, NO_REGISTRAR, OTHER, UNKNOWN_POOL
from rserpool.cli.options import security_from
from rserpool.core.addresses import ASAP_TLS_PORT, ENRP_TLS_PORT
from rserpool.core.errors import (
    AnotherService,
    CauseCode,
    ConfigurationError,
    NoRegistrar,
    Rejected,
    RSerPoolError,
    UnknownPool,
)
from rserpool.security.text import OFF, SECURITY


def is_secured(options: argparse.Namespace) -> bool:
    """Whether an option secures the command, or else the environment, or a file; also one that cannot be read: what is
    wrong with that the command tells."""
    if getattr(options, "security", None) or os.environ.get(SECURITY):
        return (options.security or os.environ.get(SECURITY)) != OFF
    try:
        return hasattr(options, "security") and security_from(options) is not None
    except ConfigurationError:
        return True


def explain(error: BaseException | None, named: Sequence[str] | None = None, secured: bool = False) -> tuple[int, str]:
    """The exit code and the sentence for what a subcommand raised.

    @param named: the registrars of C{--registrar}; None if there is no such option.
    @param secured: whether the command is.
    """
    match error:
        case ConfigurationError():
            code = BAD_OPTION
        case UnknownPool():
            code = UNKNOWN_POOL
        case NoRegistrar():
            code = NO_REGISTRAR
        case AnotherService():
            code = ANOTHER_SERVICE
        case _:
            code = OTHER
    sentence = str(error) or type(error).__name__
    if isinstance(error, CannotListenError):
        from rserpool.node.listening import cannot_listen

        sentence = cannot_listen(error)
    elif isinstance(error, OSError) and error.filename2:
        # What it was to be named: a lock of a socket's path, for example.
        sentence = f"{os.fsdecode(error.filename2)}: {error.strerror}"
    if not isinstance(error, RSerPoolError | OSError) and type(error).__module__ != "twisted.internet.error":
        sentence = f"unexpected {type(error).__name__}: {sentence}"
    if (
        isinstance(error, Rejected)
        and error.cause == CauseCode.REJECTED_FOR_SECURITY
        and "--security" not in sentence
        and not secured
    ):
        sentence += f"; the scope is secured: name its keys or certificates with --security (or in {SECURITY})"
    if isinstance(error, NoRegistrar) and error.unproved:
        return code, f"{sentence}; rserpool keys check DIR says what is wrong with keys and certificates"
    if code == NO_REGISTRAR and named is not None and not named:
        option = " --security DIR" if secured else ""
        sentence += f"; start one (twistd -n --pidfile= rserpool-ns{option}), or name one that is elsewhere"
    elif code == NO_REGISTRAR and secured:
        sentence += "; with --security only registrars that speak TLS are asked"
    elif code == NO_REGISTRAR and any(f":{port}" in sentence for port in (ASAP_TLS_PORT, ENRP_TLS_PORT)):
        sentence += "; that port is for TLS: name keys or certificates with --security"
    return code, sentence


async def _attempt(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    try:
        return int(await options.run(reactor, options, out))
    except NoRegistrar as error:
        if not hasattr(options, "transport") or options.registrar or security_from(options):
            raise
        from rserpool.cli.elsewhere import elsewhere
        from rserpool.node.candidates import named_registrars

        options.registrar = named_registrars()
        where = "" if options.registrar else await elsewhere(reactor, options.backend, options.transport)
        if not where:
            raise
        options.registrar = [where]
        raise NoRegistrar(f"{error}; {where}") from None


def run(reactor: Any, options: argparse.Namespace, out: TextIO) -> int:
    outcome: list[int] = []
    broken: list[BrokenPipeError] = []
    stopping = False

    def start() -> None:
        running = ensureDeferred(_attempt(reactor, options, out))

        def interrupted() -> Any:
            nonlocal stopping
            stopping = True
            running.cancel()
            return running

        trigger = reactor.addSystemEventTrigger("before", "shutdown", interrupted)

        def ended(result: Any) -> None:
            if not isinstance(result, Failure):
                outcome.append(result)
            elif result.check(CancelledError):
                outcome.append(INTERRUPTED)
            elif isinstance(result.value, BrokenPipeError):
                broken.append(result.value)
            else:
                code, sentence = explain(result.value, getattr(options, "registrar", None), is_secured(options))
                with suppress(OSError):  # its terminal may be closed
                    print(f"{options.prog}: {sentence}", file=sys.stderr)
                outcome.append(code)

        def stop(result: Any) -> Any:
            if not stopping:
                reactor.removeSystemEventTrigger(trigger)
                reactor.stop()
            return result

        running.addBoth(ended).addBoth(stop)

    reactor.callWhenRunning(start)
    reactor.run()
    if broken:
        raise broken[0]
    return outcome[0] if outcome else OTHER


def observer(stream: TextIO) -> ILogObserver:
    """What tells warnings and worse on C{stream}, a sentence each."""

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        level = event.get("log_level")
        failure = event.get("log_failure")
        if failure is not None and failure.check(ReactorNotRunning):
            return  # a second signal to end, while the first one does
        if level is not None and level >= LogLevel.warn:
            line = f"rserpool: {formatEvent(event)}"
            # On a terminal there may be progress in this line.
            print(f"\r{line:<79}" if stream.isatty() else line, file=stream)

    return cast(ILogObserver, observe)


def log_to(stream: TextIO) -> None:
    """Warnings and worse are told on C{stream}."""
    globalLogBeginner.beginLoggingTo([observer(stream)], redirectStandardIO=False, discardBuffer=True)
