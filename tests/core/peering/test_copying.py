"""What a mentor tells is taken in rows, where that is the same as to decode it (RFC 5353 section 3.2.3)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PoolElementParameter, SctpTransport, TcpTransport, UdpTransport
from rserpool.core.access import State
from rserpool.core.identity import Identity
from rserpool.core.registrar import Limits
from rserpool.core.registrar.observing import Observed
from rserpool.core.wire import enrp, tlv
from rserpool.core.wire.enrp import PoolEntry
from rserpool.core.wire.parameters import OpaqueTransport, PolicyParameter, UserTransport, encode_pool_element
from tests.core.peering.secured import REGISTRARS, WEB, access
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, owned
from tests.work import calls

POOL = b"pool"
POLICIES = ("round-robin", "weighted-random:weight=3", "least-used:load=0.5", "lu-dpf:load=0.5,load-dpf=0.1,distance=7")


class OneByOne(PeeringStage):
    """Each table is decoded."""

    at_once = False


def joining(kind: type[PeeringStage] = PeeringStage, **options: Any) -> PeeringStage:
    """A registrar that has found its mentor, P, and has asked it for the table."""
    stage = kind(P, **options)
    if "access" in options:
        stage.proved = {number: (identity,) for number, identity in REGISTRARS.items()}
    stage.meet(P, outbound=True)
    asked = stage.hear(P, enrp.ListResponse(P, SERVER))
    assert asked == [enrp.HandleTableRequest(SERVER, P)], asked
    return stage


def drawn(random: Random, identifier: int, policy: str) -> PoolElementParameter:
    """An element: most are as nearly all are."""
    address = f"{random.choice(('10.0.0', '127.0.0', '192.168.1'))}.{random.randrange(1, 9)}"
    port = random.randrange(65536)
    transports: list[UserTransport] = [TcpTransport(port, address)] * 400
    transports += [SctpTransport(port, use, (address,)) for use in (0, 1)]
    transports += [TcpTransport(port, "2001:db8::1"), UdpTransport(port, address), OpaqueTransport(b"anything")]
    transports.append(SctpTransport(port, 0, (address, "10.9.9.9")))
    odd = [PolicyParameter(0x7777, data) for data in (b"what", b"odd")]
    plain = owned(random.choice((P, P, P, Q, R, 0, SERVER)), identifier, random.choice((policy,) * 200 + POLICIES))
    at = random.choice((plain.asap_transport, None, SctpTransport(port, 1, (address, "10.9.9.9"))))
    return replace(
        plain,
        life=random.choice((60, 3600, -1)),
        user_transport=random.choice(transports),
        asap_transport=at,
        policy=random.choice([plain.policy] * 100 + odd),
        encapsulation=random.choice((0, port)),
        framing=random.choice((0, 1)),
        owner=random.choice((None, None, WEB, Identity("dns", "a.example"), Identity("psk", "four"))),
    )


def tables(seed: int, pieces: int = 5) -> list[enrp.HandleTableResponse]:
    """A mentor's table."""
    random = Random(seed)
    handles = dict(zip((POOL, b"other", b"", b"x" * 40), POLICIES, strict=True))
    told = []
    for piece in range(pieces):
        entries = tuple(
            PoolEntry(handle, tuple(drawn(random, random.randrange(1, 200), handles[handle]) for _ in range(20)))
            for handle in random.choices([*handles], k=5)
        )
        told.append(enrp.HandleTableResponse(P, SERVER, entries, more_to_send=piece < pieces - 1))
    return told


def state(stage: PeeringStage) -> Any:
    """All that a registrar knows."""
    space = stage.registrar.handlespace
    pools = {
        handle: (
            pool.policy.number,
            sorted(pool.scopes.items()),
            [each.identifier for each in pool.elements.values()],
            [
                (each.identifier, each.wire, each.owner, each.home, each.life, each.values, each.scopes, each.since)
                for each in pool.peek()
            ],
        )
        for handle, pool in space.pools.items()
    }
    homes = {home: (space.checksum_of(home), list(map(repr, space.owned_by(home)))) for home in space.homes}
    return pools, homes, len(space), space.bytes, space._held


