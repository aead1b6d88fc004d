"""C{twistd rserpool-pe}: runs any twistd plugin as a pool element."""

from __future__ import annotations

import rserpool.tap.interrupts  # noqa: F401  # isort: skip

from functools import partial
from typing import Any

from twisted.application.service import IService, IServiceMaker
from twisted.plugin import getPlugins
from twisted.python import usage

from rserpool.admin.subjects import ElementSubject
from rserpool.core.addresses import is_name
from rserpool.core.errors import ConfigurationError
from rserpool.core.policies import POLICIES
from rserpool.core.reading import above_0, between, multicast_group, parse_transport_address, seconds
from rserpool.element.health import Checks
from rserpool.element.health_checks import parse_check
from rserpool.element.load import PROBES, parse_policy
from rserpool.element.pooled import PooledService
from rserpool.element.ports import parse_port
from rserpool.monitor.status import element_status
from rserpool.node.candidates import local_hosts_towards
from rserpool.node.steady import make_steady
from rserpool.plugins import load_probes
from rserpool.sctp.lookup import own
from rserpool.sctp.stack import load_stack
from rserpool.tap.admin import administered
from rserpool.tap.makers import ClassicMaker
from rserpool.tap.notifying import status_text
from rserpool.tap.options import AskingOptions, read
from rserpool.tap.parent import parent_for
from rserpool.tap.started import MISTAKES, Started, sentence_of
from rserpool.tap.wrapped import WRAPPED, Beside, Run


class ElementOptions(AskingOptions):
    """What C{twistd rserpool-pe --help} shows."""

    name = "rserpool-pe"
    roles = ("element",)
    role = "element"
    arguments = "plugin"
    arguments_meaning = "the twistd plugin that serves, and its options: what follows --"
    synopsis = "--pool NAME [options] -- PLUGIN [plugin options]"
    optParameters = [
        ["policy", None, "round-robin", f"NAME[:FIELD=VALUE,...]; a load may be {' or '.join(PROBES)}"],
        ["address", None, None, "HOST[,HOST...], our own addresses (the one that reaches the registrar)"],
        [
            "forwarded",
            None,
            None,
            "HOST of a translator (NAT) that forwards the service's TCP or UDP port to this host",
        ],
        ["identifier", None, None, "PE identifier, 1 to 0xffffffff (random)"],
        ["life", None, None, "registration life in seconds (that of the profile)"],
        ["grace", None, "5", "seconds that running requests may take when it stops"],
        ["check-interval", None, "2", "seconds between two checks"],
        ["check-timeout", None, "2", "seconds that a check may take"],
        ["check-fall", None, "2", "so many failures in a row put it out of its pools"],
        ["check-rise", None, "1", "so many successes in a row put it back"],
        ["udp-encapsulation", None, None, "UDP port of SCTP over UDP (any free one)"],
        ["announce-group", None, None, "GROUP[:PORT] of the multicast group to listen to"],
    ]
    optFlags = [
        ["announce", None, "Also look for registrars that announce themselves by multicast."],
        ["no-announce", None, "Do not (the default)."],
    ]

    @property
    def longdesc(self) -> str:
        """What to do with it, and which policies and load probes there are."""
        text = (
            "Runs a twistd plugin as a pool element of RSerPool: finds the port that it listens on, registers it in "
            "the pool (RFC 5352), and keeps it registered. Example: "
            "twistd -n --pidfile= rserpool-pe --pool www -- web --listen tcp:0:interface=127.0.0.1 --path docs. "
            f"Policies: {', '.join(policy.name for policy in POLICIES.values())}."
        )
        added = load_probes(tuple(PROBES))
        return f"{text} Load probes of plugins: {', '.join(added)}." if added else text

    def __init__(self) -> None:
        super().__init__()
        self.pools: list[str] = []
        self.ports: list[str] = []
        self.checks: list[str] = []
        self.plugin: tuple[str, ...] = ()

    def opt_pool(self, name: str) -> None:
        """NAME of the pool to serve in; may be given several times."""
        self.pools.append(name)

    def opt_port(self, where: str) -> None:
        """[tcp:|udp:|sctp:]PORT where the service listens, or udp for the one that it opens, where that cannot be
        found by itself; of several each is an element of its own.
        """
        self.ports.append(where)

    def opt_check(self, what: str) -> None:
        """tcp, http:/PATH, exec:COMMAND, or NAME[:ARGUMENT] of a plugin: it is in its pools only while all pass."""
        self.checks.append(what)

    def parseArgs(self, *plugin: str) -> None:
        """The plugin that serves, and its options."""
        self.plugin = plugin

    def postOptions(self) -> None:
        """Read every value, and the options of the plugin, so that a mistake shows before anything starts."""
        self.maker: Any = self._find_maker()
        if not self.pools and isinstance(self.maker, ClassicMaker):
            self.pools.append(self.maker.default_pool)
        if not self.pools:
            raise usage.UsageError("--pool NAME is needed: the pool to serve in")
        if not all(self.pools):
            raise usage.UsageError("--pool: a pool has a name")
        for pool in self.pools:
            if self.pools.count(pool) > 1:
                raise usage.UsageError(f"--pool: {pool} is named twice")
        if self["identifier"] is not None and len(self.pools) > 1:
            raise usage.UsageError("--identifier goes with a single --pool")
        if self["identifier"] is not None and len(self.ports) > 1:
            raise usage.UsageError("--identifier goes with a single --port")
        self.check_flags()
        self.settings: dict[str, Any] = {
            "policy": read("policy", self["policy"], parse_policy),
            "grace": read("grace", self["grace"], seconds),
            "announcements": bool(self["announce"] or self["announce-group"]) and not self["no-announce"],
            **self.read_role(),
        }
        given = self.given(
            {
                "identifier": between(1, 2**32 - 1),
                "life": between(1, 2**31 - 1),
                "udp-encapsulation": between(1, 65535),
                "announce-group": multicast_group,
                "forwarded": _single,
                "address": lambda text: own(parse_transport_address(text)).hosts,
            }
        )
        if self.ports:
            self.settings["port"] = [read("port", text, parse_port) for text in self.ports]
            for text, port in zip(self.ports, self.settings["port"], strict=True):
                if self.settings["port"].count(port) > 1:
                    raise usage.UsageError(f"--port: {text} is named twice")
        self.settings["checks"] = self._read_checks()
        names = {"udp_encapsulation": "encapsulation", "address": "hosts"}
        self.settings |= {names.get(name, name): value for name, value in given.items()}
        self.inner: Any = _options(self.maker)
        self.inner.parent = parent_for(self.parent, self.maker.tapname, self.inner)
        if isinstance(self.maker, ClassicMaker):
            # A port of SCTP and ASAP beside it are of one kind, unless the plugin's own options say otherwise.
            self.inner["backend"] = self["backend"]
            towards = self.settings["registrars"]
            self.settings["follow"] = "hosts" not in self.settings
            self.inner.hosts = self.settings.get("hosts") or read(
                "registrar", "", lambda _: local_hosts_towards(towards)
            )
        try:
            self.inner.parseOptions(list(self.plugin[1:]))
        except usage.UsageError as error:
            raise usage.UsageError(f"{self.maker.tapname}: {error}") from None

    def _find_maker(self) -> Any:
        """What makes the service that serves."""
        if not self.plugin and not self.ports:
            raise usage.UsageError(
                "say what serves, after --: for example "
                "rserpool-pe --pool www -- web --listen tcp:0:interface=127.0.0.1 --path docs; "
                "or, with --port, where another process does"
            )
        maker = _maker(self.plugin[0]) if self.plugin else Beside()
        if isinstance(maker, Run) and not self.ports:
            raise usage.UsageError("name with --port where the program serves: --port 6379 -- run redis-server")
        return maker

    def _read_checks(self) -> Checks:
        checks = tuple(read("check", text, parse_check) for text in self.checks)
        numbers = {"interval": above_0(float), "timeout": above_0(float), "fall": above_0(int), "rise": above_0(int)}
        values: dict[str, Any] = {
            name: read(f"check-{name}", self[f"check-{name}"], parse) for name, parse in numbers.items()
        }
        return Checks(checks, **values)


