"""What a registrar does among others again and again, and that it sleeps while alone (RFC 5353 section 3.4.2)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from rserpool.core.profiles import RFC
from rserpool.core.wire import enrp
from tests.core.peering.stage import P, PeeringStage

CYCLE, AROUND = RFC.peer_heartbeat_cycle, RFC.max_time_last_heard


class RoundTests(SynchronousTestCase):
    def test_alone(self) -> None:
        """Each round is made once in vain, and then no more."""
        scope = PeeringStage()
        began, woken = scope.now, []
        while (due := scope.registrar.next_deadline()) is not None:
            scope.pass_time(due - scope.now)
            woken.append(round(scope.now - began, 3))
        self.assertEqual([CYCLE, AROUND], woken)

    def test_somebody_comes(self) -> None:
        """Whoever comes is presented to in time, by the clock that began when we did."""
        scope = PeeringStage()
        began = scope.now
        scope.pass_time(10.4 * CYCLE)
        scope.meet(P)
        beats: list[float] = []
        while len(beats) < 3:
            due = scope.registrar.next_deadline()
            assert due is not None
            if scope.to(P, scope.pass_time(due - scope.now), enrp.Presence):
                beats.append(round((scope.now - began) / CYCLE, 3))
            scope.presence(P)
        self.assertEqual([11.0, 12.0, 13.0], beats)

    def test_lost_again(self) -> None:
        """Who is gone is presented to no more, and nobody else is woken for."""
        scope = PeeringStage().ready(P)
        scope.lose(P)
        for _ in range(200):
            for peer in scope.calls(scope.pass_time(1.0)):
                scope.note(scope.enrp.connect_failed(peer, scope.now))
        self.assertIsNone(scope.registrar.next_deadline())
