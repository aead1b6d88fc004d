"""What supervision costs a registrar, and how many elements it can supervise within a quarter of a core.

C{python -m bench.supervision [--json [FILE]] [--quick]}. Every element has an association of its own, over which it
answers keep-alives. The processor time of the registrar is measured with one association (SCTP's timers tick then),
with many but no elements (so that SCTP's heartbeats cost something), and with elements.
"""

from __future__ import annotations

import argparse
import socket

from bench.processes import Processes, free_port
from bench.report import Figures, columns, progress, run
from rserpool.core import PROFILES, Profile
from rserpool.core.registrar.shares import COST, SHARE


def measure(options: argparse.Namespace) -> Figures:
    """Processor seconds a second in the three settings, and what follows."""
    seconds = 3.0 if options.quick else options.seconds
    idle, _ = _run(options.profile, 1, 0, seconds)
    silent, _ = _run(options.profile, options.elements, 0, seconds)
    supervising, exchanges = _run(options.profile, options.elements, 1, seconds)
    heartbeat = (silent - idle) / ((options.elements - 1) * _heartbeats(PROFILES[options.profile]))
    return {
        "profile": options.profile,
        "elements": options.elements,
        "seconds": seconds,
        "idle_share": idle,
        "associations_share": silent,
        "supervision_share": supervising,
        "exchanges_per_second": exchanges,
        "exchange_us": 1e6 * (supervising - silent) / exchanges,
        "heartbeat_us": 1e6 * heartbeat,
        "cost_us": 1e6 * COST,
        "share": SHARE,
        "supported": {
            name: {
                "interval": profile.keep_alive_interval,
                "elements": int(SHARE * profile.keep_alive_interval / COST),
                "heartbeat_interval": profile.heartbeat_interval,
                "heartbeat_share": heartbeat * _heartbeats(profile),
                "elements_with_heartbeats": int(
                    SHARE / (COST / profile.keep_alive_interval + heartbeat * _heartbeats(profile))
                ),
            }
            for name, profile in PROFILES.items()
        },
    }


def _heartbeats(profile: Profile) -> float:
    """Heartbeats a second of an idle association, both ways (RFC 9260 section 8.3: the interval, and the RTO)."""
    return 2 / (profile.heartbeat_interval + profile.rto_min)


def _run(profile: str, associations: int, each: int, seconds: float) -> tuple[float, float]:
    """The part of a core that the registrar used, and keep-alives answered a second."""
    with Processes() as processes:
        udp = free_port(socket.SOCK_DGRAM)
        registrar = processes.registrar(udp, "--profile", profile, "--asap-tcp", "none")
        arguments = ["--registrar", f"127.0.0.1:3863/{udp}", "--profile", profile, "--seconds", str(seconds)]
        arguments += ["--associations", str(associations), "--each", str(each)]
        elements = processes.python("elements", "-m", "bench.elements", *arguments)
        elements.says("^begin$")
        before = registrar.cpu()
        answered = int(elements.says(r"^end (\d+)$").group(1))
        share = (registrar.cpu() - before) / seconds
    progress(
        f"supervision: {associations} associations, {associations * each} elements, {answered / seconds:.0f}"
        f" keep-alives/s: {100 * share:.1f} % of a core"
    )
    return share, answered / seconds


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = [
        [
            name,
            f"{one['interval']:g} s",
            f"{one['elements']:,}",
            f"{one['heartbeat_interval']:g} s",
            f"{100 * one['heartbeat_share']:.3f} %",
            f"{one['elements_with_heartbeats']:,}",
        ]
        for name, one in figures["supported"].items()
    ]
    head = ["profile", "keep-alive interval", "elements", "heartbeat interval", "of a core each", "elements, both"]
    return (
        f"Supervision: {figures['exchange_us']:.0f} us of processor time for each keep-alive and its answer"
        f" (reckoned with: {figures['cost_us']:.0f} us),"
        f" {figures['heartbeat_us']:.0f} us for each heartbeat of SCTP, to or from the registrar\n"
        f"Interval = max(that of the profile, elements * {figures['cost_us']:.0f} us / {figures['share']});"
        " so many elements are supervised at the profile's own interval, and so many if SCTP's heartbeats, over one"
        " association each, are to fit into the same share:\n" + columns(head, rows)
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--elements", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--profile", default="default", choices=tuple(PROFILES))


if __name__ == "__main__":
    run("supervision", "The cost of supervision.", measure, table, add_arguments)
