"""Checks of a scope: registrars that do not know each other, peers that are silent, clocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime

from rserpool.cli.doctor.findings import Finding, fine, note, problem, warning
from rserpool.core.addresses import TransportAddress
from rserpool.core.described import identifier_text
from rserpool.core.wire.parameters import ServerInformation
from rserpool.node.neighbours import Answer, scopes

DRIFT = 5.0
"""Seconds that two clocks may differ: the time over HTTP is in whole seconds."""


def registrars(answers: Sequence[Answer], named: bool) -> Iterator[Finding]:
    """Who answered, and whether these know each other.

    @param named: whether they were named; else those of this host.
    """
    there = [answer for answer in answers if answer.identifier is not None]
    if not there and named:
        where = ", ".join(str(answer.address) for answer in answers)
        yield problem(
            "registrars", f"no registrar answers at {where}", "start it, or correct the address; is a firewall between?"
        )
    elif not there:
        yield note("registrars", "no registrar answers on this host", "start one: twistd -n --pidfile= rserpool-ns")
    for answer in there:
        who = f"registrar {identifier_text(answer.identifier or 0)} at {answer.address}"
        if not answer.ready:
            yield warning("registrars", f"{who} is not ready", "it waits for a peer's handlespace: look at its log")
        else:
            yield fine("registrars", f"{who} is ready, and knows {len(answer.peers)} others")
    for answer in answers:
        if answer.refused:
            yield note(
                "registrars",
                f"the registrar at {answer.address} is secured, and does not answer us",
                "--security DIR with the key of an operator",
            )
    for answer in answers:
        if answer.why and named:
            yield problem(
                "registrars",
                f"TLS with {answer.address} failed: {answer.why}",
                "--security DIR with the key of an operator of its scope (rserpool keys: operator)",
            )
        elif answer.why:
            yield note(
                "registrars",
                f"who listens at {answer.address} on this host is of another scope, as it seems: {answer.why}",
                "nothing, if that is meant so; to look at that scope, --security DIR with a key of an operator there",
            )
    first, *others = scopes(there) or [[]]
    for other in others:
        one, another = first[0], other[0]
        yield warning(
            "registrars",
            f"{identifier_text(one.identifier or 0)} and {identifier_text(another.identifier or 0)} do not know each"
            " other: these are two scopes, and elements of one are not found in the other",
            f"if they belong together, start the second one with --peer {one.address}",
        )


def peers(
    asked: ServerInformation | None,
    listed: Sequence[ServerInformation],
    silent: Callable[[ServerInformation], bool],
) -> Iterator[Finding]:
    """Whether the registrars that one of them lists answer.

    @param asked: who lists them.
    @param silent: tells whether one does not answer.
    """
    for each in listed:
        where = f"{', '.join(each.transport.addresses)} port {each.transport.port}"
        who = f"registrar {identifier_text(each.identifier)} at {where}"
        if asked is not None and each.identifier == asked.identifier:
            continue
        if silent(each):
            yield problem(
                "peers",
                f"{who} is known to the others, and does not answer us",
                "is it alive (its log), and do packets of SCTP, or of its UDP port, pass between here and there?",
            )
        else:
            yield fine("peers", f"{who} answers")


def clock(where: str, told: str | None, now: float | None = None) -> Iterator[Finding]:
    """Whether the clock of another host is as ours.

    @param told: the Date of its answer over HTTP.
    @param now: our time, in seconds since 1970.
    """
    now = time.time() if now is None else now
    try:
        if told is None:
            raise ValueError("no date")
        theirs = parsedate_to_datetime(told).replace(tzinfo=UTC).timestamp()
    except (ValueError, TypeError):
        yield note("clock", f"{where} does not tell the time")
        return
    apart = theirs - now
    if abs(apart) > DRIFT:
        ahead = "ahead of" if apart > 0 else "behind"
        yield problem(
            "clock",
            f"the clock of {where} is {abs(apart):.0f} s {ahead} ours: certificates, cookies and logs do not fit",
            "have both hosts set their clocks (systemd-timesyncd, chrony)",
        )
    else:
        yield fine("clock", f"the clock of {where} is as ours")


def places(listed: Sequence[ServerInformation]) -> list[TransportAddress]:
    """Where the registrars are that one lists."""
    return [
        TransportAddress(each.transport.addresses, each.transport.port, each.encapsulation)
        for each in listed
        if each.transport.addresses and each.transport.port
    ]
