"""What other registrars may bring into our handlespace: only what is theirs, and not more than has room."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import PolicyParameter
from rserpool.core.profiles import DEFAULT
from rserpool.core.registrar import Limits
from rserpool.core.wire import enrp
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, element, owned

POOL = b"pool"
UNSEEN = 0xFFFF - sum(int.from_bytes(POOL[at : at + 2], "big") for at in (0, 2)) % 0xFFFF
"""An identifier that no checksum shows: with the pool's handle it is a multiple of 0xffff."""


class HoldingTests(SynchronousTestCase):
    def stage(self, **limits: int) -> PeeringStage:
        return PeeringStage(profile=DEFAULT, limits=Limits(**limits)).ready(P, Q)

    def test_in_anothers_name(self) -> None:
        """An element of Q that P tells of, by an update or in its own table, is not taken; least of all one that no
        audit of Q would ever show."""
        scope = self.stage()
        scope.update(P, POOL, owned(Q, UNSEEN))
        self.assertEqual(scope.elements(POOL), {})
        scope.presence(P, 0x1234)
        table = enrp.PoolEntry(POOL, (owned(Q, UNSEEN), owned(P, 1)))
        scope.hear(P, enrp.HandleTableResponse(P, SERVER, (table,)))
        self.assertEqual(scope.elements(POOL), {1: P})
        scope.update(Q, POOL, owned(Q, UNSEEN))
        self.assertEqual(scope.elements(POOL), {1: P, UNSEEN: Q})

    def test_a_mentors_lies_are_found(self) -> None:
        """Our mentor alone tells of everybody's elements; whoever of them is there is audited, whatever it tells."""
        scope = PeeringStage(P, profile=DEFAULT)
        scope.meet(P, True)
        scope.hear(P, enrp.ListResponse(P, SERVER))
        scope.meet(Q)
        scope.hear(P, enrp.HandleTableResponse(P, SERVER, (enrp.PoolEntry(POOL, (owned(Q, UNSEEN),)),)))
        self.assertEqual(scope.elements(POOL), {UNSEEN: Q})
        scope.hear(Q, enrp.HandleTableResponse(Q, SERVER))
        self.assertEqual(scope.elements(POOL), {})

    def test_of_a_mentor_no_more_than_there_is_room_for(self) -> None:
        """What of its table was not taken is not ours either."""
        scope = PeeringStage(P, limits=Limits(elements=10))
        scope.meet(P, True)
        scope.hear(P, enrp.ListResponse(P, SERVER))
        table = tuple(owned(home, 10 * home + number) for home in (P, Q) for number in range(6))
        scope.hear(P, enrp.HandleTableResponse(P, SERVER, (enrp.PoolEntry(POOL, table),)))
        self.assertEqual(len(scope.elements(POOL)), 9)

    def test_room_is_left_for_ours(self) -> None:
        """In number of pools and elements, and in bytes."""
        large = replace(owned(P, 1), policy=PolicyParameter(1, bytes(1000)))
        for limits, parameter in (
            ({"pools": 100}, owned(P, 1)),
            ({"elements": 100}, owned(P, 1)),
            ({"bytes": 110_000}, large),
        ):
            scope = self.stage(**limits)
            for number in range(200):
                scope.update(P, b"%d" % number, parameter)
            # A tenth, to the element; of bytes, as they come.
            room = range(85, 100) if "bytes" in limits else range(90, 91)
            self.assertIn(len(scope.registrar.handlespace), room)
            scope.up("element")
            [answer] = scope.register("element", POOL, element(1))
            self.assertFalse(answer.rejected)

    def test_of_one_registrar(self) -> None:
        scope = self.stage(elements_per_registrar=10)
        for number in range(1, 20):
            scope.update(P, POOL, owned(P, number))
        scope.update(Q, POOL, owned(Q, 99))
        self.assertEqual(sorted(scope.elements(POOL)), [*range(1, 11), 99])
        scope.update(P, POOL, owned(P, 1), enrp.UpdateAction.DEL_PE)
        scope.update(P, POOL, owned(P, 11))
        self.assertEqual(sorted(scope.elements(POOL)), [*range(2, 12), 99])

    def test_the_length_of_a_handle(self) -> None:
        scope = self.stage(handle_length=8)
        scope.update(P, b"123456789", owned(P, 1))
        scope.update(P, b"12345678", owned(P, 1))
        self.assertEqual(list(scope.registrar.handlespace.pools), [b"12345678"])

    def test_what_has_no_room_is_not_asked_for_again_and_again(self) -> None:
        """Its checksum never agrees with ours: audits rest longer and longer, and begin again when one agrees."""
        scope = self.stage(elements_per_registrar=1)
        asked = 0
        for _ in range(300):
            for message in scope.presence(P, 0x1234):
                if isinstance(message, enrp.HandleTableRequest):
                    asked += 1
                    entry = enrp.PoolEntry(POOL, (owned(P, 1), owned(P, 2)))
                    scope.hear(P, enrp.HandleTableResponse(P, SERVER, (entry,)))
            scope.silence(1.0, Q)
        self.assertLess(asked, 14)
        scope.presence(P)
        self.assertEqual(
            len([each for each in scope.presence(P, 0x1234) if isinstance(each, enrp.HandleTableRequest)]), 1
        )

    def test_once_more_at_once(self) -> None:
        """What was left out the first time may have been for what we had: it is asked for once more without a rest."""
        scope = self.stage(elements_per_registrar=1)
        entry = enrp.PoolEntry(POOL, (owned(P, 1), owned(P, 2)))
        asked = []
        for _ in range(3):
            asked.append(len([each for each in scope.presence(P, 0x1234) if isinstance(each, enrp.HandleTableRequest)]))
            if asked[-1]:
                scope.hear(P, enrp.HandleTableResponse(P, SERVER, (entry,)))
        self.assertEqual(asked, [1, 1, 0])

    def test_what_there_is_room_for_is_asked_for_at_once(self) -> None:
        """However often its checksum differs: all that it has was taken each time."""
        scope = self.stage()
        for number in range(1, 20):
            asked = [each for each in scope.presence(P, 0x1234) if isinstance(each, enrp.HandleTableRequest)]
            self.assertEqual(len(asked), 1)
            scope.hear(P, enrp.HandleTableResponse(P, SERVER, (enrp.PoolEntry(POOL, (owned(P, number),)),)))