class TwinTests(SynchronousTestCase):
    """One registrar takes rows, another one decodes: they know the same, and do the same."""

    def compare(self, seed: int, **options: Any) -> None:
        twins = self.told(*tables(seed), **options)
        self.assertTrue(all(stage.peering.ready for stage in twins))

    def told(self, *pieces: enrp.HandleTableResponse, **options: Any) -> tuple[PeeringStage, PeeringStage]:
        options["round_trip"] = lambda association: 0.2
        twins = joining(**options), joining(OneByOne, **options)
        for table in pieces:
            for stage in twins:
                stage.effects.clear()
                stage.hear(P, table)
            self.assertEqual(state(twins[0]), state(twins[1]))
            kinds = [sorted(str(type(each)) for each in stage.effects) for stage in twins]
            self.assertEqual(kinds[0], kinds[1])
        return twins

    def test_any_table(self) -> None:
        for seed in range(20):
            self.compare(seed)

    def test_where_little_fits(self) -> None:
        for seed, limits in enumerate(
            (Limits(elements=50), Limits(elements_per_pool=10), Limits(elements_per_registrar=20), Limits(bytes=4000))
        ):
            self.compare(seed, limits=limits)

    def test_of_a_pool_that_ends(self) -> None:
        """It is large, so that it goes bit by bit: nothing joins it any more."""
        many = PoolEntry(POOL, tuple(owned(P, each, POLICIES[1]) for each in range(1, 301)))
        other = PoolEntry(POOL, (owned(P, 301),))
        late = PoolEntry(POOL, tuple(owned(P, each, POLICIES[1]) for each in range(302, 310)))
        self.told(*(enrp.HandleTableResponse(P, SERVER, (each,), True) for each in (many, other, late)))

    def test_of_a_secured_scope(self) -> None:
        for seed in range(5):
            self.compare(seed, access=access())
            self.compare(seed, access=access(state=State.OFFERED))


class UpdateTests(SynchronousTestCase):
    """The same for what peers announce."""

    def test_any(self) -> None:
        for seed, options in enumerate([{}] * 10 + [{"access": access()}] * 3 + [{"limits": Limits(elements=30)}]):
            twins = [self.ready(kind, dict(options)) for kind in (PeeringStage, OneByOne)]
            random = Random(seed)
            for _ in range(150):
                handle, policy = random.choice(((POOL, POLICIES[0]), (b"other", POLICIES[1])))
                element, sender = drawn(random, random.randrange(1, 40), policy), random.choice((P, Q))
                element = replace(element, home=random.choice([sender] * 20 + [P, 0, SERVER]))
                action, receiver = random.choice((0, 0, 1)), random.choice((0, 0, 0, SERVER, R))
                suggested = random.random() < 0.1
                for stage in twins:
                    stage.effects.clear()
                    stage.all_of(sender, enrp.HandleUpdate(sender, receiver, action, handle, element, suggested))
                self.assertEqual(state(twins[0]), state(twins[1]))
                kinds = [[str(type(each)) for each in stage.effects] for stage in twins]
                self.assertEqual(kinds[0], kinds[1])

    def ready(self, kind: type[PeeringStage], options: dict[str, Any]) -> PeeringStage:
        stage = kind(round_trip=lambda association: 0.2, **options)
        if "access" in options:
            stage.proved = {number: (identity,) for number, identity in REGISTRARS.items()}
        return stage.ready(P, Q)

    def test_known(self) -> None:
        """A new one in a pool that is there, and one that leaves."""
        stage = PeeringStage().ready(P)
        for action in (0, 1):
            data = enrp.encode(enrp.HandleUpdate(P, 0, action, POOL, owned(P, 1)))
            self.assertIsNotNone(stage.enrp.at_once(P, data, stage.now))
            self.assertEqual(len(stage.registrar.handlespace), 1 - action)

    def tell(self, stage: PeeringStage, data: bytes) -> None:
        if not stage.at_once or stage.enrp.at_once(P, data, stage.now) is None:
            stage.enrp.receive(P, enrp.decode(data).message, stage.now)

    def test_less_work(self) -> None:
        """Than to decode it."""
        works = []
        for kind in (PeeringStage, OneByOne):
            stage = kind().ready(P)
            stage.update(P, POOL, owned(P, 1))
            data = enrp.encode(enrp.HandleUpdate(P, 0, 0, POOL, owned(P, 2)))
            works.append(calls(partial(self.tell, stage, data)))
        self.assertLess(1.5 * works[0], works[1])


