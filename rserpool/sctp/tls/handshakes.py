"""How many handshakes are under way, and whose turn is next (RFC 5352 section 9.1): no machine takes all turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Final, Generic, Protocol, TypeVar

from rserpool.core.addresses import machine

UNDER_WAY: Final = 256
"""So many handshakes are under way at once; a server has some 40 kB for each."""
OF_ONE_MACHINE: Final = 64
"""So many of one machine."""
WAITING: Final = 4096
"""So many more wait for their turn, with a ClientHello each."""
WAITING_OF_ONE: Final = 2048
"""So many of one machine."""
AT_ONCE: Final = 4
"""So many are begun before the loop looks at others."""


class Turn(Protocol):
    """A handshake."""

    def __hash__(self) -> int: ...
    def go_on(self) -> None:
        """It is its turn."""


class Some:
    """Those that may begin in one turn of the loop: L{AT_ONCE}; the others wait for the next ones.

    To begin is what costs most. Where hundreds come at once, their set-ups and acknowledgements cost little, and must
    not come so late that they are sent again.

    @param later: calls something in the next turn.
    """

    def __init__(self, later: Callable[[Callable[[], None]], object]) -> None:
        self._later = later
        self._left = AT_ONCE
        self._waiting: deque[Turn] = deque()

    def has_room(self, who: Turn) -> bool:
        """Whether it begins at once; else it goes on in its turn."""
        if not self._left:
            self._waiting.append(who)
            return False
        self._left -= 1
        if not self._left:
            self._later(self._next)
        return True

    def _next(self) -> None:
        some = min(AT_ONCE, len(self._waiting))
        self._left = AT_ONCE - some
        if not self._left:
            self._later(self._next)
        for _ in range(some):
            self._waiting.popleft().go_on()


T = TypeVar("T", bound=Hashable)


class Handshakes(Generic[T]):
    """Those at what costs: each machine in turn, and none has more than its share at once.

    @ivar completed: how many ended well so far, as client or server.
    @ivar failed: how many did not.
    """

    def __init__(
        self,
        under_way: int = UNDER_WAY,
        of_one_machine: int = OF_ONE_MACHINE,
        waiting: int = WAITING,
        waiting_of_one: int = WAITING_OF_ONE,
    ) -> None:
        self._most, self._most_of_one = under_way, of_one_machine
        self._most_waiting, self._most_waiting_of_one = waiting, waiting_of_one
        self.completed = self.failed = 0
        self._running: dict[T, str] = {}
        self._counts: dict[str, int] = {}
        # The machine whose turn it is comes first.
        self._queues: dict[str, dict[T, None]] = {}
        self._where: dict[T, str] = {}

    @property
    def under_way(self) -> int:
        """How many there are."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._where)

    def may_begin(self, who: T, host: str) -> bool | None:
        """Somebody at this IP address begins.

        @return: whether it is its turn; None: there is no room for it, even to wait.
        """
        where = machine(host)
        if where not in self._queues and self._free(where):
            self._begin(who, where)
            return True
        queue = self._queues.get(where, {})
        if len(queue) >= self._most_waiting_of_one or len(self._where) >= self._most_waiting:
            return None
        self._queues.setdefault(where, {})[who] = None
        self._where[who] = where
        return False

    def over(self, who: T) -> list[T]:
        """It has come to its end, or is gone.

        @return: whose turn it is now.
        """
        where = self._where.pop(who, None)
        if where is not None:
            self._leave(who, where)
            return []
        where = self._running.pop(who, None)
        if where is None:
            return []
        self._counts[where] -= 1
        if not self._counts[where]:
            del self._counts[where]
        return self._next()

    def _next(self) -> list[T]:
        begun = []
        for where in list(self._queues):
            if len(self._running) >= self._most:
                break
            if self._free(where):
                who = next(iter(self._queues[where]))
                del self._where[who]
                self._leave(who, where)
                if where in self._queues:
                    self._queues[where] = self._queues.pop(where)
                self._begin(who, where)
                begun.append(who)
        return begun

    def _free(self, where: str) -> bool:
        return len(self._running) < self._most and self._counts.get(where, 0) < self._most_of_one

    def _begin(self, who: T, where: str) -> None:
        self._running[who] = where
        self._counts[where] = self._counts.get(where, 0) + 1

    def _leave(self, who: T, where: str) -> None:
        queue = self._queues[where]
        del queue[who]
        if not queue:
            del self._queues[where]
