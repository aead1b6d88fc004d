"""Whether the elements at a machine keep up with being asked: where many answers are late, they are asked less often.

Such a machine has too much to do, and each question makes that more. It is no other machine's fault: elements there are
asked as before.
"""

from __future__ import annotations

from typing import Final

AGAIN: Final = 0.25
"""So many, for each that is asked at all, are asked again: where more are late no packet was lost, but they have too
much to do."""
AT_ONCE: Final = 64
"""So many at least, after a while in which fewer were."""
LATE: Final = 0.25
"""Where so many of the answers are late, or do not come, elements do not keep up."""
ENOUGH: Final = 50
"""With fewer of them nothing is learned: packets are lost."""
SLOWER: Final = 2.0
"""So many times less often they are asked then, again and again."""
SLOWEST: Final = 16.0
"""Up to that."""
RECOVERS: Final = 0.7
"""And while they are not late, so much of it holds with each look: at last they are asked as before."""


class _Machine:
    """What came of the questions at one machine since the last look; and how many may be asked again."""

    __slots__ = ("again", "asked", "late")

    def __init__(self) -> None:
        self.asked, self.late, self.again = 0, 0, float(AT_ONCE)


class KeepingUp:
    """The elements at each machine.

    @ivar slow: how many times less often they are asked, at machines where that is more than one.
    """

    def __init__(self) -> None:
        self.slow: dict[str, float] = {}
        self._machines: dict[str, _Machine] = {}

    def asked(self, where: str) -> None:
        """An element at this machine is asked."""
        machine = self._machines.get(where)
        if machine is None:
            machine = self._machines[where] = _Machine()
        machine.asked += 1
        machine.again = min(machine.again + AGAIN, AT_ONCE)

    def late(self, where: str) -> bool:
        """One has not answered yet.

        @return: whether to ask it again.
        """
        machine = self._machines.get(where)
        if machine is None:
            return True
        machine.late += 1
        if machine.again < 1.0:
            return False
        machine.again -= 1.0
        return True

    def missed(self, where: str) -> None:
        """One has not answered at all."""
        if machine := self._machines.get(where):
            machine.late += 1

    def busy(self, where: str) -> bool:
        """Whether so many are late there that it has too much to do."""
        machine = self._machines.get(where)
        return where in self.slow or (machine is not None and machine.again < 1.0)

    def look(self) -> None:
        """Judge by what happened since the last look."""
        slow = {where: factor * RECOVERS for where, factor in self.slow.items() if factor * RECOVERS > 1.0}
        quiet = []
        for where, machine in self._machines.items():
            if machine.late > ENOUGH and machine.late > LATE * machine.asked:
                slow[where] = min(self.slow.get(where, 1.0) * SLOWER, SLOWEST)
            if not machine.asked:
                quiet.append(where)
            machine.asked = machine.late = 0
        for where in quiet:
            del self._machines[where]
        self.slow = slow
