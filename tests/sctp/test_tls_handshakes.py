"""Turns at handshakes: bounded in all and for each machine, and machines take turns."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rserpool.sctp.tls.handshakes import AT_ONCE, Handshakes, Some


class HandshakesTests(SynchronousTestCase):
    """One by one."""

    def test_of_one_machine(self) -> None:
        """A machine has its share; another one is not kept waiting by it."""
        turns: Handshakes[Any] = Handshakes(under_way=10, of_one_machine=2, waiting=10, waiting_of_one=3)
        answers = [turns.may_begin(number, "192.0.2.1") for number in range(7)]
        self.assertEqual([True, True, False, False, False, None, None], answers)
        self.assertEqual(True, turns.may_begin("other", "192.0.2.2"))
        self.assertEqual((3, 3), (turns.under_way, turns.waiting))

    def test_next(self) -> None:
        """Who waits comes when one is over, in order, and each machine in its turn."""
        turns: Handshakes[Any] = Handshakes(under_way=2, of_one_machine=2)
        for number in range(4):
            turns.may_begin(f"a{number}", "192.0.2.1")
        for number in range(2):
            turns.may_begin(f"b{number}", "192.0.2.2")
        begun = []
        for who in ("a0", "a1", "a2", "b0", "a3", "b1"):
            begun += turns.over(who)
        self.assertEqual(["a2", "b0", "a3", "b1"], begun)
        self.assertEqual((0, 0), (turns.under_way, turns.waiting))

    def test_gone_while_waiting(self) -> None:
        """Who is gone before its turn takes nobody's; and twice over does nothing."""
        turns: Handshakes[Any] = Handshakes(under_way=1, of_one_machine=1)
        for who in "abc":
            turns.may_begin(who, "192.0.2.1")
        self.assertEqual([], turns.over("b"))
        self.assertEqual(["c"], turns.over("a"))
        self.assertEqual([], turns.over("a"))
        self.assertEqual([], turns.over("stranger"))

    def test_all_wait(self) -> None:
        """The room to wait is bounded."""
        turns: Handshakes[Any] = Handshakes(under_way=1, of_one_machine=1, waiting=5, waiting_of_one=5)
        answers = [turns.may_begin(number, f"192.0.2.{number}") for number in range(10)]
        self.assertEqual([True] + [False] * 5 + [None] * 4, answers)


class SomeTests(SynchronousTestCase):
    """Turns of the loop."""

    def setUp(self) -> None:
        self.turns: list[Any] = []
        self.begun: list[int] = []
        self.some = Some(self.turns.append)

    def come(self, *numbers: int) -> None:
        """Whoever may begins, the others when it is their turn."""
        for number in numbers:
            if self.some.has_room(Waiting(number, self.begun)):
                self.begun.append(number)

    def turn(self) -> None:
        """The loop has looked at others."""
        turns, self.turns[:] = list(self.turns), []
        for each in turns:
            each()

    def test_one_after_the_other(self) -> None:
        """Who comes alone does not wait."""
        for number in range(3 * AT_ONCE):
            self.come(number)
            self.turn()
            self.assertEqual(number, self.begun[-1])

    def test_many_at_once(self) -> None:
        """So many in each turn, in the order in which they came, also where more come meanwhile."""
        self.come(*range(2 * AT_ONCE + 1))
        self.assertEqual(list(range(AT_ONCE)), self.begun)
        self.turn()
        self.come(2 * AT_ONCE + 1)
        self.assertEqual(list(range(2 * AT_ONCE)), self.begun)
        self.turn()
        self.assertEqual(list(range(2 * AT_ONCE + 2)), self.begun)
        self.assertEqual([], self.turns)


class Waiting:
    """A handshake that waits."""

    def __init__(self, number: int, begun: list[int]) -> None:
        self.number, self.begun = number, begun

    def go_on(self) -> None:
        self.begun.append(self.number)
