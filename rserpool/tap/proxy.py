"""C{twistd rserpool-proxy}: relays connections to the elements of a pool."""

from __future__ import annotations

import rserpool.tap.interrupts  # noqa: F401  # isort: skip

from random import SystemRandom
from typing import Any

from twisted.application.service import IService
from twisted.python import usage
from twisted.python.failure import Failure

from rserpool.admin.subjects import UserSubject
from rserpool.core.choices import TRANSPORTS
from rserpool.core.reading import between, one_of, seconds
from rserpool.core.user.trying import GRACE, TIMEOUT
from rserpool.monitor.status import user_status
from rserpool.node.steady import make_steady
from rserpool.proxy.descriptors import room_for
from rserpool.proxy.listening import server_endpoint
from rserpool.proxy.service import LIMIT, ProxyService
from rserpool.sctp.stack import load_stack
from rserpool.tap.admin import administered
from rserpool.tap.notifying import status_text
from rserpool.tap.options import AskingOptions, read
from rserpool.tap.reloading import Change
from rserpool.tap.started import Started
from rserpool.user.service import PoolUserService
from rserpool.user.tls_text import TLS_CA, tls_from


class ProxyOptions(AskingOptions):
    """What C{twistd rserpool-proxy --help} shows."""

    name = "rserpool-proxy"
    role = "proxy"
    synopsis = "--pool NAME --listen ENDPOINT [options]"
    longdesc = (
        "Relays connections to the elements of a pool (layer 4), for programs that know nothing of pools. Example: "
        "twistd -n --pidfile= rserpool-proxy --pool www --listen tcp:8080:interface=127.0.0.1."
    )
    optParameters = [
        ["pool", None, None, "NAME of the pool"],
        ["transport", None, "auto", "how to speak with registrars: auto, sctp or tcp"],
        ["limit", None, str(LIMIT), "so many connections at once"],
        [
            "grace",
            None,
            f"{GRACE:g}",
            "seconds that connections in use may take to end when it stops, or (--drop) when their element leaves",
        ],
        ["tls", None, None, "speak TLS with elements, whose certificates must be for this NAME"],
        ["tls-ca", None, None, TLS_CA],
        ["timeout", None, f"{TIMEOUT:g}", "seconds until a client is given up for which no element accepts"],
    ]
    optFlags = [
        ["drop", None, "Abort connections to elements that the registrar has removed."],
        ["no-drop", None, "Do not (the default)."],
        ["announce", None, "Also look for registrars that announce themselves by multicast."],
        ["no-announce", None, "Do not (the default)."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.listen: list[str] = []

    def opt_listen(self, endpoint: str) -> None:
        """ENDPOINT that accepts connections: HOST:PORT, a port at 127.0.0.1, tcp:8080, unix:PATH; can be repeated."""
        self.listen.append(endpoint)

    def postOptions(self) -> None:
        """Read every value, so that a mistake shows before anything starts."""
        if not self["pool"]:
            raise usage.UsageError("--pool NAME is needed: the pool to which connections are relayed")
        if not self.listen:
            raise usage.UsageError("--listen ENDPOINT is needed: for example --listen tcp:8080:interface=127.0.0.1")
        self.check_flags()
        self.user: dict[str, Any] = {
            "announcements": bool(self["announce"]),
            "transport": read("transport", self["transport"], one_of("transport", TRANSPORTS)),
            **self.read_role(),
        }
        self.settings: dict[str, Any] = {
            "limit": read("limit", self["limit"], between(1, 2**31 - 1)),
            "grace": read("grace", self["grace"], seconds),
            "timeout": read("timeout", self["timeout"], seconds),
            "drop": bool(self["drop"]),
            **read("tls", "", lambda _: tls_from(self["tls"], self["tls-ca"])),
        }


Options = ProxyOptions
"""What C{twistd} asks for."""


def makeService(options: ProxyOptions) -> IService:
    """The service that C{twistd} starts."""
    from twisted.internet import reactor

    make_steady(reactor)
    load_stack(options.user["backend"])
    try:
        endpoints = [read("listen", text, lambda text: server_endpoint(reactor, text)) for text in options.listen]
    except usage.UsageError as error:
        raise SystemExit(f"twistd {options.name}: {error}") from None
    options.settings["limit"] = room_for(options.settings["limit"])
    started = Started("rserpool-proxy")
    user = PoolUserService(reactor, **options.user)
    proxy = _Proxy(user, options["pool"], endpoints, **options.settings)
    proxy.refused = started.fail
    identifier = SystemRandom().randrange(1, 2**56)
    reported = options.reported(reactor, lambda: user_status(user, identifier), proxy)
    subject = UserSubject(user, proxy.endpoint.handle, counters=proxy.counters)
    administered(reactor, reported, subject, options).setServiceParent(started)
    # Clients of a pool that is empty wait for an element: it serves them, too.
    listens = "it does not listen yet"
    started.tells(reactor, lambda: "" if proxy.ports else listens, lambda: status_text(subject.about()))
    changes: dict[str, Change] = {
        "limit": lambda fresh: proxy.change(limit=room_for(fresh.settings["limit"])),
        "grace": lambda fresh: proxy.change(grace=fresh.settings["grace"]),
        "timeout": lambda fresh: proxy.change(timeout=fresh.settings["timeout"]),
    }
    for one in options.changing(changes):
        one.setServiceParent(started)
    return started


class _Proxy(ProxyService):
    """Ends the process if it cannot listen."""

    refused: Any = None

    def startService(self) -> None:
        super().startService()
        assert self.listening is not None
        at_once: list[Failure] = []
        self.listening.addErrback(at_once.append)
        if at_once:
            # While twistd starts its services this raises.
            self.refused(at_once[0])
        else:
            self.listening.addCallback(lambda _: self.refused(at_once[0]) if at_once else None)
