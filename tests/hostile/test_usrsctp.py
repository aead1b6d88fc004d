"""The hostile inputs, and some mutated messages, against a registrar in a process of its own over usrsctp."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from rserpool.sctp.base import PPID_ASAP, PPID_ENRP
from tests.hostile.arena import ELEMENT, POOL, SERVER
from tests.hostile.inputs import inputs
from tests.hostile.neighbourhood import Neighbourhood
from tests.processes.harness import free_address


class HostileTests:
    """What a registrar survives, over any SCTP."""

    timeout = 240
    backend = "usrsctp"
    messages = 2000

    def hosts(self) -> tuple[str, str, str]:
        """Local addresses for two registrars, and for everybody else."""
        return free_address(), free_address(), free_address()

    async def begin(self) -> Neighbourhood:
        neighbourhood = Neighbourhood(reactor, self.backend, self.hosts())
        self.addCleanup(neighbourhood.stop)  # type: ignore[attr-defined]
        await neighbourhood.start()
        return neighbourhood

    async def suffer(self, ppid: int) -> None:
        neighbourhood = await self.begin()
        for hostile in inputs(neighbourhood.hosts[2], POOL, ELEMENT, SERVER):
            if hostile.ppid == ppid:
                await neighbourhood.suffer(hostile)

    async def test_asap(self) -> None:
        """What kills rsplib's registrar, and more of the kind."""
        await self.suffer(PPID_ASAP)

    async def test_enrp(self) -> None:
        """The same from somebody who claims to be a registrar."""
        await self.suffer(PPID_ENRP)

    async def test_mutated(self) -> None:
        """Mutated messages over real associations (C{python -m tests.hostile.run} sends more)."""
        neighbourhood = await self.begin()
        # Over ASAP nobody touches what is another's; whoever speaks ENRP may, for a moment.
        await neighbourhood.attack(self.messages // 2, (PPID_ASAP,))
        await neighbourhood.attack(self.messages // 2)
        neighbourhood.grown()


class UsrsctpTests(HostileTests, TestCase):
    """Over usrsctp."""
