"""Other registrars of this host that do not know ours: scopes of different people stay apart, but not in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import Logger

from rserpool.core.addresses import TransportAddress
from rserpool.core.peering.peers import PeerList
from rserpool.node.neighbours import ask
from rserpool.sctp.interfaces import ISctpStack

PATIENCE = 1.0
"""Seconds for their answers, and once more: by then whoever is configured has found its peers."""
AGAIN = (0.0, 5.0, 30.0)
"""Seconds before each look: of those that are started in one instant, none may answer yet when another one looks."""


async def look_around(
    reactor: Any,
    stack: ISctpStack,
    places: Callable[[], Iterable[TransportAddress]],
    identifier: int,
    peers: PeerList,
    log: Logger,
    own: tuple[str, ...] = (),
) -> None:
    """Find registrars of this host, a few times, and tell once of those that are none of our peers by then.

    @param places: where they may speak ENRP, as it is now.
    @param identifier: our server identifier.
    @param peers: those of our peers, as they are when it is asked.
    @param own: our addresses from which they are asked.
    """
    told = {None, identifier}
    for pause in AGAIN:
        await deferLater(reactor, pause)
        answers = await ask(reactor, stack, list(places()), PATIENCE, own)
        await deferLater(reactor, PATIENCE)
        for other, answer in {answer.identifier: answer for answer in reversed(answers)}.items():
            if other is None or other in told or other in peers or identifier in answer.peers:
                continue
            told.add(other)
            log.error(
                "another registrar of this host, 0x{other:08x}, does not know this one: these are two scopes, and none "
                "has the elements of the other. To join them, start this one with --peer {where}",
                other=other,
                where=str(answer.address),
            )
