"""Our elements at rsplib's registrar, and every policy that both know, at either registrar."""

from __future__ import annotations

from rserpool.core import PoolElementParameter
from rserpool.core.policies import POLICIES, parse
from rserpool.user import PoolUserService
from tests.lab.rsplib import RsplibTests

THEIR_POLICIES = {
    "RoundRobin": "RR",
    "WeightedRoundRobin:7": "WRR:weight=7",
    "Random": "RAND",
    "WeightedRandom:8": "WRAND:weight=8",
    "Priority:9": "PRIO:priority=9",
    "LeastUsed": "LU",
    "LeastUsedDegradation:0.25": "LUD:degradation=0.25",
    "PriorityLeastUsed:0.25": "PLU:degradation=0.25",
    "RandomizedLeastUsed": "RLU",
    "RandomizedPriorityLeastUsed": "RPLU",
    "PriorityLeastUsedDegradation:0.5": "PLUD:degradation=0.5",
    "WeightedRandomDPF:5:0.001": "WRAND-DPF:weight=5,weight-dpf=0.001",
    "LeastUsedDPF:0.001": "LU-DPF:load-dpf=0.001",
    "LeastUsedDegradationDPF:0.25:0.001": "LUD-DPF:degradation=0.25,load-dpf=0.001",
}
"""As the command line of rspserver has them (it has none for RLUD and RPLUD), and as ours has the same."""
MILLISECONDS = 60
"""Each way between two sites."""


class OurElementTests(RsplibTests):
    """An element of ours, and rsplib's registrars."""

    async def found(self, user: PoolUserService, pool: str) -> PoolElementParameter:
        """The one element of a pool, as rsplib's registrar tells it."""
        [element] = (await user.resolve(pool, fresh=True)).elements
        return element

    async def test_a_life(self) -> None:
        """It registers, acknowledges keep-alives, registers again with other values, and deregisters."""
        where, there, elsewhere = self.networks.hosts(3)
        self.their_registrar(where, 2)
        element = self.our_element(there, where)
        transport = self.transport(there, 7777)
        await element.serve("pool", transport, "weighted-round-robin:weight=5", identifier=0x77)
        usual = self.count(element.element._asked, "as_usual")
        user = self.our_user(elsewhere, where)
        # Its registrar knows no subscriptions, so it asks now and then.
        watched = self.watch(user)
        await watched.holds(0x77)
        found = await self.found(user, "pool")
        self.assertEqual((0x77, 2, transport), (found.identifier, found.home, found.user_transport))
        self.assertEqual(b"\0\0\0\5", found.policy.data)
        # Its keep-alives come each 400 ms, and it waits 2.5 s for an answer.
        await self.until(lambda: len(usual) >= 5, "keep-alives")
        self.assertEqual(2, element.element.home_identifier)
        self.assertEqual(found, await self.found(user, "pool"))
        element.change("pool", policy="weighted-round-robin:weight=6")
        while (await self.found(user, "pool")).policy.data != b"\0\0\0\6":
            await self.pause()
        await element.leave("pool")
        await self.resolves(user, "pool")
        await watched.holds()

    async def test_taken_over(self) -> None:
        """Its home is killed; of the two that are left, one becomes its home, and it says so there."""
        hosts = self.networks.hosts(4)
        *where, there = hosts
        first, *others = (
            self.their_registrar(host, number, peers=tuple(where[: number - 1])) for number, host in enumerate(where, 1)
        )
        # The second and third have their elements from the first.
        element = self.our_element(there, where[0])
        await element.serve("pool", self.transport(there, 7777), identifier=0x77)
        users = [self.our_user(there, host) for host in where[1:]]
        for user in users:
            await self.resolves(user, "pool", 0x77)
        first.signal("KILL")
        await self.until(lambda: element.element.home_identifier in (2, 3), "a new home")
        for user in users:
            await self.resolves(user, "pool", 0x77)
        await element.leave("pool")
        for user in users:
            await self.resolves(user, "pool")

    async def test_life_at_replicas(self) -> None:
        """What rsplib's registrars tell each other about lives is milliseconds: a short one ends at once."""
        home, replica, there = self.networks.hosts(3)
        self.their_registrar(home, 1)
        self.their_registrar(replica, 2, peers=(home,))
        element = self.our_element(there, home)
        at_home, at_replica = self.our_user(there, home), self.our_user(there, replica)
        await element.serve("long", self.transport(there, 7777), identifier=0x77)
        await self.resolves(at_replica, "long", 0x77)
        # 60 s, or so one thinks
        await element.serve("short", self.transport(there, 7777), identifier=0x78, life=60)
        await self.resolves(at_home, "short", 0x78)
        await self.resolves(at_replica, "short")
        self.assertEqual(0x77, (await self.found(at_replica, "long")).identifier)
        self.assertEqual(0x78, (await self.found(at_home, "short")).identifier)


