"""Options that the twistd subcommands share, and how their mistakes are told."""

from __future__ import annotations

import getopt
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.python import usage

import rserpool
import twisted
from rserpool.admin.opening import TOKEN_HELP, admin_place, admin_token
from rserpool.config.keys import keys_of
from rserpool.config.user_words import usual_words
from rserpool.config.words import NOTHING, WrongOption, configured
from rserpool.core.choices import BACKENDS
from rserpool.core.errors import ConfigurationError
from rserpool.core.monitoring.report import CSP_PORT
from rserpool.core.profiles import profile
from rserpool.core.reading import one_of
from rserpool.monitor.reporting import INTERVAL, StatusReporter, csp_server, report_interval
from rserpool.node.candidates import registrars_from
from rserpool.node.securing import tls_of, usual_security
from rserpool.plugins import add_policies
from rserpool.security.following import Secured
from rserpool.security.text import HELP, OFF, SECURITY, secured_as, secured_by
from rserpool.tap.agentx import agent_place
from rserpool.tap.logs import FORMS, LEVEL, LEVELS, Levels, log_form, log_level, log_so
from rserpool.tap.reloading import Change, Reloading

T = TypeVar("T")
ONCE = frozenset(
    "--address --admin-token --agentx --announce-group --asap --asap-tcp --config --cookie-keys --csp-server --enrp "
    "--forwarded --identifier --pool --sctp --security --tcp --udp-encapsulation".split()
)
"""Options that name one thing, where a second one would be lost in silence."""


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
            self.read_words(sys.argv[1:] if options is None else list(options))
        except (usage.UsageError, ConfigurationError) as error:
            raise SystemExit(f"twistd {self.name}: {error} (see twistd {self.name} --help)") from None

    def opt_version(self) -> None:
        """Show the versions of rserpool and Twisted, and exit."""
        print(f"rserpool {rserpool.__version__} (Twisted {twisted.__version__})")
        raise SystemExit

    def read_words(self, words: Sequence[str]) -> None:
        """Read the command line.

        @raise UsageError: if something is wrong with it.
        @raise ConfigurationError: if something is wrong with plugins, or a file.
        """
        add_policies()
        self._check_once(list(words))
        super().parseOptions(list(words))

    def _check_once(self, words: list[str]) -> None:
        with suppress(getopt.GetoptError):
            given: dict[str, str] = {}
            for option, value in getopt.getopt(words, self.shortOpt, self.longOpt)[0]:
                several = hasattr(self, "opt_" + option.removeprefix("--").replace("-", "_"))
                if option in ONCE and not several and given.setdefault(option, value) != value:
                    raise usage.UsageError(f"{option} names one: {given[option]} or {value}?")

    def check_flags(self) -> None:
        """
        @raise usage.UsageError: if one is given with what turns it off.
        """
        for name in self.longOpt:
            if f"no-{name}" in self.longOpt and self[name] and self[f"no-{name}"]:
                raise usage.UsageError(f"--{name} and --no-{name} exclude each other")

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
    @cvar asks: whether it goes by what users of this host go by, see L{rserpool.config.user}.
    @cvar role: the table of configuration files that is for it.
    @ivar admin_places: where the admin interface is to be.
    @ivar agent_place: where the SNMP agent is; None where none is told.
    @ivar given_words: what the command line says itself, by key.
    @ivar configured: what the file of C{--config} says.
    @ivar levels: which lines are logged.
    @ivar reported: C{reported(reactor, describe, service)} is the service to run: one that reports, or C{service}.
    """

    roles: tuple[str, ...] = ("client",)
    role = ""
    arguments: str | None = None
    asks = False
    configured = NOTHING
    given_words: dict[str, list[str]]
    optParameters = [
        ["config", None, None, "FILE of options (TOML), which the command line overrides; rserpool config check FILE"],
        ["profile", None, "default", "NAME[,mtu=BYTES], the timers: fast, default or rfc"],
        ["backend", None, "auto", "SCTP: auto, kernel or usrsctp"],
        ["security", None, None, f"DIR[,NAME=VALUE...]: {HELP}; {OFF} for none"],
        ["admin-token", None, None, TOKEN_HELP],
        [
            "agentx",
            None,
            None,
            "PATH (/var/agentx/master) or HOST:PORT of an SNMP agent: RFC 5525's MIB by AgentX",
        ],
        ["log", None, "text", f"the form of the log: {' or '.join(FORMS)} (an object a line)"],
        ["log-level", None, LEVEL, f"which lines are logged: {', '.join(LEVELS)}, and those above"],
        ["csp-server", None, None, f"HOST[:PORT], port {CSP_PORT}, of a monitor that gets status reports"],
        ["csp-interval", None, None, f"seconds between two reports ({INTERVAL:g})"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.admin: list[str] = []

    def opt_admin(self, where: str) -> None:
        """PATH of a socket, or [https://]HOST:PORT, of the admin interface; may be given several times."""
        self.admin.append(where)

    def changing(self, changes: Mapping[str, Change]) -> list[Reloading]:
        """What reads the file again at SIGHUP; nothing if there is none.

        @param changes: as L{Reloading} has it.
        """
        return [] if self.configured.file is None else [Reloading(self, self._words, changes)]

    def read_words(self, words: Sequence[str], without: Collection[str] = ()) -> None:
        """Read the command line, and the file that it names.

        @param without: keys of the file that are passed over.
        """
        words = self._words = list(words)
        self.given_words = {}
        given: set[str] = set()
        with suppress(getopt.GetoptError):
            options, rest = getopt.getopt(words, self.shortOpt, self.longOpt)
            given = {option.removeprefix("--").removeprefix("no-") for option, _ in options}
            for option, value in options:
                self.given_words.setdefault(option.removeprefix("--").removeprefix("no-"), []).append(
                    value or str(not option.startswith("--no-")).lower()
                )
            if rest and self.arguments:
                self.given_words[self.arguments] = list(rest)
            files = [value for option, value in options if option == "--config"]
            if files:
                keys, path = keys_of(self), Path(files[-1]).expanduser()
                self.configured = configured(path, self.role, keys, given, self.arguments, without)
                words = [*self.configured.words, *words]
                if not rest and self.configured.arguments:
                    words += ["--", *self.configured.arguments]
        if self.asks:
            words = [*usual_words(keys_of(self), given | set(self.configured.places)), *words]
        try:
            super().read_words(words)
        except WrongOption as error:
            place = self.configured.place_of(error.option, error.value)
            if place is None:
                raise
            raise ConfigurationError(self.configured.told(error)) from None

    def read_role(self) -> dict[str, Any]:
        """Read these options.

        @return: C{profile} and C{backend}, as the services take them.
        @raise usage.UsageError: if a value is wrong.
        """
        self.settings_security = self._read_security() or False
        settings = {
            "security": self.settings_security,
            "profile": read("profile", self["profile"], profile),
            "backend": read("backend", self["backend"], backend),
        }
        self.secured = settings["security"]
        self.operator_token = None
        if self["admin-token"] is not None:
            if not self.admin:
                raise usage.UsageError("--admin-token goes with --admin")
            self.operator_token = read("admin-token", self["admin-token"], admin_token)
        self._read_log()
        self.agent_place = None if self["agentx"] is None else read("agentx", self["agentx"], agent_place)
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

    def _read_log(self) -> None:
        """Have C{twistd} log so, unless it was told which observer to use."""
        form, level = read("log", self["log"], log_form), read("log-level", self["log-level"], log_level)
        self.levels = Levels(level)
        twistd = self.parent
        if twistd is None or twistd.get("logger"):
            return
        if form == "json" and twistd.get("syslog"):
            raise usage.UsageError("--log json goes with a file or standard output, not with --syslog")
        log_so(twistd, form, self.levels)

    def _read_security(self) -> Secured | None:
        if self["security"] is not None:
            return read("security", self["security"], self._secured_by)
        written = self.configured.security
        if written is not None:
            return read("security", "", lambda _: self._enough(secured_as(written)))
        try:
            return self._enough(usual_security(user=self.asks))
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

    asks = True

    def __init__(self) -> None:
        super().__init__()
        self.registrars: list[str] = []

    def opt_registrar(self, where: str) -> None:
        """HOST:PORT[/UDPPORT] of a registrar (RSERPOOL_REGISTRARS, else user.toml, else this host); may be repeated."""
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
        raise WrongOption(option, value, str(error)) from None


backend = one_of("backend", BACKENDS)
"""A parser of the names of SCTP backends."""