def _single(text: str) -> str:
    """One IP address.

    @raise ConfigurationError: if it is none.
    """
    host = text.strip("[]")
    if is_name(host):
        raise ConfigurationError(f"{text!r} is not an IP address")
    return host


Options = ElementOptions
"""What C{twistd} asks for."""


def _maker(name: str) -> Any:
    makers = {**{maker.tapname: maker for maker in getPlugins(IServiceMaker)}, **WRAPPED}
    if name.startswith("-"):
        raise usage.UsageError(f"{name}: the plugin's options come after its name: -- PLUGIN {name} ...")
    if name not in makers:
        raise usage.UsageError(f"there is no twistd plugin {name!r}; there are {', '.join(sorted(makers))}")
    return makers[name]


def _options(maker: Any) -> Any:
    """What the plugin asks for: with this its module is loaded.

    @raise usage.UsageError: if that cannot be.
    """
    try:
        return maker.options()
    except Exception as error:
        module = getattr(maker, "module", "")
        shown = f'; python3 -c "import {module}" may show where' if module else ""
        raise usage.UsageError(
            f"{maker.tapname}: this plugin cannot be loaded: {type(error).__name__}: {error}{shown}"
        ) from error


def makeService(options: ElementOptions) -> IService:
    """The service that C{twistd} starts."""
    from twisted.internet import reactor

    make_steady(reactor)
    load_stack(options.settings["backend"])
    try:
        wrapped = options.maker.makeService(options.inner)
    except MISTAKES as error:
        # For example an endpoint of a kind that does not exist: many plugins read it only now.
        raise SystemExit(f"twistd rserpool-pe: {options.maker.tapname}: {sentence_of(error, 'rserpool-pe')}") from None
    started = Started("rserpool-pe")
    pooled = PooledService(reactor, wrapped, options.pools, refused=started.fail, alone=True, **options.settings)
    reported = options.reported(reactor, lambda: element_status(pooled.element), pooled)
    subject = ElementSubject(lambda: pooled.element)
    administered(reactor, reported, subject, options).setServiceParent(started)
    started.tells(reactor, subject.ready, lambda: status_text(subject.about()))
    for one in options.changing(
        {"grace": lambda fresh: pooled.change(grace=fresh.settings["grace"]), "policy": partial(_change_policy, pooled)}
    ):
        one.setServiceParent(started)
    return started


def _change_policy(pooled: PooledService, fresh: ElementOptions) -> bool:
    """Other values count at once; another policy would be another pool, and what is measured goes on to be so."""
    policy = fresh.settings["policy"]
    same = pooled.policy.policy is policy.policy and pooled.policy.probes == policy.probes
    if same:
        pooled.change(policy=policy)
    return same
