"""The main procedures as readable text: C{python -m tests.scenarios.golden} writes tests/scenarios/*.txt.

Time, who sends to whom, and the message; or who notices what. Heartbeats, keep-alives and their answers are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import asap, enrp
from tests.simulation.cluster import Cluster

FOLDER = Path(__file__).resolve().parent


def join(cluster: Cluster) -> float:
    """A second registrar joins the first, which has two elements."""
    cluster.registrar(identifier=0x11111111)
    cluster.advance(2.0)
    cluster.element("pool", identifier=0xE1)
    cluster.element("pool", identifier=0xE2)
    cluster.advance(1.0)
    since = cluster.now
    cluster.registrar(identifier=0x22222222)
    cluster.advance(2.0)
    return since


def update(cluster: Cluster) -> float:
    """An element registers, changes its weight, and leaves; a user watches."""
    _three(cluster)
    cluster.user().watch("pool")
    cluster.advance(0.5)
    since = cluster.now
    element = cluster.element("pool", policy="weighted-round-robin:weight=2", identifier=0xE1)
    cluster.advance(2.5)
    element.change("pool", "weighted-round-robin:weight=5")
    cluster.advance(0.5)
    element.leave("pool")
    cluster.advance(0.5)
    return since


def takeover(cluster: Cluster) -> float:
    """Two other registrars take over from one that is cut off from them, and that its elements still see."""
    _three(cluster)
    for identifier in (0xE1, 0xE2):
        cluster.element("pool", identifier=identifier, service={"registrars": cluster.addresses[:1]})
    cluster.advance(0.5)
    since = cluster.now
    cluster.partition([cluster.registrars[0]], [cluster.registrars[1], cluster.registrars[2]])
    cluster.until(lambda: "r2" in _homes(cluster) or "r3" in _homes(cluster))
    cluster.advance(0.3)
    cluster.kill(cluster.registrars[0])
    cluster.advance(0.5)
    return since


def split_and_heal(cluster: Cluster) -> float:
    """Two registrars lose each other with one element on each side, and find each other again."""
    cluster.registrar(identifier=0x11111111)
    cluster.registrar(identifier=0x22222222)
    cluster.advance(3.0)
    one = cluster.element("pool", identifier=0xE1, service={"registrars": cluster.addresses[:1]})
    two = cluster.element("pool", identifier=0xE2, service={"registrars": cluster.addresses[1:]})
    cluster.advance(0.5)
    since = cluster.now
    cluster.partition([cluster.registrars[0], one], [cluster.registrars[1], two])
    cluster.advance(5.0)
    cluster.heal()
    cluster.advance(6.0)
    return since


STORIES: dict[str, tuple[Callable[[Cluster], float], int]] = {
    "join": (join, 2),
    "update": (update, 3),
    "takeover": (takeover, 3),
    "split-and-heal": (split_and_heal, 2),
}


def tell(name: str) -> str:
    """The text of one story."""
    story, registrars = STORIES[name]
    cluster = Cluster(1, registrars, profile=DEFAULT, start=False)
    try:
        since = story(cluster)
    finally:
        cluster.close()
    return f"{story.__doc__}\n\n" + "\n".join(cluster.trace.lines(since=since, wanted=_wanted)) + "\n"


def main() -> int:
    """Write the stories."""
    for name in STORIES:
        (FOLDER / f"{name}.txt").write_text(tell(name), encoding="utf-8")
        print(f"tests/scenarios/{name}.txt")
    return 0


def _three(cluster: Cluster) -> None:
    for identifier in (0x11111111, 0x22222222, 0x33333333):
        cluster.registrar(identifier=identifier)
    cluster.advance(3.0)


def _homes(cluster: Cluster) -> set[str]:
    return {cluster.network.names[host] for element in cluster.elements for host in element.homes}


def _wanted(message: Any) -> bool:
    if isinstance(message, enrp.Presence):
        return message.reply_required or message.receiver != 0
    if isinstance(message, asap.EndpointKeepAlive):
        return message.home
    return not isinstance(message, asap.EndpointKeepAliveAck)


if __name__ == "__main__":
    sys.exit(main())
