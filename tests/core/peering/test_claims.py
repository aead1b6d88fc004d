"""What claims of other registrars cost, and how long they may delay anything (RFC 5353 section 3.5)."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core import Notify
from rserpool.core.peering.events import TakenOver
from rserpool.core.profiles import DEFAULT
from rserpool.core.wire import enrp
from tests.core.peering.stage import SERVER, P, PeeringStage, Q, R, owned

POOL = b"pool"


class ClaimTests(SynchronousTestCase):
    """P claims and enforces as it likes; the elements are those of Q."""

    def setUp(self) -> None:
        self.scope = PeeringStage(profile=DEFAULT).ready(P, Q, R)
        self.scope.update(Q, POOL, owned(Q, 1))

    def test_claims_about_nobody(self) -> None:
        """They are acknowledged, as they must be, and nothing is kept of them: the last is as cheap as the first."""
        for target in range(1, 5001):
            [answer] = self.scope.hear(P, enrp.InitTakeover(P, SERVER, 0x50000 + target))
            self.assertIsInstance(answer, enrp.InitTakeoverAck)
        self.assertEqual(len(self.scope.peering.takeovers), 0)
        self.assertEqual(self.scope.all_of(P, enrp.TakeoverServer(P, SERVER, 0x50001)), [])

    def test_a_living_peer_is_not_taken_over(self) -> None:
        """It is asked, and answers: nothing has changed, however often that is, and whoever asks is served."""
        for _ in range(50):
            self.scope.all_of(P, enrp.InitTakeover(P, SERVER, Q))
            effects = self.scope.all_of(P, enrp.TakeoverServer(P, SERVER, Q))
            [asked] = self.scope.to(Q, effects, enrp.Presence)
            self.assertTrue(asked.reply_required)
            self.assertEqual(self.scope.elements(POOL), {1: Q})
            self.scope.presence(Q)
            self.scope.presence(P)
            self.scope.pass_time(0.01)
        self.scope.silence(3.0, P, Q, R)
        self.assertEqual(self.scope.elements(POOL), {1: Q})
        self.assertIn(Q, self.scope.peering.peers.connected)

    def test_a_dead_peer_is_taken_over(self) -> None:
        """What seemed to live does not answer: the enforcement is believed then."""
        self.scope.all_of(P, enrp.TakeoverServer(P, SERVER, Q))
        effects = self.scope.silence(DEFAULT.max_time_no_response, P, R)
        self.assertIn(Notify(TakenOver(Q, P, 1)), effects)
        self.assertEqual(self.scope.elements(POOL), {1: P})

    def test_a_claim_that_never_ends(self) -> None:
        """Many registrars claim a dead peer's elements all the time, and acknowledge nothing: it is taken over."""
        crowd = range(0x9000, 0x9010)
        self.scope.ready(*crowd)
        began = self.scope.now
        self.scope.lose(Q)
        while Q in self.scope.peering.peers and self.scope.now < began + 60.0:
            for peer in crowd:
                self.scope.all_of(peer, enrp.InitTakeover(peer, SERVER, Q))
            if self.scope.to(P, self.scope.effects, enrp.InitTakeover):
                for peer in (P, R):
                    self.scope.all_of(peer, enrp.InitTakeoverAck(peer, SERVER, Q))
            self.scope.silence(0.1, P, R, *crowd)
        self.assertEqual(self.scope.elements(POOL), {1: SERVER})
        self.assertLess(self.scope.now - began, 14.0)

    def test_our_own_elements(self) -> None:
        """A peer takes us for dead, again and again: our element registers anew once, and the peers are told as often
        as they can use."""
        self.scope.up("element")
        told: list[Any] = []
        for _ in range(200):
            registered = self.scope.registrar.handlespace.find(POOL, 7)
            if registered is None or registered.home != SERVER:
                self.scope.register("element", POOL, owned(0, 7))
            effects = self.scope.all_of(P, enrp.TakeoverServer(P, SERVER, SERVER))
            effects += self.scope.all_of(P, enrp.InitTakeover(P, SERVER, SERVER))
            told += self.scope.to(R, effects)
            self.scope.now += 0.005
        self.assertLessEqual(len(self.scope.sent("element", self.scope.effects)), 2 * 2)
        self.assertLessEqual(len([each for each in told if isinstance(each, enrp.Presence)]), 11)
