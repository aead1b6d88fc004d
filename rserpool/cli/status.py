"""C{rserpool status}: is a registrar ready, and who are its peers (RFC 5353 sections 3.2 and 3.4)?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TextIO

from rserpool.cli.codes import OK, OTHER
from rserpool.cli.listing import enrp_place
from rserpool.cli.options import add_backend_option, add_security_option, configured, security_from
from rserpool.cli.show import table
from rserpool.core.addresses import ASAP_PORT, ENRP_PORT, over_tls
from rserpool.core.choices import REGISTRARS
from rserpool.core.errors import CauseCode, NoRegistrar, Rejected
from rserpool.core.profiles import DEFAULT
from rserpool.core.reading import parse_transport_address
from rserpool.node.candidates import THIS_HOST, local_hosts_towards, named_registrars
from rserpool.node.neighbours import Answer, ask, on_this_host, reachable, scopes, world
from rserpool.node.securing import tls_of
from rserpool.sctp.base import PPID_ENRP
from rserpool.sctp.interfaces import ISctpStack
from rserpool.sctp.lookup import each_place
from rserpool.sctp.stack import open_stack


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "registrar",
        metavar="HOST:PORT[/UDPPORT]",
        nargs="*",
        type=configured(partial(parse_transport_address, default_port=ENRP_PORT)),
        help=f"where a registrar speaks ENRP, port {ENRP_PORT} (default: every registrar of this host, "
        f"or at this port those of {REGISTRARS})",
    )
    parser.add_argument(
        "--registrar",
        dest="also",
        metavar="HOST:PORT[/UDPPORT]",
        action="append",
        default=[],
        type=configured(partial(parse_transport_address, default_port=ENRP_PORT)),
        help="the same, as with other commands; may be repeated",
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=2.0, help="how long to wait for answers (2)"
    )
    add_security_option(parser)
    add_backend_option(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, one object for each registrar")


async def run(reactor: Any, options: argparse.Namespace, out: TextIO, stack: ISctpStack | None = None) -> int:
    """Ask, print, and tell by the exit code: 0 if every registrar that answered is ready, 4 if none answered."""
    secured = security_from(options)
    named = [*options.registrar, *map(enrp_place, options.also)]
    named = named or [replace(registrar, port=ENRP_PORT) for registrar in named_registrars()]
    named = [one for address in named for one in await each_place(reactor, address)]
    addresses = named or on_this_host()
    if secured is not None:
        addresses = list(dict.fromkeys(map(over_tls, addresses)))
    hosts = local_hosts_towards(addresses)
    opened = stack or open_stack(reactor, backend=options.backend, profile=DEFAULT, hosts=hosts)
    try:
        speaking = opened if secured is None else tls_of(secured, "client", PPID_ENRP).stack(reactor, opened, False)
        answers = await ask(reactor, speaking, addresses, options.timeout)
    finally:
        if stack is None:
            await opened.close()
    answered = _once([answer for answer in answers if answer.identifier is not None])
    usual = [answer for answer in answered if not world(answer.address)]
    if not named and usual:
        # Somebody has given the others an address where nobody looks.
        answered = usual
    shown = answers if named else answered
    failed = "; ".join(f"TLS with {answer.address} failed: {answer.why}" for answer in answers if answer.why)
    strangers = _strangers(answers, failed, here=not named) if failed and answered else []
    told = [*_human(shown), *_remarks(answered, here=not named), *strangers]
    for line in _json(shown) if options.json else told:
        print(line, file=out)
    if not answered and any(answer.refused for answer in answers):
        where = ", ".join(str(answer.address) for answer in answers if answer.refused)
        needs = "has no key that it takes for an operator's" if secured else "is needed (rserpool keys: operator)"
        raise Rejected(
            CauseCode.REJECTED_FOR_SECURITY, reason=f"the registrar at {where} is secured, and --security {needs}"
        )
    if not answered and failed:
        wanted = "who asks for the status needs the key of an operator or a registrar (rserpool keys: operator)"
        raise NoRegistrar(f"no registrar can be asked: {failed}; {wanted}", unproved=True)
    if not answered:
        where = ", ".join(map(str, addresses)) if named else "on this host"
        raise NoRegistrar(f"no registrar answered {'at ' if named else ''}{where}")
    return OK if all(registrar.ready for registrar in answered) else OTHER


def _once(answered: Sequence[Answer]) -> list[Answer]:
    """Each registrar at the first of its addresses."""
    once: dict[int | None, Answer] = {}
    for answer in answered:
        once.setdefault(answer.identifier, answer)
    return list(once.values())


def _remarks(answered: Sequence[Answer], here: bool) -> list[str]:
    """What is not as people may think that it is: registrars that do not know each other, or are not looked for."""
    first, *others = scopes(answered) or [[]]
    remarks = []
    for other in others:
        sides = ("", "") if len(first) == len(other) == 1 else (" on one side", " on the other")
        remark = f"{_names(first)}{sides[0]} and {_names(other)}{sides[1]} do not know each other: these are two scopes"
        pairs = (
            (one, another)
            for one in first
            for another in other
            if reachable(one.address, another.address) and world(one.address) == world(another.address)
        )
        one, another = next(pairs, (None, None))
        if one and another:
            remark += f"; to join them, start 0x{another.identifier or 0:08x} with --peer {one.address}"
        remarks.append(remark)
    if here and answered and all(THIS_HOST not in answer.address.hosts for answer in answered):
        where = replace(answered[0].address, port=ASAP_PORT)
        remarks.append(
            f"none listens at {THIS_HOST}, where elements and users of this host look: name one to them with "
            f"--registrar {where}, or in {REGISTRARS} (if it serves ASAP at the usual port)"
        )
    return remarks


def _strangers(answers: Sequence[Answer], failed: str, here: bool) -> list[str]:
    """Whom TLS does not let us ask, beside others that answered."""
    if not here:
        return [failed]
    whys: dict[str, list[str]] = {}
    for answer in answers:
        if answer.why:
            whys.setdefault(answer.why, []).append(str(answer.address))
    return [
        f"of another scope on this host, as it seems: who listens at {', '.join(where)} ({why}); to ask there, name it "
        "with --registrar, and with --security the keys of that scope"
        for why, where in whys.items()
    ]


def _names(registrars: Sequence[Answer]) -> str:
    return ", ".join(f"0x{one.identifier or 0:08x}" for one in registrars)


def _human(registrars: Sequence[Answer]) -> list[str]:
    if not registrars:
        return []
    rows = [("REGISTRAR", "AT", "STATE", "CHECKSUM", "PEERS")]
    for one in registrars:
        state = "ready" if one.ready else "not ready"
        if one.identifier is None:
            state = "refused" if one.refused else "TLS failed" if one.why else "no answer"
        elif one.tls:
            state += ", TLS"
        rows.append(
            (
                "-" if one.identifier is None else f"0x{one.identifier:08x}",
                str(one.address),
                state,
                "-" if one.checksum is None else f"0x{one.checksum:04x}",
                " ".join(f"0x{peer:08x}" for peer in one.peers) or "-",
            )
        )
    return table(rows)


def _json(registrars: Sequence[Answer]) -> list[str]:
    groups = scopes(registrars)
    return [
        json.dumps(
            {
                "registrar": None if one.identifier is None else f"0x{one.identifier:08x}",
                "at": str(one.address),
                "ready": one.ready,
                "tls": one.tls,
                "why": one.why,
                "checksum": None if one.checksum is None else f"0x{one.checksum:04x}",
                "peers": [f"0x{peer:08x}" for peer in one.peers],
                "strangers": [
                    f"0x{other.identifier or 0:08x}" for group in groups if one not in group for other in group
                ],
            }
        )
        for one in registrars
    ]
