"""Options that the twistd subcommands share, and how their mistakes are told."""

from __future__ import annotations

import atexit
import getopt
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from twisted.application.service import MultiService, Service
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError, ReactorNotRunning
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

import rserpool
import twisted
from rserpool.core.errors import ConfigurationError, RSerPoolError
from rserpool.core.monitoring.report import CSP_PORT
from rserpool.core.profiles import profile
from rserpool.core.reading import one_of
from rserpool.monitor.reporting import INTERVAL, StatusReporter, csp_server, report_interval
from rserpool.node.candidates import registrars_from
from rserpool.node.securing import tls_of
from rserpool.plugins import add_policies
from rserpool.sctp.stack import BACKENDS
from rserpool.security.following import Secured
from rserpool.security.text import HELP, OFF, SECURITY, named_security, secured_by
from rserpool.tap.admin import admin_place, admin_token
from rserpool.tap.signals import Signals

T = TypeVar("T")
ONCE = frozenset(
    "--address --admin-token --announce-group --asap --asap-tcp --cookie-keys --csp-server --enrp --forwarded "
    "--identifier --pool --sctp --security --tcp --udp-encapsulation".split()
)
"""Options that name one thing, where a second one would be lost in silence."""

MISTAKES = (CannotListenError, RSerPoolError, usage.UsageError, OSError, OverflowError, ValueError)
"""What comes of options that cannot be: told in a sentence."""


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
            self._check_once(sys.argv[1:] if options is None else list(options))
            super().parseOptions(options)
        except (usage.UsageError, ConfigurationError) as error:
            raise SystemExit(f"twistd {self.name}: {error} (see twistd {self.name} --help)") from None

    def opt_version(self) -> None:
        """Show the versions of rserpool and Twisted, and exit."""
        print(f"rserpool {rserpool.__version__} (Twisted {twisted.__version__})")
        raise SystemExit

    def _check_once(self, words: list[str]) -> None:
        with suppress(getopt.GetoptError):
            given: dict[str, str] = {}
            for option, value in getopt.getopt(words, self.shortOpt, self.longOpt)[0]:
                several = hasattr(self, "opt_" + option.removeprefix("--").replace("-", "_"))
                if option in ONCE and not several and given.setdefault(option, value) != value:
                    raise usage.UsageError(f"{option} names one: {given[option]} or {value}?")

    def given(self, parsers: Mapping[str, Callable[[str], Any]]) -> dict[str, Any]:
        """What those of some options say that were given, by their names with C{_} for C{-}.

        @raise usage.UsageError: if a value is wrong.
        """
        return {
            option.replace("-", "_"): read(option, self[option], parse)
            for option, parse in parsers.items()
            if self[option] is not None
        }


class RoleOptions(Subcommand):
    """Options of a subcommand that runs a role, which may report its status to a monitor.

    @cvar roles: what it is for TLS, see L{rserpool.node.tls.ROLES}.
    @ivar admin_places: where the admin interface is to be.
    @ivar reported: C{reported(reactor, describe, service)} is the service to run: one that reports, or C{service}.
    """

    roles: tuple[str, ...] = ("client",)
    optParameters = [
        ["profile", None, "default", "NAME[,mtu=BYTES], the timers: fast, default or rfc"],
        ["backend", None, "auto", "SCTP: auto, kernel or usrsctp"],
        ["security", None, None, f"DIR[,NAME=VALUE...]: {HELP}; {OFF} for none"],
        ["admin-token", None, None, "FILE (mode 0600) with the token by which operators act at an admin HOST:PORT"],
        ["csp-server", None, None, f"HOST[:PORT] of a monitor that gets status reports (port {CSP_PORT})"],
        ["csp-interval", None, None, f"seconds between two reports ({INTERVAL:g})"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.admin: list[str] = []

    def opt_admin(self, where: str) -> None:
        """PATH of a socket, or [https://]HOST:PORT, of the admin interface; may be given several times."""
        self.admin.append(where)

    def read_role(self) -> dict[str, Any]:
        """Read these options.

        @return: C{profile} and C{backend}, as the services take them.
        @raise usage.UsageError: if a value is wrong.
        """
        settings = {
            "security": self._read_security() or False,
            "profile": read("profile", self["profile"], profile),
            "backend": read("backend", self["backend"], backend),
        }
        self.secured = settings["security"]
        self.operator_token = None
        if self["admin-token"] is not None:
            if not self.admin:
                raise usage.UsageError("--admin-token goes with --admin")
            self.operator_token = read("admin-token", self["admin-token"], admin_token)
        self.admin_places = [read("admin", where, admin_place) for where in self.admin]
        self.reported: Callable[..., Service] = lambda reactor, describe, service: service
        interval = INTERVAL
        if self["csp-interval"] is not None:
            interval = read("csp-interval", self["csp-interval"], report_interval)
            if self["csp-server"] is None:
                raise usage.UsageError("--csp-interval goes with --csp-server")
        if self["csp-server"] is not None:
            server = read("csp-server", self["csp-server"], csp_server)
            self.reported = lambda reactor, describe, service: StatusReporter(
                reactor, describe, server, service, interval=interval
            )
        return settings

    def _read_security(self) -> Secured | None:
        if self["security"] is not None:
            return read("security", self["security"], self._secured_by)
        try:
            return self._enough(named_security())
        except ConfigurationError as error:
            text = str(error)
            raise usage.UsageError(text if text.startswith(SECURITY) else f"{SECURITY}: {text}") from None

    def _secured_by(self, text: str) -> Secured | None:
        return self._enough(secured_by(text))

    def _enough(self, secured: Secured | None) -> Secured | None:
        """Whether it is enough for what runs here shows before anything starts."""
        if secured is not None:
            for role in self.roles:
                tls_of(secured, role, 0)
        return secured


class AskingOptions(RoleOptions):
    """Options of a subcommand that looks for a registrar."""

    def __init__(self) -> None:
        super().__init__()
        self.registrars: list[str] = []

    def opt_registrar(self, where: str) -> None:
        """HOST:PORT[/UDPPORT] of a registrar (RSERPOOL_REGISTRARS, else this host); may be repeated."""
        self.registrars.append(where)

    def read_role(self) -> dict[str, Any]:
        """Read these options; C{registrars} is among them."""
        return {"registrars": read("registrar", "", lambda _: registrars_from(self.registrars)), **super().read_role()}


def read(option: str, value: str, parse: Callable[[str], T]) -> T:
    """Parse the value of an option.

    @raise usage.UsageError: with a sentence that names the option.
    """
    try:
        return parse(value)
    except ConfigurationError as error:
        raise usage.UsageError(f"--{option}: {error}") from None


backend = one_of("backend", BACKENDS)
"""A parser of the names of SCTP backends."""


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
        self._signals = Signals(name, self)
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
        self._take_signals()
        self._attempt(super().privilegedStartService)

    def startService(self) -> None:
        self._take_signals()
        self._attempt(super().startService)

    def _take_signals(self) -> None:
        """What it says while it starts may have somebody send one."""
        from twisted.internet import reactor

        self._signals.take(reactor)

    def stopService(self) -> Any:
        return maybeDeferred(super().stopService).addBoth(self._stopped)

    def _stopped(self, result: Any) -> Any:
        self._signals.give_back()
        return result

    def _attempt(self, start: Callable[[], None]) -> None:
        self._starting = True
        try:
            start()
        except MISTAKES as error:
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
    with suppress(OSError, AttributeError):
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
    return str(error) or type(error).__name__
