"""What supervision costs a registrar, and how many elements it can supervise within a quarter of a core.

C{python -m bench.supervision [--json [FILE]] [--quick]}. Every element has an association of its own, over which it
answers keep-alives: so many that there are 200 of them a second, and 2,000. The processor time of the registrar is
measured with the associations alone (SCTP's timers and heartbeats), with elements, and with resolutions instead, as
many a second over as many associations: what a keep-alive costs is compared with those.
"""

from __future__ import annotations

import argparse
import socket

from bench.processes import Processes, free_port
from bench.report import Figures, columns, progress, run
from rserpool.core import PROFILES
from rserpool.core.registrar.shares import SHARE

RATES = (200, 2000)
"""Keep-alives a second."""
SETTLING = 15.0
"""Seconds until the registrar asks so often: it believes step by step that a keep-alive is cheap."""


def measure(options: argparse.Namespace) -> Figures:
    """At each rate, alternately; the median of the ratios."""
    seconds, rounds = (3.0, 1) if options.quick else (options.seconds, options.rounds)
    interval = PROFILES[options.profile].keep_alive_interval
    rates = [_at(options.profile, round(rate * interval), rate, seconds, rounds) for rate in options.rates]
    cost = 1e-6 * min(rate["keep_alive_us"] for rate in rates)
    return {
        "profile": options.profile,
        "seconds": seconds,
        "share": SHARE,
        "rates": rates,
        "supported": {
            name: {"interval": profile.keep_alive_interval, "elements": int(SHARE * profile.keep_alive_interval / cost)}
            for name, profile in PROFILES.items()
        },
    }


def _at(profile: str, associations: int, rate: float, seconds: float, rounds: int) -> Figures:
    """What one costs at this rate, in microseconds; of the rounds the one whose ratio is the median."""
    found = []
    for _ in range(rounds):
        silent, _ = _run(profile, associations, seconds, each=0)
        supervising, asked = _run(profile, associations, seconds)
        resolving, answered = _run(profile, associations, seconds, asks=rate)
        keep_alive, resolution = (
            (all_ - silent) / many for all_, many in ((supervising, asked), (resolving, answered))
        )
        found.append(
            {
                "rate": rate,
                "associations": associations,
                "silent_share": silent,
                "keep_alives": asked,
                "keep_alive_us": 1e6 * keep_alive,
                "resolutions": answered,
                "resolution_us": 1e6 * resolution,
                "ratio": keep_alive / resolution,
            }
        )
    return sorted(found, key=lambda each: each["ratio"])[len(found) // 2]


def _run(profile: str, associations: int, seconds: float, *, each: int = 1, asks: float = 0.0) -> tuple[float, float]:
    """The part of a core that the registrar used, and keep-alives or resolutions answered a second."""
    with Processes() as processes:
        udp = free_port(socket.SOCK_DGRAM)
        registrar = processes.registrar(udp, "--profile", profile, "--asap-tcp", "none")
        arguments = ["--registrar", f"127.0.0.1:3863/{udp}", "--profile", profile, "--seconds", str(seconds)]
        arguments += ["--associations", str(associations), "--each", str(each), "--asks", str(asks)]
        arguments += ["--settling", str(SETTLING)]
        elements = processes.python("elements", "-m", "bench.elements", *arguments)
        elements.says("^begin$")
        before = registrar.cpu()
        answered = int(elements.says(r"^end (\d+)$").group(1))
        share = (registrar.cpu() - before) / seconds
    what = "resolutions" if asks else "keep-alives"
    progress(
        f"supervision: {associations} associations, {answered / seconds:.0f} {what}/s: {100 * share:.1f} % of a core"
    )
    return share, answered / seconds


def table(figures: Figures) -> str:
    """The figures for people."""
    rows = [
        [
            f"{each['keep_alives']:.0f}",
            f"{each['keep_alive_us']:.0f}",
            f"{each['resolution_us']:.0f}",
            f"{each['ratio']:.2f}",
            f"{100 * each['silent_share']:.1f} %",
        ]
        for each in figures["rates"]
    ]
    supported = [
        [name, f"{each['interval']:g} s", f"{each['elements']:,}"] for name, each in figures["supported"].items()
    ]
    return (
        "Processor time of the registrar, in us\n"
        + columns(["keep-alives/s", "one", "a resolution", "ratio", "associations alone"], rows)
        + "\nso many elements fit into a quarter of a core at the profile's own interval\n"
        + columns(["profile", "keep-alive interval", "elements"], supported)
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark alone."""
    parser.add_argument("--rates", type=int, nargs="+", default=RATES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--profile", default="default", choices=tuple(PROFILES))


if __name__ == "__main__":
    run("supervision", "The cost of supervision.", measure, table, add_arguments)
