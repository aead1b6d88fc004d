"""Options that the twistd subcommands share, and how their mistakes are told."""

from __future__ import annotations

import atexit
import ipaddress
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from twisted.application.service import MultiService, Service
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from rserpool.core.addresses import TransportAddress, parse_transport_address
from rserpool.core.errors import ConfigurationError, RSerPoolError
from rserpool.core.monitoring.report import CSP_PORT
from rserpool.monitor.reporting import INTERVAL, StatusReporter, csp_server, report_interval
from rserpool.plugins import add_policies
from rserpool.sctp.stack import BACKENDS

T = TypeVar("T")


class Subcommand(usage.Options):
    """Options of a subcommand; a mistake in them ends the process with one sentence and status 1.

    C{twistd} before 26.10 prints everything it knows, and ends with status 0.

    @cvar name: the subcommand.
    """

    name = ""

    def parseOptions(self, options: Any = None) -> None:
        """Read the command line.

        @raise SystemExit: if something is wrong with it, or with plugins.
        """
        try:
            add_policies()
            super().parseOptions(options)
        except (usage.UsageError, ConfigurationError) as error:
            raise SystemExit(f"twistd {self.name}: {error} (see twistd {self.name} --help)") from None


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


def udp_encapsulation(text: str) -> tuple[tuple[str, ...], int]:
    """A parser of C{[HOST:]PORT}: local addresses (none: those that are used anyway) and a UDP port."""
    host, colon, port = text.rpartition(":")
    return parse_transport_address(host).hosts if colon else (), number(1, 65535)(port)


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
    if text not in BACKENDS:
        raise ConfigurationError(f"there is no backend {text!r}; choose one of {', '.join(BACKENDS)}")
    return text


def multicast_group(text: str) -> TransportAddress:
    """C{HOST[:PORT]} of a multicast group."""
    group = parse_transport_address(text)
    if len(group.hosts) > 1 or not ipaddress.ip_address(group.hosts[0].partition("%")[0]).is_multicast:
        raise ConfigurationError(f"{text} is not a multicast group")
    if not group.port:
        raise ConfigurationError(f"{text}: a group is never at port 0")
    return group


REPORTING = [
    ["csp-server", None, None, f"HOST[:PORT] of a monitor that gets status reports (port {CSP_PORT})"],
    ["csp-interval", None, None, f"seconds between two reports ({INTERVAL:g})"],
]
"""Options of a subcommand that reports its status."""


def reporting(options: Any) -> Callable[..., Service]:
    """What L{REPORTING} asks for.

    @return: C{reported(reactor, describe, service)}: the service to run: one that reports, or C{service} itself.
    @raise usage.UsageError: if a value is wrong.
    """
    interval = INTERVAL
    if options["csp-interval"] is not None:
        interval = read("csp-interval", options["csp-interval"], report_interval)
        if options["csp-server"] is None:
            raise usage.UsageError("--csp-interval goes with --csp-server")
    if options["csp-server"] is None:
        return lambda reactor, describe, service: service
    server = read("csp-server", options["csp-server"], csp_server)
    return lambda reactor, describe, service: StatusReporter(reactor, describe, server, service, interval=interval)


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
        for one in services:
            one.setServiceParent(self)

    def fail(self, failure: Failure) -> None:
        """Stop, and end the process with status 1: what was asked for cannot be done.

        @raise CannotStart: while the services are started.
        """
        from twisted.internet import reactor

        error = failure.value
        sentence = self._tell(sentence_of(error) if isinstance(error, Exception) else failure.getErrorMessage())
        if self._starting:
            raise CannotStart(sentence)
        try:
            reactor.stop()
        except ReactorNotRunning:
            return
        atexit.register(_end)

    def privilegedStartService(self) -> None:
        self._attempt(super().privilegedStartService)

    def startService(self) -> None:
        self._attempt(super().startService)

    def _attempt(self, start: Callable[[], None]) -> None:
        self._starting = True
        try:
            start()
        except (CannotListenError, RSerPoolError) as error:
            raise CannotStart(self._tell(sentence_of(error))) from None
        finally:
            self._starting = False

    def _tell(self, what: str) -> str:
        sentence = f"{self._name}: {what}"
        self._log.critical("{sentence}", sentence=sentence)
        # The log may be a file.
        with suppress(OSError):
            print(sentence, file=sys.__stderr__, flush=True)
        return sentence


def _end() -> None:
    """Let the process end with status 1, when twistd has tidied up."""
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(1)


def sentence_of(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, CannotListenError):
        reason = error.socketError
        cause = getattr(reason, "strerror", None) or str(reason)
        host = error.interface or "any address"
        return f"cannot listen on {host} port {error.port}: {cause}"
    return str(error)
