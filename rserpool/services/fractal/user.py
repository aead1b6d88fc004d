"""The fractal generator at the user: tiles, each in a session of its own, that go on at other elements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.services.errand import Errand
from rserpool.services.fractal.messages import PPID_FRACTAL, Parameter
from rserpool.services.fractal.tile import Painted, WantedTile
from rserpool.user.service import PoolUserService


class Painting(Errand):
    """One tile, under way.

    @param parameter: what it is.
    @param painted: C{painted(index, steps, element)} is called with the points as they come, and who has sent them.
    @param options: as L{Errand} has them.
    @ivar tile: what is there.
    """

    def __init__(
        self,
        user: PoolUserService,
        pool: bytes | str,
        parameter: Parameter,
        *,
        painted: Callable[[int, Sequence[int], PoolElementParameter], object] = lambda index, steps, element: None,
        **options: Any,
    ) -> None:
        self.tile = WantedTile(parameter)
        self._painted = painted
        super().__init__(user, pool, self.tile, "the fractal generator's protocol", ppid=PPID_FRACTAL, **options)

    def _came(self, effect: Painted) -> None:
        # It has just said so.
        element: Any = self.session.element
        self._painted(effect.index, effect.steps, element)
