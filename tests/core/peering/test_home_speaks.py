"""Only its home speaks for an element: in updates, in tables, and by what a table leaves out (RFC 5353 section 3.3)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Notify
from rserpool.core.peering.events import Audited
from rserpool.core.wire import asap, enrp
from rserpool.core.wire.parameters import PoolElementParameter
from tests.conformance import rfc
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, element, owned

POOL = b"pool"


class HomeTests(SynchronousTestCase):
    """Element 1 is P's; Q says something about it. Element 9 is ours."""

    def setUp(self) -> None:
        self.scope = PeeringStage(keep_alives=False).ready(P, Q)
        self.scope.update(P, POOL, owned(P, 1))
        self.scope.up("element")
        self.scope.register("element", POOL, element(9, life=-1))

    def parameter(self, identifier: int = 1) -> PoolElementParameter:
        found = self.scope.registrar.handlespace.find(POOL, identifier)
        assert found is not None
        return found.parameter()

    def table(self, *parameters: PoolElementParameter, more: bool = False) -> list[Any]:
        """Q answers an audit."""
        entries = (enrp.PoolEntry(POOL, parameters),) if parameters else ()
        return self.scope.all_of(Q, enrp.HandleTableResponse(Q, SERVER, entries, more))

    @rfc("5353", "3.3.1", "MUST replace the attributes of the PE")
    def test_change(self) -> None:
        """Another registrar announces other attributes in its name: they stay; from its home they change."""
        before = self.parameter()
        self.assertEqual(self.scope.update(Q, POOL, owned(P, 1, port=99)), [])
        self.assertEqual(self.parameter(), before)
        self.scope.update(P, POOL, owned(P, 1, port=99))
        self.assertEqual(self.parameter(), owned(P, 1, port=99))

    @rfc("5353", "3.6.3", "MUST replace the entry with the copy")
    def test_list(self) -> None:
        """The same in a table, which may name elements of others."""
        self.scope.presence(Q, 0x1234)
        self.table(owned(P, 1, port=99))
        self.assertEqual(self.parameter(), owned(P, 1))

    def test_ours(self) -> None:
        """Nobody tells us of elements of ours: neither of one that we have, nor of one that we do not have."""
        before = self.parameter(9)
        self.scope.presence(Q, 0x1234)
        for identifier in (8, 9):
            self.assertEqual(self.scope.update(Q, POOL, owned(SERVER, identifier, port=99)), [])
        self.table(owned(SERVER, 8, port=99), owned(SERVER, 9, port=99))
        self.assertEqual(self.scope.elements(POOL), {1: P, 9: SERVER})
        self.assertEqual(self.parameter(9), before)

    def test_ours_of_before(self) -> None:
        """What our mentor lists as ours is ours again, if it lives: it is asked, with the H flag."""
        scope = PeeringStage(P)
        scope.meet(P, True)
        scope.hear(P, enrp.ListResponse(P, SERVER))
        entry = enrp.PoolEntry(POOL, (owned(SERVER, 7),))
        effects = scope.all_of(P, enrp.HandleTableResponse(P, SERVER, (entry,)))
        self.assertEqual(scope.elements(POOL), {7: SERVER})
        [peer] = [each for each in scope.dialled(effects) if each not in scope.calls(effects)]
        self.assertEqual((peer.hosts, peer.port), (("10.0.0.1",), 5000))
        scope.up("element", outbound=True)
        self.assertEqual(scope.sent("element", scope.effects), [asap.EndpointKeepAlive(SERVER, POOL, True, 7)])

    @rfc("5353", "3.3.2", "MUST first find the pool and the PE")
    def test_delete(self) -> None:
        """Another registrar says that it is gone: it stays; when its home says so, it is gone."""
        self.assertEqual(self.scope.update(Q, POOL, owned(P, 1), enrp.UpdateAction.DEL_PE), [])
        self.assertEqual(self.scope.elements(POOL), {1: P, 9: SERVER})
        self.scope.update(P, POOL, owned(P, 1), enrp.UpdateAction.DEL_PE)
        self.assertEqual(self.scope.elements(POOL), {9: SERVER})

    @rfc("5353", "3.6.3", 'SHOULD silently remove those "marked" entries')
    def test_omit(self) -> None:
        """An audit of Q marks three elements; one moves to P, one to us, while its table is on the way without them:
        only that which is still Q's is dropped."""
        for identifier in (2, 3, 4):
            self.scope.update(Q, POOL, owned(Q, identifier))
        [request] = self.scope.presence(Q, 0x1234)
        self.assertTrue(request.own_children_only)
        self.scope.update(P, POOL, owned(P, 2))
        self.scope.register("element", POOL, element(3, life=-1))
        self.assertIn(Notify(Audited(Q, 1)), self.table())
        self.assertEqual(self.scope.elements(POOL), {1: P, 2: P, 3: SERVER, 9: SERVER})


class TableTests(SynchronousTestCase):
    """A table takes several responses, and meanwhile elements go, come back, and move."""

    def setUp(self) -> None:
        self.scope = PeeringStage(keep_alives=False).ready(P, Q)
        self.scope.up("element")
        for identifier in range(1, 1001):
            self.scope.register("element", POOL, element(identifier, life=-1))

    def rest(self, own_only: bool) -> tuple[list[int], list[int]]:
        """What the first response had, and what the others have, after these: 998 is gone, 999 went and came back,
        1000 has moved to P."""
        listed: list[list[int]] = []
        more = True
        while more:
            [answer] = self.scope.hear(Q, enrp.HandleTableRequest(Q, SERVER, own_only))
            listed.append([each.identifier for entry in answer.entries for each in entry.elements])
            more = answer.more_to_send
            if len(listed) == 1:
                for identifier in (998, 999):
                    self.scope.tell("element", asap.Deregistration(POOL, identifier))
                self.scope.register("element", POOL, element(999, life=-1))
                self.scope.update(P, POOL, owned(P, 1000))
        return listed[0], [each for response in listed[1:] for each in response]

    @rfc("5353", "3.2.3", "MUST keep track of the progress")
    def test_gone(self) -> None:
        """What is gone is left out; what came back was announced; who has another home is told with that."""
        first, others = self.rest(False)
        self.assertEqual(first + others, [*range(1, 998), 1000])

    @rfc("5353", "3.6.3", "SHOULD immediately respond with an ENRP_HANDLE_TABLE_RESPONSE")
    def test_of_another(self) -> None:
        """Of our own elements alone (W=1) that which has moved is left out as well."""
        first, others = self.rest(True)
        self.assertEqual(first + others, [*range(1, 998)])