class WorkTests(SynchronousTestCase):
    def table(self, **changed: Any) -> enrp.HandleTableResponse:
        elements = tuple(replace(owned(P, each), **changed) for each in range(1, 401))
        return enrp.HandleTableResponse(P, SERVER, (PoolEntry(POOL, elements),), more_to_send=True)

    def work(self, table: enrp.HandleTableResponse, kind: type[PeeringStage] = PeeringStage) -> int:
        data, stage = enrp.encode(table), joining(kind)

        def take() -> None:
            if not kind.at_once or stage.enrp.at_once(P, data, stage.now) is None:
                stage.enrp.receive(P, enrp.decode(data).message, stage.now)

        work = calls(take)
        self.assertEqual(len(stage.registrar.handlespace), 400)
        return work

    def test_less_than_half(self) -> None:
        """Of the work of decoding; with an owner, too."""
        for table in (self.table(), self.table(owner=WEB)):
            self.assertLess(2 * self.work(table), self.work(table, OneByOne))


class WhenTests(SynchronousTestCase):
    """Only a table of the mentor's, and only one that says nothing else."""

    table = enrp.HandleTableResponse(P, SERVER, (PoolEntry(POOL, (owned(P, 1), owned(P, 2))),), more_to_send=True)

    def at_once(self, stage: PeeringStage, data: bytes, sender: int = P) -> Any:
        return stage.enrp.at_once(sender, data, stage.now)

    def test_the_mentors(self) -> None:
        [request] = PeeringStage.to(P, self.at_once(joining(), enrp.encode(self.table)))
        self.assertEqual(request, enrp.HandleTableRequest(SERVER, P))

    def test_not_of_another(self) -> None:
        stage = joining()
        stage.meet(Q)
        self.assertIsNone(self.at_once(stage, enrp.encode(replace(self.table, sender=Q)), Q))
        self.assertIsNone(self.at_once(stage, enrp.encode(self.table), Q))

    def test_not_when_ready(self) -> None:
        self.assertIsNone(self.at_once(PeeringStage().ready(P), enrp.encode(self.table)))

    def test_nothing_else(self) -> None:
        """What is rejected, cut short, of an unknown kind, too much, or to be reported is decoded."""
        unknown = tlv.parameter(0xC123, b"what")
        inside = enrp.encode_handle_table_response(P, SERVER, [(POOL, [self._with(unknown)])])
        whole = enrp.encode(self.table)
        late = bytearray(whole)
        late[2:4] = (len(whole) + len(unknown)).to_bytes(2, "big")
        for data in (
            enrp.encode(replace(self.table, entries=(), rejected=True)),
            enrp.encode(enrp.Presence(P, SERVER, 0)),
            whole[:-4],
            whole[:40],
            bytes(late) + unknown,
            inside,
            enrp.encode(self._many(513)),
            bytes(late[:12]) + whole[20:] + bytes(8 + len(unknown)),
        ):
            self.assertIsNone(self.at_once(joining(), data), data)
        self.assertIsNotNone(self.at_once(joining(), enrp.encode(self._many(512))))

    def _with(self, more: bytes) -> bytes:
        """An element with something behind it."""
        whole = encode_pool_element(owned(P, 3)) + more
        return whole[:2] + len(whole).to_bytes(2, "big") + whole[4:]

    def _many(self, number: int) -> enrp.HandleTableResponse:
        elements = tuple(owned(P, each) for each in range(1, number + 1))
        return replace(self.table, entries=(PoolEntry(POOL, elements),))


class LookingOnTests(SynchronousTestCase):
    def test_each_is_told(self) -> None:
        """Whoever looks on hears of each element."""
        stage = joining()
        stage.registrar.observer.on = True
        stage.hear(P, WhenTests.table)
        seen = [each.identifier for each in stage.notified(stage.effects, Observed)]
        self.assertEqual(sorted(seen), [1, 2])
