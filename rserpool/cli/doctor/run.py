"""C{rserpool doctor}: all checks, one after the other."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TextIO

from twisted.internet.error import CannotListenError

from rserpool.admin.client import AdminClient, AdminError
from rserpool.admin.places import TcpPlace
from rserpool.cli.codes import OK, OTHER
from rserpool.cli.doctor import host, keys, scope
from rserpool.cli.doctor.findings import Finding, Level, note, problem
from rserpool.cli.listing import enrp_place
from rserpool.cli.operator import ADMIN, add_admin_options, in_thread, place_of
from rserpool.cli.options import add_backend_option, configured, number, security_from
from rserpool.core.addresses import ENRP_PORT, TransportAddress, over_tls
from rserpool.core.choices import REGISTRARS
from rserpool.core.errors import ConfigurationError, SctpUnavailable
from rserpool.core.profiles import DEFAULT, profile
from rserpool.core.reading import parse_transport_address
from rserpool.core.wire.parameters import ServerInformation
from rserpool.node import neighbours, tables
from rserpool.node.candidates import local_hosts_towards, named_registrars
from rserpool.node.securing import tls_of
from rserpool.sctp.base import PPID_ENRP
from rserpool.sctp.interfaces import ISctpStack
from rserpool.sctp.lookup import each_place
from rserpool.sctp.stack import open_stack
from rserpool.security.following import Secured
from rserpool.security.text import OFF, SECURITY, read_text

WORDS = {Level.OK: "ok", Level.NOTE: "note", Level.WARNING: "WARNING", Level.PROBLEM: "PROBLEM"}
MOST_PEERS = 32
"""So many of the registrars that one lists are asked whether they live."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--registrar",
        metavar="HOST:PORT[/UDPPORT]",
        action="append",
        default=[],
        type=configured(partial(parse_transport_address, default_port=ENRP_PORT)),
        help=f"where a registrar speaks ENRP, port {ENRP_PORT}; may be repeated "
        f"(default: those of {REGISTRARS}, else of this host)",
    )
    add_admin_options(parser, needed=False)
    add_backend_option(parser)
    parser.add_argument(
        "--profile",
        metavar="NAME[,mtu=BYTES]",
        type=configured(profile),
        default=DEFAULT,
        help="that of the scope, for its mtu (default: default)",
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=number(float), default=3.0, help="how long to wait for answers (3)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, an object a line")


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, stack: ISctpStack | None = None) -> int:
    """Look at everything, and print it; 1 if there is a problem."""
    found = [finding async for finding in _looked(reactor, options, stack)]
    for each in found:
        if options.json:
            told = {
                "check": each.check,
                "level": WORDS[each.level].lower(),
                "says": each.says,
                "cure": each.cure or None,
            }
            print(json.dumps(told), file=out)
        else:
            print(f"{WORDS[each.level]:8}{each.check}: {each.says}", file=out)
            if each.cure:
                print(f"{'':8}  cure: {each.cure}", file=out)
    return OTHER if any(each.level is Level.PROBLEM for each in found) else OK


async def _looked(reactor: Any, options: argparse.Namespace, stack: ISctpStack | None) -> AsyncIterator[Finding]:
    named, wrong = await _named(reactor, options)
    secured, about_keys = _secured(options)
    answers, listed, silent, here = await _asked(reactor, options, named, secured, stack)
    there = [answer.address for answer in answers if answer.identifier is not None]
    at = [*named, *scope.places(listed)] or there
    checks: tuple[Iterable[Finding], ...] = (
        host.sctp(),
        host.compiled_part(),
        host.udp_ports([*there, *here]),
        host.descriptors(),
        host.kernel_settings(),
        host.names([name for address in _given(options) for name in address.hosts]),
        wrong,
        host.mtu(at, options.profile.mtu),
        scope.registrars(answers, bool(named)),
        scope.peers(None, listed, lambda each: each.identifier in silent),
        about_keys,
    )
    for check in checks:
        for finding in check:
            yield finding
    place = place_of(options)
    if isinstance(place, TcpPlace):
        for finding in await in_thread(reactor, looked_at, place):
            yield finding


