"""rsplib's registrars and ours in one scope: joining, updates, audits, takeovers, and who looks on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from rserpool.core.handlespace.changes import Why
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import enrp
from rserpool.element import PoolElementService
from rserpool.registrar import RegistrarService
from rserpool.user import PoolUserService
from tests.lab.networks import Host
from tests.lab.rsplib import RsplibTests

MULTICAST = ("-enrpannounce=auto", "-asapannounce=off")


@dataclass
class Scope:
    """A registrar of ours with an element, and a user at rsplib's."""

    registrar: RegistrarService
    element: PoolElementService
    their_user: PoolUserService


class RegistrarTests(RsplibTests):
    """What registrars do with each other."""

    async def scope(self, registrar: RegistrarService, ours: Host, theirs: Host, there: Host) -> Scope:
        """With element 1 at ours and rsplib's element 2 at theirs."""
        self.their_element(there, theirs, "echo", 2)
        element = self.our_element(there, ours)
        await element.serve("EchoPool", self.transport(there, 7777), identifier=1)
        return Scope(registrar, element, self.our_user(there, theirs))

    async def both(self, scope: Scope, *identifiers: int) -> None:
        """Wait until both registrars have just these elements."""
        await self.holds(scope.registrar, b"EchoPool", *identifiers)
        await self.resolves(scope.their_user, "EchoPool", *identifiers)

    async def agree(self, registrar: RegistrarService, peer: int = 2) -> None:
        """Three presences of the peer in a row have the checksum that we have of it, and the peer does not audit us."""
        received = self.count(registrar.registrar.peering, "receive")

        def agreed() -> bool:
            expected = registrar.registrar.handlespace.checksum_of(peer)
            sums = [message.checksum for _, message, _ in received if isinstance(message, enrp.Presence)]
            return len(sums) >= 3 and sums[-3:] == [expected] * 3

        await self.until(agreed, "checksums agree")
        await self.until(lambda: not audits(received[-6:]), "no audit any more")

    async def updates(self, scope: Scope) -> None:
        """Updates go both ways: other values, one that leaves, and one that dies."""
        await self.both(scope, 1, 2)
        await self.agree(scope.registrar)
        await scope.element.leave("EchoPool")
        await self.both(scope, 2)
        await self.agree(scope.registrar)

    async def test_ours_joins(self) -> None:
        """Theirs is there with its elements; ours names it as a peer, and downloads what it has."""
        theirs, ours, there = self.networks.hosts(3)
        self.their_registrar(theirs, 2)
        self.their_element(there, theirs, "echo", 2)
        user = self.our_user(there, theirs)
        await self.resolves(user, "EchoPool", 2)
        registrar = await self.our_registrar(ours, 1, theirs)
        await self.until(lambda: registrar.registrar.peering.ready)
        await self.holds(registrar, b"EchoPool", 2)
        element = self.our_element(there, ours)
        await element.serve("EchoPool", self.transport(there, 7777), identifier=1)
        await self.updates(Scope(registrar, element, user))

    async def test_theirs_joins(self) -> None:
        """Ours is there with an element; theirs names it as a peer, and learns by an audit, or a download."""
        ours, theirs, there = self.networks.hosts(3)
        registrar = await self.our_registrar(ours, 1)
        element = self.our_element(there, ours)
        await element.serve("EchoPool", self.transport(there, 7777), identifier=1)
        self.their_registrar(theirs, 2, peers=(ours,))
        user = self.our_user(there, theirs)
        await self.resolves(user, "EchoPool", 1)
        self.their_element(there, theirs, "echo", 2)
        await self.updates(Scope(registrar, element, user))

    async def test_ours_joins_by_multicast(self) -> None:
        theirs, ours, there = self.networks.hosts(3)
        self.their_registrar(theirs, 2, *MULTICAST)
        self.their_element(there, theirs, "echo", 2)
        user = self.our_user(there, theirs)
        await self.resolves(user, "EchoPool", 2)
        registrar = await self.our_registrar(ours, 1, discover=True)
        await self.holds(registrar, b"EchoPool", 2)
        element = self.our_element(there, ours)
        await element.serve("EchoPool", self.transport(there, 7777), identifier=1)
        await self.updates(Scope(registrar, element, user))

    async def test_theirs_joins_by_multicast(self) -> None:
        ours, theirs, there = self.networks.hosts(3)
        registrar = await self.our_registrar(ours, 1, discover=True)
        element = self.our_element(there, ours)
        await element.serve("EchoPool", self.transport(there, 7777), identifier=1)
        self.their_registrar(theirs, 2, *MULTICAST)
        user = self.our_user(there, theirs)
        await self.resolves(user, "EchoPool", 1)
        self.their_element(there, theirs, "echo", 2)
        await self.updates(Scope(registrar, element, user))

    async def test_audits(self) -> None:
        """A difference that was induced at either is found by the checksums, and mended by an audit."""
        ours, theirs, there = self.networks.hosts(3)
        self.their_registrar(theirs, 2)
        registrar = await self.our_registrar(ours, 1, theirs)
        scope = await self.scope(registrar, ours, theirs, there)
        await self.both(scope, 1, 2)
        # We forget what theirs has told us.
        handlespace = registrar.registrar.handlespace
        handlespace.deregister(handlespace.pools[b"EchoPool"].elements[2], Why.DELETED)
        await self.both(scope, 1, 2)
        # Theirs does not hear of an element of ours.
        silenced = self.patch(registrar.registrar.peering, "announce", lambda action, element, dead=False: [])
        await scope.element.serve("other", self.transport(there, 7777), identifier=3)
        silenced.restore()
        await self.resolves(scope.their_user, "other", 3)
        await self.agree(registrar)

    async def test_our_takeover(self) -> None:
        """Theirs is killed: ours takes its elements over, also rsplib's, which answer it from now on."""
        ours, theirs, there = self.networks.hosts(3)
        killed = self.their_registrar(theirs, 2)
        registrar = await self.our_registrar(ours, 1, theirs)
        scope = await self.scope(registrar, ours, theirs, there)
        await self.both(scope, 1, 2)
        killed.signal("KILL")
        await self.until(lambda: homes(registrar) == {1}, "both elements are ours")
        answers = self.count(registrar.registrar.supervision, "acknowledged")
        await self.until(lambda: len([1 for element, _ in answers if element.identifier == 2]) >= 2, "answers")

    async def test_their_takeover(self) -> None:
        """Of three registrars ours is killed: one of theirs takes our element and rsplib's over."""
        *where, there = self.networks.hosts(4)
        ours = await self.our_process(where[0], 1)
        self.their_registrar(where[1], 2, peers=tuple(where[:1]))
        self.their_registrar(where[2], 3, peers=tuple(where[:2]))
        # It knows of no other registrar, and waits for somebody to adopt it.
        element = self.our_element(there, where[0])
        await element.serve("EchoPool", self.transport(there, 7777), identifier=1)
        self.their_element(there, where[0], "echo", 2)
        users = [self.our_user(there, host) for host in where[1:]]
        for user in users:
            await self.resolves(user, "EchoPool", 1, 2)
        ours.signal("KILL")
        await self.until(lambda: element.element.home_identifier in (2, 3), "a new home")
        for user in users:
            while {each.home for each in (await user.resolve("EchoPool", fresh=True)).elements} - {2, 3}:
                await self.pause()
            await self.resolves(user, "EchoPool", 1, 2)

    async def test_the_takeover_that_theirs_never_finishes(self) -> None:
        """Of two registrars ours is killed: theirs waits for itself to end; the next one of ours mends that."""
        first, theirs, second, there = self.networks.hosts(4)
        ours = await self.our_process(first, 1)
        registrar = self.their_registrar(theirs, 2, "-loglevel=4", peers=(first,))
        element = self.our_element(there, first)
        await element.serve("EchoPool", self.transport(there, 7777), identifier=1)
        self.their_element(there, first, "echo", 2)
        user = self.our_user(there, theirs)
        await self.resolves(user, "EchoPool", 1, 2)
        ours.signal("KILL")
        await registrar.says("Initiating takeover of dead peer")
        # However busy this machine is, it waits for what theirs has to tell.
        patient = replace(DEFAULT, max_time_no_response=2.0)
        successor = await self.our_registrar(second, 4, theirs, profile=patient)
        await self.holds(successor, b"EchoPool", 1, 2)
        self.assertEqual({1}, homes(successor))
        await self.until(lambda: homes(successor) == {4}, "elements without a home are taken over")
        await self.until(lambda: element.element.home_identifier == 4, "which the element knows")
        while {each.home for each in (await user.resolve("EchoPool", fresh=True)).elements} != {4}:
            await self.pause()

    async def test_their_table(self) -> None:
        """C{rserpool pools} and C{elements}: theirs tells what it has to somebody who is no registrar."""
        theirs, there = self.networks.hosts(2)
        self.their_registrar(theirs, 2)
        self.their_element(there, theirs, "echo", 7)
        user = self.our_user(there, theirs)
        await self.resolves(user, "EchoPool", 7)
        for name, word in (("pools", "EchoPool"), ("elements", "0x00000007"), ("registrars", "0x00000002")):
            with there:
                process = self.rserpool(name, "--registrar", f"{theirs.addresses[0]}:9901")
            self.assertEqual(0, await process.ended, process.text)
            self.assertIn(word, process.output)

    async def test_hsdump(self) -> None:
        """It poses as a peer, and shows everything that we have."""
        ours, there = self.networks.hosts(2)
        registrar = await self.our_registrar(ours, 1)
        element = self.our_element(there, ours)
        for number in range(1, 6):
            await element.serve(f"pool {number}", self.transport(there, 7777), "least-used:load=0.5", identifier=number)
        await self.holds(registrar, b"pool 5", 5)
        dump = self.rsplib(there, "hsdump", f"{ours.addresses[0]}:9901")
        self.assertEqual(0, await dump.ended)
        for number in range(1, 6):
            self.assertRegex(dump.text, rf"pool {number}")
            self.assertIn(f"$0000000{number}", dump.text)
        self.assertIn("now having 5 pools, 5 PEs", dump.text)


def audits(received: list[tuple[Any, ...]]) -> list[Any]:
    """Which of these messages ask us for our own elements."""
    return [message for _, message, _ in received if isinstance(message, enrp.HandleTableRequest)]


def homes(registrar: RegistrarService) -> set[int]:
    """The registrars that own elements of the pool."""
    return {element.home for element in registrar.registrar.handlespace.pools[b"EchoPool"].elements.values()}
