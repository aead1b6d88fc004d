"""Other registrars of this host that do not know ours: scopes of different people stay apart, but not in silence."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from rserpool.core.addresses import TransportAddress
from rserpool.core.peering.peers import PeerList
from rserpool.node.neighbours import ask, beside
from rserpool.sctp.interfaces import ISctpStack

PATIENCE = 1.0
"""Seconds for their answers, and once more: by then whoever is configured has found its peers."""


async def look_around(
    reactor: Any, stack: ISctpStack, own: TransportAddress, identifier: int, peers: PeerList, log: Logger
) -> None:
    """Find registrars of this host once, and tell of those that are none of our peers by then.

    @param own: where we speak ENRP.
    @param identifier: our server identifier.
    @param peers: those of our peers, as they are when it is asked.
    """
    answers = await ask(reactor, stack, beside(own), PATIENCE, own.hosts)
    await deferLater(reactor, PATIENCE)
    for other, answer in {answer.identifier: answer for answer in reversed(answers)}.items():
        if other is None or other == identifier or other in peers or identifier in answer.peers:
            continue
        log.error(
            "another registrar of this host, 0x{other:08x}, does not know this one: these are two scopes, and none has "
            "the elements of the other. To join them, start this one with --peer {where}",
            other=other,
            where=str(answer.address),
        )
