"""What there is a lot of goes bit by bit: in no turn much is removed, nor freed (RFC 5352 section 9.1, threat 8)."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.hostile.worst_cases import CASES
from tests.hostile.worst_stage import Registrar

ELEMENTS = 4000


class FreedTests(SynchronousTestCase):
    """4,000 elements go at once."""

    def most_freed(self, name: str) -> tuple[int, int]:
        """So many blocks of memory are freed in one turn at most, and so many in all."""
        freed: list[int] = []

        def measure(work: Any) -> float:
            before = sys.getallocatedblocks()
            work()
            freed.append(before - sys.getallocatedblocks())
            return 0.0

        registrar = Registrar(measure)
        who, message = CASES[name](registrar, ELEMENTS)
        registrar.effects.clear()
        with quiet():
            for _ in registrar.turns(who, message):
                registrar.effects.clear()
        return max(freed), sum(freed)

    def test_freed(self) -> None:
        """Whoever looks through a list of them keeps none that is gone."""
        for name in ("table of nothing", "dissolved", "gone"):
            most, total = self.most_freed(name)
            self.assertGreater(total, 4 * ELEMENTS, name)
            self.assertLess(most, total / 8, name)


@contextmanager
def quiet() -> Iterator[None]:
    """The garbage collector frees what it likes."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
