"""What a registrar knows, as others may read it: pools, elements, registrars, itself. Nothing changes by looking.

What there may be a lot of comes from generators, so that who reads it takes as much in a turn as is good for all.
Times are seconds before C{now}, the role's monotonic clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from heapq import nsmallest
from typing import Any, TypeAlias

from rserpool.core.described import element_json, identifier_text
from rserpool.core.handles import handle_text
from rserpool.core.handlespace.element import Element
from rserpool.core.handlespace.pool import Pool
from rserpool.core.peering.peers import Peer
from rserpool.core.registrar.registrar import Registrar

Described: TypeAlias = dict[str, Any]
"""Something for C{json.dumps}."""


def described_registrar(registrar: Registrar, now: float) -> Described:
    """The registrar itself."""
    handlespace = registrar.handlespace
    return {
        "role": "registrar",
        "identifier": identifier_text(registrar.identifier),
        "ready": registrar.peering.ready,
        "pools": len(handlespace.pools),
        "elements": len(handlespace),
        "own": len(handlespace.owned_by(registrar.identifier)),
        "clients": registrar.clients,
        "bytes": handlespace.bytes,
        "checksum": f"0x{handlespace.checksum_of(registrar.identifier):04x}",
        "keep_alive_interval": round(registrar.supervision.interval, 3),
        "keep_alive_cost": round(registrar.supervision.shares.cost, 6),
        "associations_share": round(registrar.supervision.shares.fixed, 4),
        "security": registrar.access.state.value,
    }


def pools(registrar: Registrar, after: bytes | None = None, limit: int | None = None) -> Iterator[Described]:
    """The pools, in the order in which they came to be; a page in that of their handles.

    @param after: the handle behind which the page begins.
    @param limit: so many, in order of their handles; None for all.
    """
    there = registrar.handlespace.pools
    handles = list(there)
    if limit is not None or after is not None:
        rest = (handle for handle in handles if after is None or handle > after)
        handles = sorted(rest) if limit is None else nsmallest(limit, rest)
    for handle in handles:
        pool = there.get(handle)
        if pool is not None:
            yield described_pool(pool)


def described_pool(pool: Pool) -> Described:
    """A pool: what its elements agree on, and whose they are."""
    homes = Counter(element.home for element in pool.elements.values())
    return {
        "pool": handle_text(pool.handle),
        "handle": pool.handle.hex(),
        "policy": pool.policy.name,
        "elements": len(pool),
        "homes": {identifier_text(home): number for home, number in homes.items()},
    }


def elements(
    registrar: Registrar, handle: bytes, now: float, after: int | None = None, limit: int | None = None
) -> Iterator[Described] | None:
    """The elements of a pool, in the order in which they came; a page in that of their identifiers.

    @param after: the identifier behind which the page begins.
    @param limit: so many, in order of their identifiers; None for all.
    @return: None if there is no such pool.
    """
    pool = registrar.handlespace.pool(handle)
    if pool is None:
        return None
    there: list[Element] = list(pool.elements.values())
    if limit is not None or after is not None:
        rest = (element for element in there if after is None or element.identifier > after)
        there = sorted(rest, key=_identifier) if limit is None else nsmallest(limit, rest, key=_identifier)
    return (described_element(registrar, element, now) for element in there if element in registrar.handlespace)


def described_element(registrar: Registrar, element: Element, now: float) -> Described:
    """An element: what it is registered with, and, if it is ours, how it answers."""
    parameter = element.parameter()
    described = element_json(parameter)
    asap = parameter.asap_transport
    watch = element.watch
    described |= {
        "pool": handle_text(element.handle),
        "asap": None if asap is None else {"addresses": list(asap.addresses), "port": asap.port},
        "age": _ago(element.since, now),
        "owner": None if element.owner is None else str(element.owner),
        "ours": watch is not None,
        "answered": None,
        "delay": None,
        "reports": 0,
        "asked": False,
    }
    if watch is not None:
        described["reports"] = len(watch.reporters or ())
        described["asked"] = watch.answer_by is not None
        if watch.answered is not None:
            described["answered"], described["delay"] = _ago(watch.answered, now), round(watch.delay, 6)
    return described


def draining(registrar: Registrar, now: float) -> Iterator[Described]:
    """The elements that drain, those of this registrar as they were registered, if that is known."""
    for held in list(registrar.draining.held.values()):
        yield ({} if held.element is None else element_json(held.element)) | {
            "pool": handle_text(held.handle),
            "handle": held.handle.hex(),
            "identifier": identifier_text(held.identifier),
            "since": _ago(held.since, now),
            "connections": held.connections,
            "home": identifier_text(registrar.identifier),
        }
    for peer in registrar.peering.peers:
        for each in peer.drainers:
            key = each.handle, each.identifier
            if registrar.handlespace.find(*key) is None and key not in registrar.draining.held:
                yield {
                    "pool": handle_text(each.handle),
                    "handle": each.handle.hex(),
                    "identifier": identifier_text(each.identifier),
                    "since": None,
                    "connections": each.connections,
                    "home": identifier_text(peer.identifier),
                }


def evicted(registrar: Registrar, now: float) -> Iterator[Described]:
    """The elements that are refused for a while, as they were, and for how many seconds yet."""
    for each, seconds in registrar.evictions.left(now):
        about = {"pool": handle_text(each.handle), "handle": each.handle.hex(), "seconds": seconds}
        yield element_json(each.element) | about


def registrars(registrar: Registrar, now: float) -> Iterator[Described]:
    """This registrar, its peers, and others of which it has only heard: homes of elements, and whom peers name."""
    handlespace, peers = registrar.handlespace, registrar.peering.peers
    own = registrar.identifier
    mine = _counted(registrar, own)
    yield mine | {
        "own": True,
        "state": "ready" if registrar.peering.ready else "not ready",
        "told": mine["checksum"],
        "peers": list(map(identifier_text, peers.connected)),
    }
    named: dict[int, list[int]] = {}
    for peer in peers:
        yield _counted(registrar, peer.identifier) | _peer(registrar, peer, now)
        for each in peer.names or ():
            named.setdefault(each, []).append(peer.identifier)
    for each in sorted({*handlespace.homes, *named} - {own, *(peer.identifier for peer in peers)}):
        by = list(map(identifier_text, named.get(each, ())))
        yield _counted(registrar, each) | {"own": False, "state": "unknown", "named_by": by}


def _counted(registrar: Registrar, identifier: int) -> Described:
    """What its elements say: the checksum is ours over them, as our copy has them; what itself tells is C{told}."""
    handlespace = registrar.handlespace
    return {
        "identifier": identifier_text(identifier),
        "elements": len(handlespace.owned_by(identifier)),
        "checksum": f"0x{handlespace.checksum_of(identifier):04x}",
    }


def _peer(registrar: Registrar, peer: Peer, now: float) -> Described:
    state = "connected" if peer.association is not None else "silent"
    if peer.identifier in registrar.peering.takeovers:
        state = "being taken over"
    elif peer.refuses:
        state = "refuses us"
    elif peer.answer_by is not None:
        state = "asked whether it lives"
    return {
        "own": False,
        "state": state,
        "address": None if peer.address is None else str(peer.address),
        "heard": _ago(peer.last_heard, now),
        "told": None if peer.told is None else f"0x{peer.told:04x}",
        # It leaves us out, to whom it tells them.
        "peers": None
        if peer.names is None
        else list(map(identifier_text, sorted({*peer.names, registrar.identifier}))),
    }


def _ago(when: float, now: float) -> float:
    return round(max(0.0, now - when), 3)


def _identifier(element: Element) -> int:
    return element.identifier
