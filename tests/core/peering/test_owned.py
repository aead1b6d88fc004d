"""The owner of an element: registrars tell each other, and users never hear of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Send
from rserpool.core.access import State, access_by_keys
from rserpool.core.identity import Identity
from rserpool.core.wire import asap, enrp
from tests.core.peering.stage import P, PeeringStage, Q, element, owned

POOL = b"pool"
WEB = Identity("psk", "web")


class OwnedTests(SynchronousTestCase):
    """An element of P, which told its owner."""

    def setUp(self) -> None:
        self.stage = PeeringStage().ready(P, Q)
        self.stage.update(P, POOL, replace(owned(P, 7), owner=WEB))

    def owner(self) -> Identity | None:
        found = self.stage.registrar.handlespace.find(POOL, 7)
        assert found is not None
        return found.owner

    def table(self, identifier: int) -> Any:
        (response,) = self.stage.hear(identifier, enrp.HandleTableRequest(identifier, 0x5E12))
        return response.entries[0].elements[0]

    def test_told_to_registrars(self) -> None:
        self.assertEqual((WEB, WEB), (self.owner(), self.table(Q).owner))

    def test_not_to_who_does_not_know_private_parameters(self) -> None:
        stage = PeeringStage()
        stage.private = False
        stage.ready(P, Q)
        stage.update(P, POOL, replace(owned(P, 7), owner=WEB))
        self.stage = stage
        self.assertEqual((WEB, None), (self.owner(), self.table(Q).owner))

    def test_users_never_hear_of_it(self) -> None:
        answer = self.stage.request()
        self.assertEqual([7], [each.identifier for each in answer.elements])
        effects = self.stage.registrar.receive("user", asap.HandleResolution(POOL), self.stage.now)
        wires = [each.message for each in effects if isinstance(each, Send)]
        self.assertFalse([wire for wire in wires if b"web" in wire])

    def test_it_survives_a_takeover(self) -> None:
        self.stage.lose(P)
        self.stage.all_of(Q, enrp.TakeoverServer(Q, 0, P))
        self.assertEqual((WEB, {7: Q}), (self.owner(), self.stage.elements(POOL)))
        effects = self.stage.all_of(Q, enrp.TakeoverServer(Q, 0, Q))
        self.assertEqual(WEB, self.owner(), effects)

    def test_a_registrar_that_does_not_know_it_takes_it_over(self) -> None:
        """While TLS is offered: what it owns has no owner, until the element registers again at one that knows it."""
        stage = self.stage = PeeringStage(access=access_by_keys([], ["web"], State.OFFERED)).ready(P)
        stage.update(P, POOL, replace(owned(P, 7), owner=WEB))
        stage.private = False
        stage.ready(Q)
        stage.lose(P)
        stage.all_of(Q, enrp.TakeoverServer(Q, 0, P))
        stage.presence(Q, 0x1234)
        stage.hear(Q, enrp.HandleTableResponse(Q, 0x5E12, (enrp.PoolEntry(POOL, (owned(Q, 7),)),)))
        self.assertEqual((None, {7: Q}), (self.owner(), stage.elements(POOL)))
        self.assertEqual(1, stage.registrar.in_the_clear.elements)
        stage.up("pe", credentials=(WEB,))
        (answer,) = stage.register("pe", POOL, element(7))
        self.assertEqual((False, WEB), (answer.rejected, self.owner()))

    def test_what_an_element_sends_counts_for_nothing(self) -> None:
        self.stage.up("pe")
        self.stage.register("pe", POOL, replace(element(8), owner=WEB))
        found = self.stage.registrar.handlespace.find(POOL, 8)
        assert found is not None
        self.assertIsNone(found.owner)

    def test_the_home_changes_it(self) -> None:
        self.stage.update(P, POOL, replace(owned(P, 7), owner=Identity("psk", "new")))
        self.assertEqual(Identity("psk", "new"), self.owner())
