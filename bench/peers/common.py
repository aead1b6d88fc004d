"""What all systems have in common here: elements with numbers, where they serve, and options of the processes."""

from __future__ import annotations

import argparse
from typing import TypeAlias

Place: TypeAlias = tuple[str, int]
Element: TypeAlias = tuple[int, Place]
Elements: TypeAlias = dict[int, Place]

POOL = "bench"
CLIENTS = ("aetcd", "etcd3gw", "kazoo", "rserpool")


def text_of(place: Place) -> bytes:
    """Where an element serves, as it is stored."""
    return f"{place[0]} {place[1]}".encode()


def element_of(number: bytes, stored: bytes) -> Element:
    """The element that was stored so."""
    host, port = stored.decode().split()
    return int(number), (host, int(port))


def parser(description: str) -> argparse.ArgumentParser:
    """The options that each process of these benchmarks has."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("client", choices=CLIENTS, help="the library")
    options.add_argument("--at", action="append", required=True, metavar="HOST:PORT", help="a node of the registry")
    options.add_argument("--ttl", type=float, default=10.0, help="seconds of a lease, or of a session")
    options.add_argument("--tuned", action="store_true", help="reads that one node answers alone (etcd)")
    options.add_argument("--profile", default="default", help="timers (rserpool)")
    return options


def places(at: list[str], first: int = 0) -> list[Place]:
    """The nodes, beginning with one of them."""
    found = [(host, int(port)) for host, _, port in (each.rpartition(":") for each in at)]
    first %= len(found)
    return found[first:] + found[:first]