class PolicyTests(RsplibTests):
    """Policies and their values."""

    async def test_theirs_here(self) -> None:
        """Elements of rsplib with each policy, at our registrar."""
        where, there = self.networks.hosts(2)
        registrar = await self.our_registrar(where, 1)
        for number, (text, expected) in enumerate(THEIR_POLICIES.items(), 1):
            self.their_element(there, where, "echo", number, f"-policy={text}", f"-poolhandle={number}")
            pool = b"%d" % number
            await self.holds(registrar, pool, number)
            parsed = parse(expected)
            found = registrar.registrar.handlespace.pools[pool]
            self.assertEqual(parsed.policy, found.policy, text)
            for value, wanted in zip(found.elements[number].values, parsed.values.values(), strict=True):
                self.assertLessEqual(abs(value - wanted), 1, text)  # fractions are rounded in other ways

    async def test_ours_there(self) -> None:
        """Elements of ours with each policy, at rsplib's registrar, and what it tells users and our registrar."""
        where, peer, there = self.networks.hosts(3)
        self.their_registrar(where, 2)
        registrar = await self.our_registrar(peer, 1, where)
        user = self.our_user(there, where)
        element = self.our_element(there, where)
        values = {number: tuple(range(7, 7 + len(policy.fields))) for number, policy in POLICIES.items()}
        for number, policy in POLICIES.items():
            parsed = parse(policy.name)
            parsed.values.update(zip(policy.fields, values[number], strict=True))
            await element.serve(policy.abbreviation, self.transport(there, 7777), parsed, identifier=number)
        for number, policy in POLICIES.items():
            if "distance" in policy.fields:
                values[number] = (*values[number][:-1], 0)  # which it measures
            found = await user.resolve(policy.abbreviation)
            self.assertEqual(number, found.policy)
            [told] = found.elements
            self.assertEqual((number, values[number]), (told.policy.type, policy.decode(told.policy.data)))
            await self.holds(registrar, policy.abbreviation.encode(), number)
            pool = registrar.registrar.handlespace.pools[policy.abbreviation.encode()]
            self.assertEqual(values[number], pool.elements[number].values)

    async def test_distance(self) -> None:
        """Each registrar tells a far element from a near one, and the other's from its own."""
        near, far = self.networks.hosts(2)
        self.networks.netem(0, far, "delay", f"{MILLISECONDS}ms")
        ours = await self.our_registrar(near, 1)
        policy = "-policy=LeastUsedDPF:0.001"
        self.their_element(far, near, "echo", 1, policy)
        self.their_element(near, near, "echo", 2, policy)
        await self.holds(ours, b"EchoPool", 1, 2)
        pool = ours.registrar.handlespace.pools[b"EchoPool"]
        # The first keep-alive and its acknowledgement tell how far it is.
        await self.until(lambda: {each.identifier: each.values[2] for each in pool.elements.values()} == {1: 50, 2: 0})
        self.assertEqual([2, 1], [element.identifier for element in pool.peek()])