def _given(options: argparse.Namespace) -> list[TransportAddress]:
    try:
        return list(options.registrar or named_registrars())
    except ConfigurationError:
        return []


async def _named(reactor: Any, options: argparse.Namespace) -> tuple[list[TransportAddress], list[Finding]]:
    """The places that are named, with addresses; and what is wrong with them, but for names."""
    found: list[TransportAddress] = []
    try:
        given = options.registrar or named_registrars()
    except ConfigurationError as error:
        wrong = REGISTRARS if os.environ.get(REGISTRARS) else "that file"
        return [], [problem("names", str(error), f"correct {wrong}")]
    for each in given:
        with suppress(ConfigurationError):
            found += await each_place(reactor, enrp_place(each))
    return found, []


def _secured(options: argparse.Namespace) -> tuple[Secured | None, list[Finding]]:
    text = options.security or os.environ.get(SECURITY) or OFF
    if text == OFF:
        return None, [
            note("keys", "no keys or certificates are looked at", f"name them with --security (or {SECURITY})")
        ]
    findings: list[Finding] = []
    try:
        directory = read_text(text).directory
        if directory is not None:
            findings = [*keys.key_files(directory), *keys.certificates(directory)]
        return security_from(options), findings
    except ConfigurationError as error:
        return None, [*findings, problem("keys", str(error), "mend it: nothing that is secured so starts")]


async def _asked(
    reactor: Any,
    options: argparse.Namespace,
    named: Sequence[TransportAddress],
    secured: Secured | None,
    stack: ISctpStack | None,
) -> tuple[list[neighbours.Answer], list[ServerInformation], set[int], list[TransportAddress]]:
    """Who answers, whom the first of these knows, who of them is silent; and where else on this host one answers."""
    addresses = list(named) or neighbours.on_this_host()
    if secured is not None:
        addresses = list(dict.fromkeys(map(over_tls, addresses)))
    try:
        hosts = local_hosts_towards(addresses)
        opened = stack or open_stack(reactor, backend=options.backend, profile=DEFAULT, hosts=hosts)
    except (SctpUnavailable, ConfigurationError, CannotListenError, OSError):
        return [], [], set(), []
    try:
        tls = None if secured is None else tls_of(secured, "client", PPID_ENRP)
        speaking = opened if tls is None else tls.stack(reactor, opened, False)
        answers = await neighbours.ask(reactor, speaking, addresses, options.timeout)
        there = [answer for answer in answers if answer.identifier is not None]
        here: list[TransportAddress] = []
        if named:
            # Registrars that nobody named have UDP ports of this host as well, or one that was named without its own.
            places = [place for place in neighbours.on_this_host() if place.encapsulation in host.taken_ports()]
            places = places if secured is None else list(map(over_tls, places))
            found = await neighbours.ask(reactor, speaking, places, options.timeout) if places else []
            here = [answer.address for answer in found if answer.identifier is not None]
        if not there:
            return answers, [], set(), here
        told, _ = await tables.ask(reactor, speaking, [there[0].address], options.timeout)
        own = {answer.identifier for answer in there}
        listed = [
            each for each in (told.peers if told is not None and told.peers else ()) if each.identifier not in own
        ]
        listed = listed[:MOST_PEERS]
        at = {place: each for each in listed for place in scope.places([each])}
        # Why TLS with one of these fails is told by the log.
        logged = opened if tls is None else tls.stack(reactor, opened)
        heard = await neighbours.ask(reactor, logged, list(at), options.timeout) if at else []
        speak = {at[answer.address].identifier for answer in heard if answer.identifier is not None}
        return answers, listed, {each.identifier for each in listed} - speak, here
    finally:
        if stack is None:
            await opened.close()


def looked_at(place: TcpPlace) -> list[Finding]:
    """Whether an admin interface answers, and what it says the time is."""
    tls = None
    if place.tls:
        import ssl

        # Whoever answers, what is asked for is the time alone.
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    try:
        date = AdminClient(place, tls=tls, timeout=5.0).date()
    except AdminError as error:
        return [problem("admin", str(error), f"correct --admin (or {ADMIN}), or start it")]
    return list(scope.clock(str(place), date))
