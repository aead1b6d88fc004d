"""Whether the elements of a pool speak a service at all: it may be the pool of another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from twisted.logger import Logger
from twisted.python.failure import Failure

from rserpool.core.errors import AnotherService, RSerPoolError
from rserpool.core.handles import handle_text
from rserpool.core.user.places import describe
from rserpool.core.wire.parameters import PoolElementParameter
from rserpool.session.driver import Order
from rserpool.user.service import PoolUserService

SILENCES = 2
"""So often an element was given something, and left it without a word: one that dies does so once, and is gone."""


class Doubts:
    """What is held against the elements of a pool, until one says a word of the service.

    @param service: what they should speak: C{"pingpong"}.
    @param confirmed: called with the error when nobody in the pool speaks it.
    """

    _log = Logger()

    def __init__(
        self, user: PoolUserService, pool: bytes | str, service: str, confirmed: Callable[[AnotherService], object]
    ) -> None:
        self._user, self._pool, self._service, self._confirmed = user, pool, service, confirmed
        self._over = self._said = False
        self._strangers: dict[int, str] = {}
        self._silences: Counter[int] = Counter()

    def served(self) -> None:
        """An element serves, and has said nothing yet."""
        self._said = False

    def understood(self) -> None:
        """An element said a word of the service: nothing is doubted any more."""
        self._over = True

    def strange(self, element: PoolElementParameter | None, why: str) -> None:
        """An element said something else."""
        self._said = True
        if element is not None:
            self._strangers[element.identifier] = f"{describe(element)}: {why}"
            if not self._over:
                self._ask()

    def left(self, element: PoolElementParameter) -> None:
        """The session goes on elsewhere."""
        if not self._said:
            self._silences[element.identifier] += 1
            if self._silences[element.identifier] >= SILENCES:
                self.strange(element, "it answers nothing")
        self.served()

    def order(self, elements: Sequence[PoolElementParameter]) -> Sequence[PoolElementParameter]:
        """Those who said something else come last."""
        return sorted(elements, key=lambda each: each.identifier in self._strangers)

    def behind(self, order: Order | None) -> Order:
        """The same, within another order."""
        return self.order if order is None else lambda elements: self.order(order(elements))

    def close(self) -> None:
        """Nobody wants to know any more."""
        self._over = True

    def _ask(self) -> None:
        def resolved(answer: Any) -> None:
            members = {each.identifier for each in answer.elements}
            if not self._over and members and members <= self._strangers.keys():
                self._over = True
                self._confirmed(
                    AnotherService(
                        f"the elements of pool {handle_text(answer.handle)!r} do not speak {self._service}: is it "
                        f"another service's pool? ({'; '.join(self._strangers[each] for each in sorted(members)[:3])})"
                    )
                )

        def failed(failure: Failure) -> None:
            failure.trap(RSerPoolError)

        asked = self._user.resolve(self._pool)
        asked.addCallbacks(resolved, failed)
        asked.addErrback(
            lambda failure: self._log.failure("whether a pool speaks {service}", failure, service=self._service)
        )
