"""What each role counts, as metrics: read from where it is counted anyway, when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from heapq import nlargest
from typing import TYPE_CHECKING, Any

from rserpool.admin.metrics import LARGEST, Classes, Metric, by_label, counter, gauge
from rserpool.core.described import identifier_text
from rserpool.core.errors import CauseCode
from rserpool.core.handles import handle_text

if TYPE_CHECKING:
    from rserpool.core.registrar import Registrar


def of_node(node: Any) -> Iterator[Metric]:
    """What any role has: its channels."""
    came, sent, done, under_way = Counter[str](), Counter[str](), dict[tuple[str, ...], float](), Counter[str]()
    for name, channel in node.channels.items():
        came[name], sent[name] = channel.came, channel.sent
        if channel.tls is not None:
            handshakes = channel.tls.channel.handshakes
            done[name, "completed"], done[name, "failed"] = handshakes.completed, handshakes.failed
            under_way[name] = handshakes.under_way + handshakes.waiting
    yield by_label("counter", "rserpool_received_bytes", "Bytes of messages received.", "protocol", came)
    yield by_label("counter", "rserpool_sent_bytes", "Bytes of messages sent.", "protocol", sent)
    text = "TLS handshakes that are over, by result."
    yield Metric("counter", "rserpool_tls_handshakes", text, ("protocol", "result"), done)
    text = "TLS handshakes under way, or waiting for their turn."
    yield by_label("gauge", "rserpool_tls_handshakes_under_way", text, "protocol", under_way)
    yield gauge("rserpool_paths_down", "SCTP paths to peers that are down.", node.paths.down)


def of_registrar(registrar: Registrar, running: bool) -> Iterator[Metric]:
    """What a registrar has."""
    prefix, counts, handlespace = "rserpool_registrar_", registrar.counts, registrar.handlespace
    ready = running and registrar.peering.ready
    yield gauge(f"{prefix}ready", "Whether it serves (RFC 5353 section 3.2).", int(ready))
    identity = {identifier_text(registrar.identifier): 1}
    yield by_label("gauge", f"{prefix}info", "Which registrar it is.", "identifier", identity)
    yield gauge(f"{prefix}pools", "Pools in the handlespace.", len(handlespace.pools))
    yield gauge(f"{prefix}handlespace_bytes", "Bytes of all elements.", handlespace.bytes)
    yield _elements(registrar)
    granted = {"new": counts.registered, "again": counts.renewed}
    yield by_label("counter", f"{prefix}registrations", "Registrations granted.", "kind", granted)
    # What has not happened yet is 0: else Prometheus would not see it happen for the first time.
    causes = {cause.name.lower(): 0 for cause in CauseCode}
    causes |= {_cause(cause): number for cause, number in counts.refused.items()}
    yield by_label("counter", f"{prefix}registration_refusals", "Registrations refused.", "cause", causes)
    from rserpool.core.handlespace.changes import Why

    reasons = Counter({why.text: 0 for why in Why})
    for why, number in counts.removed.items():
        reasons[why.text] += number
    yield by_label("counter", f"{prefix}removals", "Elements that left the handlespace.", "reason", reasons)
    yield counter(f"{prefix}resolutions", "Handle resolutions.", counts.resolved)
    yield counter(f"{prefix}unknown_pools", "Handle resolutions that named no pool.", counts.unknown)
    yield counter(f"{prefix}keep_alives", "Keep-alives sent to elements.", counts.asked)
    yield counter(f"{prefix}keep_alive_misses", "Keep-alives that were not answered.", counts.missed)
    text = "Mean time between two keep-alives to one element."
    yield gauge(f"{prefix}keep_alive_interval_seconds", text, registrar.supervision.interval)
    text = "Processor time of one keep-alive and its answer, as measured here."
    yield gauge(f"{prefix}keep_alive_cost_seconds", text, registrar.supervision.shares.cost)
    text = "The part of one core that associations take by themselves, as measured here."
    yield gauge(f"{prefix}associations_share", text, registrar.supervision.shares.fixed)
    text = "The part of one core that both may take."
    yield gauge(f"{prefix}keep_alive_budget", text, registrar.supervision.shares.share)
    from rserpool.core.registrar.counts import DELAYS

    classes = Classes(DELAYS, tuple(counts.delays), counts.delay)
    text = "From a keep-alive to its answer."
    yield Metric("histogram", f"{prefix}keep_alive_round_trip_seconds", text, classes=classes)
    yield gauge(f"{prefix}subscriptions", "Subscriptions to pools.", registrar.answers.subscriptions)
    yield from _among_others(registrar, prefix)


def _among_others(registrar: Registrar, prefix: str) -> Iterator[Metric]:
    takeovers, peers = registrar.peering.takeovers, registrar.peering.peers
    text = "Takeovers that entered a phase (RFC 5353 section 3.5); done: the elements have a new home."
    phases = {phase: 0 for phase in PHASES} | takeovers.entered
    phases.pop("monitored", None)
    yield by_label("counter", f"{prefix}takeovers", text, "phase", phases)
    under_way = {phase: takeovers.phases[phase] for phase in PHASES if phase != "done"}
    yield by_label("gauge", f"{prefix}takeovers_under_way", "Takeovers in a phase now.", "phase", under_way)
    states = Counter({"connected": 0, "silent": 0})
    states.update("silent" if peer.association is None else "connected" for peer in peers)
    yield by_label("gauge", f"{prefix}peers", "Other registrars.", "state", states)
    text = "Other registrars that fell silent, and had not retired."
    yield counter(f"{prefix}peers_lost", text, peers.failures)
    up = {"asap": registrar.clients, "enrp": len(peers.associations)}
    yield by_label("gauge", f"{prefix}associations", "Associations and connections that are up.", "protocol", up)


PHASES = ("claiming", "probing", "yielded", "doubting", "done")


def _elements(registrar: Registrar) -> Metric:
    """By pool and home: the largest pools, and the rest of each home, which has no label C{pool}."""
    handlespace = registrar.handlespace
    numbers, rest = Counter[tuple[str, str]](), Counter[str]()
    for home in handlespace.homes:
        rest[identifier_text(home)] += len(handlespace.owned_by(home))
    for pool in nlargest(LARGEST, handlespace.pools.values(), key=len):
        for home, number in Counter(element.home for element in pool.elements.values()).items():
            numbers[handle_text(pool.handle), identifier_text(home)] += number
            rest[identifier_text(home)] -= number
    for home_text, number in rest.items():
        if number:
            numbers["", home_text] += number
    known = {home for home, _ in Counter(dict(rest)).most_common(LARGEST)} | {
        home for home, _ in Counter(home for _, home in numbers).most_common(LARGEST)
    }
    bounded = Counter[tuple[str, ...]]()
    for (name, home_text), number in numbers.items():
        bounded[name, home_text if home_text in known else ""] += number
    text = "Elements; those of smaller pools together, without a pool."
    return Metric("gauge", "rserpool_registrar_elements", text, ("pool", "home"), bounded)


def _cause(cause: int) -> str:
    try:
        return CauseCode(cause).name.lower()
    except ValueError:
        return f"0x{cause:x}"


def of_element(role: Any) -> Iterator[Metric]:
    """What a pool element has: C{role} is its L{PoolElement<rserpool.core.element.PoolElement>}."""
    registered = {handle_text(handle): int(role.is_registered(handle)) for handle in role.pools[:LARGEST]}
    text = "Whether it is registered in a pool, as far as it knows."
    yield by_label("gauge", "rserpool_element_registered", text, "pool", registered)
    yield gauge("rserpool_element_home", "Whether it has a home registrar.", int(role.home is not None))


def of_user(service: Any, counters: Any) -> Iterator[Metric]:
    """What a user has.

    @param counters: those of the proxy that it is for.
    """
    yield gauge("rserpool_user_home", "Whether it has a registrar.", int(service.home is not None))
    yield gauge("rserpool_user_resolutions_under_way", "Resolutions that wait for an answer.", service.waiting)
    known = {
        handle_text(handle): len(change.elements or ())
        for handle, change in list(service.watched.items())[:LARGEST]
        if change is not None
    }
    yield by_label("gauge", "rserpool_user_elements", "Elements of a pool, as it knows it.", "pool", known)
    if counters is not None:
        yield gauge("rserpool_proxy_connections", "Connections that are relayed now.", counters.open)
        yield counter("rserpool_proxy_accepted", "Connections that were accepted.", counters.accepted)
