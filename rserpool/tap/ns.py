"""C{twistd rserpool-ns}: the registrar (name server, ENRP server)."""

from __future__ import annotations

import rserpool.tap.interrupts  # noqa: F401  # isort: skip

from dataclasses import fields
from typing import Any, cast

from twisted.application.service import IService
from twisted.python import usage

from rserpool.admin.subjects import RegistrarSubject
from rserpool.core.addresses import ASAP_PORT, ENCAPSULATION_PORT, ENRP_PORT, TransportAddress
from rserpool.core.errors import ConfigurationError
from rserpool.core.reading import between, multicast_group, parse_transport_address, with_port
from rserpool.core.registrar import Limits
from rserpool.monitor.status import registrar_status
from rserpool.node.steady import make_steady
from rserpool.registrar.service import LOOPBACK, RegistrarService
from rserpool.sctp.lookup import own, own_udp
from rserpool.sctp.stack import load_stack
from rserpool.tap.admin import administered
from rserpool.tap.notifying import status_text
from rserpool.tap.options import RoleOptions, read
from rserpool.tap.reloading import Change
from rserpool.tap.started import Started

GOODBYE = 1.0
"""Seconds from when all elements are handed over until a registrar that retires ends."""


class RegistrarOptions(RoleOptions):
    """What C{twistd rserpool-ns --help} shows."""

    name = "rserpool-ns"
    roles = ("registrar", "peer")
    role = "registrar"
    synopsis = "[options]"
    longdesc = (
        "A registrar of RSerPool: elements register with it, users resolve pool handles with it (RFC 5352). "
        "Without options it serves this host alone."
    )
    optParameters = [
        ["asap", None, None, f"HOST[,HOST...]:PORT for ASAP over SCTP (127.0.0.1:{ASAP_PORT})"],
        ["asap-tcp", None, None, f"HOST:PORT for ASAP over TCP, for users only; 'none' for none (port {ASAP_PORT})"],
        [
            "enrp",
            None,
            None,
            f"HOST[,HOST...]:PORT for ENRP, among registrars; 'none' for none (port {ENRP_PORT})",
        ],
        ["udp-encapsulation", None, None, f"[HOST:]PORT of SCTP over UDP (first free from {ENCAPSULATION_PORT} down)"],
        ["identifier", None, None, "server identifier, 1 to 0xffffffff (random)"],
        ["announce-group", None, None, "GROUP[:PORT] of multicast; rsplib's is 239.0.0.50 (224.0.1.185:3863)"],
        ["discover-group", None, None, "GROUP[:PORT] of multicast for ENRP (239.0.0.51:9901)"],
    ]
    optFlags = [
        ["announce", None, "Announce this registrar by multicast."],
        ["discover", None, "Find other registrars by multicast (ENRP), as rsplib does."],
        ["suggest-takeover", None, "Suggest to less busy registrars that they take over elements of this one."],
        ["no-announce", None, "Do not announce it (the default)."],
        ["no-discover", None, "Do not find other registrars by multicast (the default)."],
        ["no-suggest-takeover", None, "Suggest nothing (the default)."],
        ["keep-alive", None, "Ask elements whether they live (the default)."],
        ["no-keep-alive", None, "Do not ask elements whether they live, unless somebody reports them."],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.peers: list[str] = []
        self.limits: list[str] = []

    def opt_peer(self, where: str) -> None:
        """HOST:PORT[/UDPPORT] where another registrar speaks ENRP; may be given several times."""
        self.peers.append(where)

    def opt_limit(self, limit: str) -> None:
        """NAME=NUMBER: accept so much, such as pools=200000; may be given several times."""
        self.limits.append(limit)

    def postOptions(self) -> None:
        """Read every value, so that a mistake shows before anything starts."""
        self.settings: dict[str, Any] = {
            "asap": LOOPBACK,
            **self.read_role(),
            "announce": bool(self["announce"] or self["announce-group"]) and not self["no-announce"],
            "keep_alives": not self["no-keep-alive"],
            "discover": bool(self["discover"] or self["discover-group"]) and not self["no-discover"],
            "suggest_takeover": bool(self["suggest-takeover"]) and not self["no-suggest-takeover"],
        }
        self.check_flags()
        self.settings["peers"] = [read("peer", peer, _peer) for peer in self.peers]
        self.settings["limits"] = Limits(**dict(read("limit", limit, _limit) for limit in self.limits))
        if self["asap-tcp"] == "none":
            self["asap-tcp"] = None
            self.settings["tcp"] = False
        if self["enrp"] == "none":
            self["enrp"] = None
            self.settings["peering"] = False
            if self.peers or self.settings["discover"]:
                raise usage.UsageError("--enrp none: without ENRP there are no peers; leave --peer and --discover out")
        self.settings |= self.given(
            {
                "asap": lambda text: own(parse_transport_address(text)),
                "asap-tcp": lambda text: own(parse_transport_address(text)),
                "enrp": lambda text: own(_enrp_address(text)),
                "identifier": between(1, 2**32 - 1),
                "announce-group": multicast_group,
                "discover-group": lambda text: multicast_group(text, ENRP_PORT),
            }
        )
        if self["udp-encapsulation"] is not None:
            hosts, port = read("udp-encapsulation", self["udp-encapsulation"], own_udp)
            self.settings.update(encapsulation=port, encapsulation_hosts=hosts)


Options = RegistrarOptions
"""What C{twistd} asks for."""


def _limit(text: str) -> tuple[str, Any]:
    name, equals, number = text.partition("=")
    if not equals:
        raise ConfigurationError(f"{text!r}: expected NAME=NUMBER")
    names = [field.name for field in fields(Limits)]
    if name not in names:
        raise ConfigurationError(f"there is no limit {name!r}; there are {', '.join(names)}")
    return name, between(1, 2**40)(number)


def _enrp_address(text: str) -> TransportAddress:
    return parse_transport_address(text, default_port=ENRP_PORT)


def _peer(text: str) -> TransportAddress:
    return with_port(_enrp_address(text), text, "a registrar")


def makeService(options: RegistrarOptions) -> IService:
    """The service that C{twistd} starts."""
    from twisted.internet import reactor

    make_steady(reactor)
    load_stack(options.settings["backend"])
    registrar = RegistrarService(reactor, **options.settings)
    # Whoever had it retire hears that before it ends.
    registrar.retired = lambda: cast(Any, reactor).callLater(GOODBYE, reactor.stop)
    reported = options.reported(reactor, lambda: registrar_status(registrar), registrar)
    changes: dict[str, Change] = {
        "peer": lambda fresh: registrar.change(peers=fresh.settings["peers"]),
        "limit": lambda fresh: registrar.change(limits=fresh.settings["limits"]),
        "suggest-takeover": lambda fresh: registrar.change(suggest_takeover=fresh.settings["suggest_takeover"]),
    }
    subject = RegistrarSubject(registrar)
    running = administered(reactor, reported, subject, options)
    started = Started("rserpool-ns", running, *options.changing(changes))
    started.tells(
        reactor, subject.ready, lambda: status_text(subject.about(), peers=len(registrar.registrar.peering.peers))
    )
    return started
