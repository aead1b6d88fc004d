"""What the download of a handle table costs, whoever asks for it (RFC 5353 sections 3.2.3 and 3.6.3)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import TransportAddress
from rserpool.core.addresses import ENRP_PORT
from rserpool.core.authority import MOST_OF_A_MACHINE
from rserpool.core.deadlines import Deadlines
from rserpool.core.peering.table import BUSY, MOST_LOOKING, MOST_SESSIONS, PAUSE, TableSessions
from rserpool.core.wire import asap, enrp
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, owned
from tests.work import calls

POOL = b"pool"


class TableTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.scope = PeeringStage().ready(P)
        self.grow(1, 1_000)
        self.scope.update(P, b"small", owned(P, 1))
        self.scope.up("user", host="10.0.9.9")

    def grow(self, first: int, last: int) -> None:
        """These elements come, each in a pool of its own."""
        for number in range(first, last + 1):
            self.scope.update(P, b"%d" % number, owned(P, number))

    def come(self, association: Any, host: str) -> None:
        self.scope.enrp.association_up(association, TransportAddress((host,), ENRP_PORT), self.scope.now)

    def ask(self, association: Any, sender: int) -> Any:
        request = enrp.HandleTableRequest(sender, SERVER)
        [answer] = self.scope.to(association, self.scope.enrp.receive(association, request, self.scope.now))
        return answer

    def work(self, number: int) -> int:
        """Of a stranger who asks anew."""
        self.come(number, "10.0.8.8")
        request = enrp.HandleTableRequest(0, SERVER)
        work = calls(lambda: self.scope.enrp.receive(number, request, self.scope.now))
        self.scope.enrp.association_lost(number, self.scope.now)
        return work

    def test_however_many_elements_there_are(self) -> None:
        """To begin a download is no more work with four times as many elements, and less than 200 resolutions."""
        before = self.work(0)
        self.grow(1_001, 4_000)
        self.assertLess(self.work(1), 1.1 * before)
        resolution = asap.HandleResolution(b"small")
        self.assertLess(before, 200 * calls(lambda: self.scope.registrar.receive("user", resolution, self.scope.now)))

    def test_however_many_are_gone(self) -> None:
        """A response looks at so many elements, also where none of them is there any more."""
        self.come("slow", "10.0.8.8")
        self.ask("slow", 0)
        pools = self.scope.registrar.handlespace.pools
        for number in range(1_001, 6_000):
            self.scope.update(P, POOL, owned(P, number))
        self.come("late", "10.0.8.8")
        answers = [self.ask("late", 0)]
        for element in [each for pool in list(pools.values()) for each in list(pool.elements.values())]:
            self.scope.update(P, element.handle, element.parameter(), enrp.UpdateAction.DEL_PE)
        while answers[-1].more_to_send:
            answers.append(self.ask("late", 0))
        self.assertEqual((len(answers), len(pools)), (4, 0))

    def test_lookers_on_do_not_keep_registrars_from_it(self) -> None:
        """Those who are no registrars have a few downloads; nor does one machine with many registrars have them all."""
        for number in range(2 * MOST_LOOKING):
            self.come(number, f"10.0.8.{number}")
            self.assertEqual(self.ask(number, 0).rejected, number >= MOST_LOOKING)
        begun = 0
        for number in range(2 * MOST_OF_A_MACHINE):
            self.come(1000 + number, "10.0.7.7" if number % 2 else "10.0.6.6")
            self.scope.enrp.receive(1000 + number, enrp.Presence(1000 + number, SERVER), self.scope.now)
            begun += not self.ask(1000 + number, 1000 + number).rejected
        self.assertEqual(begun, MOST_SESSIONS - MOST_LOOKING)
        self.scope.ready(Q)
        self.assertFalse(self.scope.hear(Q, enrp.HandleTableRequest(Q, SERVER))[0].rejected)


class BusyTests(SynchronousTestCase):
    """Clients ask us while a peer downloads."""

    def setUp(self) -> None:
        self.scope = PeeringStage().ready(P)
        for number in range(1, 1_501):
            self.scope.update(P, b"%d" % number, owned(P, number))
        self.scope.up("user", host="10.0.9.9")
        self.request = enrp.HandleTableRequest(P, SERVER)

    def resolve(self, times: int) -> None:
        for _ in range(times):
            self.scope.registrar.receive("user", asap.HandleResolution(b"1"), self.scope.now)

    def tables(self, effects: list[Any]) -> list[Any]:
        return [each for each in self.scope.to(P, effects) if isinstance(each, enrp.HandleTableResponse)]

    def test_there_is_a_pause_between_two_pieces(self) -> None:
        [first] = self.scope.hear(P, self.request)
        self.resolve(BUSY)
        self.assertEqual([], self.scope.hear(P, self.request))
        self.scope.now += 0.9 * PAUSE
        self.assertEqual([], self.tables(self.scope.registrar.tick(self.scope.now)))
        self.scope.now += 0.1 * PAUSE
        [second] = self.tables(self.scope.registrar.tick(self.scope.now))
        self.assertEqual(len({entry.handle for each in (first, second) for entry in each.entries}), 620)
        self.assertTrue(second.more_to_send)

    def test_what_comes_late_makes_the_next_come_sooner(self) -> None:
        """So that it takes no longer where the machine is slow; but there is half a pause at least."""
        for late, pause in ((0.3, 0.7), (2.0, 0.5)):
            self.setUp()
            self.scope.hear(P, self.request)
            self.resolve(BUSY)
            self.scope.hear(P, self.request)
            self.scope.now += (1.0 + late) * PAUSE
            self.assertEqual(1, len(self.tables(self.scope.registrar.tick(self.scope.now))))
            self.resolve(BUSY)
            self.scope.hear(P, self.request)
            self.scope.now += (pause - 0.1) * PAUSE
            self.assertEqual([], self.tables(self.scope.registrar.tick(self.scope.now)))
            self.scope.now += 0.11 * PAUSE
            self.assertEqual(1, len(self.tables(self.scope.registrar.tick(self.scope.now))))

    def test_none_where_few_ask(self) -> None:
        for _ in range(3):
            [answer] = self.scope.hear(P, self.request)
            self.resolve(BUSY - 1)
        self.assertTrue(answer.more_to_send)

    def test_who_leaves_meanwhile_leaves_nothing(self) -> None:
        self.scope.hear(P, self.request)
        self.resolve(BUSY)
        self.scope.hear(P, self.request)
        self.scope.enrp.association_lost(P, self.scope.now)
        self.assertEqual([], self.tables(self.scope.registrar.tick(self.scope.now + PAUSE)))


class FairnessTests(SynchronousTestCase):
    """As many downloads as may be are under way; somebody at another machine wants one more."""

    def test_the_machine_with_the_most_makes_room(self) -> None:
        """One that would have as many with it as that has now waits; one that would have fewer takes a place of it."""
        scope = PeeringStage()
        space = scope.registrar.handlespace
        for identifier in range(1, 1001):
            space.register(POOL, owned(P, identifier))
        for few, admitted in ((30, True), (31, True), (32, False)):
            tables = TableSessions(SERVER, space, Deadlines(), 10.0)
            for number in range(MOST_SESSIONS):
                tables.respond(number, P, False, 0.0, True, "few" if number < few else "many")
            answer = enrp.decode(tables.respond("more", P, False, 0.0, True, "few")).message
            assert isinstance(answer, enrp.HandleTableResponse)
            self.assertEqual((few, answer.rejected), (few, not admitted))
