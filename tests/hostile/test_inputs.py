"""Each input that kills others, against a registrar in memory: nobody else notices."""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.sctp.base import PPID_ASAP
from tests.hostile.arena import ELEMENT, POOL, SERVER, STRANGERS, Arena
from tests.hostile.inputs import Input, inputs


class InputTests(SynchronousTestCase):
    """A registrar that goes on, an element that stays, a user that is answered."""

    def against(self, hostile: Input) -> None:
        asap = hostile.ppid == PPID_ASAP
        arena = Arena(1, lanes=("asap",) if asap else ("enrp",))
        self.addCleanup(arena.close)
        stranger = (arena.asap_strangers if asap else arena.enrp_strangers)[0]
        address = TransportAddress((arena.home.host,), 3863 if asap else 9901, 9899)
        for data in hostile.messages:
            arena.last = data
            if not stranger.associations:
                arena.endpoints[stranger].connect(address)
                arena.advance(0.1)
            stranger.associations[0].send(data, hostile.ppid)
            arena.advance(0.01)
        arena.advance(2.0)
        arena.check()
        arena.quiet()


def _add_tests() -> None:
    for hostile in inputs(STRANGERS[0], POOL, ELEMENT, SERVER):

        def test(self: InputTests, hostile: Input = hostile) -> Any:
            self.against(hostile)

        name = "test_" + re.sub(r"\W+", "_", hostile.name).lower()
        setattr(InputTests, name, test)


_add_tests()
