"""What of a registrar's settings can be changed while it runs, without anybody noticing."""

from __future__ import annotations

from collections.abc import Sequence

from rserpool.core.addresses import TransportAddress
from rserpool.core.handlespace.limits import Limits
from rserpool.core.registrar import registrar as core
from rserpool.node.node import Node, NodeChannel
from rserpool.registrar.securing import RegistrarSecurity


def changed(
    registrar: core.Registrar,
    node: Node,
    security: RegistrarSecurity,
    *,
    peers: Sequence[TransportAddress] | None = None,
    limits: Limits | None = None,
    suggest_takeover: bool | None = None,
) -> None:
    """Go by these from now on; None leaves a setting as it is.

    @param peers: who is new is dialled; who is not named any more is a peer as long as it is there.
    @param limits: what was accepted stays; how many TCP connections one machine has, and the rates of those who are
        there, are as they were.
    """
    if limits is not None:
        registrar.change_limits(limits)
        for channel in node.channels.values():
            guests = getattr(channel, "guests", None)
            if guests is not None:
                guests.change(limits.associations, limits.associations_per_machine)
    if suggest_takeover is not None:
        registrar.peering.suggest = suggest_takeover
    enrp = node.channels.get("enrp")
    if peers is not None and isinstance(enrp, NodeChannel):
        named = tuple(map(security.peer, peers))
        enrp.name(named)
        node.perform(registrar.peering.reconfigure(named))
