"""What an element of the fractal generator does: tiles of several users, in turns. Messages and time go in."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from rserpool.core.errors import WireError
from rserpool.core.frozen import frozen
from rserpool.services.fractal.messages import COMPLETE, MANDELBROT, MOST_POINTS, Data, Parameter, State

TURN = 20_000
"""Steps of a turn: few milliseconds, so that others are served meanwhile."""
FRESH = 1.0
"""After so many seconds the points that are there are sent, however few they are."""
OUTSIDE = 2.0
"""A point is outside when the square of its distance from 0 has this size."""


@frozen
class Say:
    """Send a message to the user of a session."""

    session: Hashable
    data: bytes


@frozen
class Leave:
    """Leave a state with the user of a session."""

    session: Hashable
    state: State


@frozen
class GoesOn:
    """A tile that another element began is continued."""

    session: Hashable
    state: State


@frozen
class Drop:
    """End a session: its user breaks the rules."""

    session: Hashable
    why: str


Effect: TypeAlias = Say | Leave | GoesOn | Drop


class Tile:
    """A tile in the making.

    @ivar parameter: what it is.
    @ivar done: the points that were sent.
    """

    def __init__(self, parameter: Parameter, done: int, now: float) -> None:
        self.parameter = parameter
        self.done = done
        self.sent_at = self.kept_at = now
        self.steps: list[int] = []
        self._all = parameter.width * parameter.height
        # The point that is computed: where it is on its way, and after how many steps.
        self._z = 0j
        self._step = 0

    @property
    def complete(self) -> bool:
        """Whether all points are computed."""
        return self.done + len(self.steps) == self._all

    def compute(self) -> None:
        """One turn."""
        budget, power = TURN, 2 if self.parameter.algorithm == MANDELBROT else int(self.parameter.n)
        while budget > 0 and len(self.steps) < MOST_POINTS and not self.complete:
            c, limit = self.parameter.point(self.done + len(self.steps)), self.parameter.limit
            z, begin, end = self._z, self._step, min(limit, self._step + budget)
            step = begin
            while step < end:
                z = z * z - c if power == 2 else z**power - c
                if z.real * z.real + z.imag * z.imag >= OUTSIDE:
                    break
                step += 1
            budget -= step - begin + 1
            if step < end or end == limit:
                self.steps.append(step)
                z, step = 0j, 0
            self._z, self._step = z, step

    def take(self, now: float) -> bytes:
        """The points that were not sent yet, as a message."""
        y, x = divmod(self.done, self.parameter.width)
        message = Data(x, y, tuple(self.steps)).encode()
        self.done += len(self.steps)
        self.steps.clear()
        self.sent_at = now
        return message

    @property
    def state(self) -> State:
        """How far it is, at its user."""
        return State(self.parameter, self.done)


@dataclass(slots=True)
class Painter:
    """The tiles of one element; a session has one at a time. All times are monotonic seconds.

    @ivar cookie_seconds: after so many seconds a tile leaves a cookie with its user,
    @ivar cookie_messages: or after so many messages.
    @ivar completed: how many tiles were completed here.
    """

    cookie_seconds: float = 1.0
    cookie_messages: int = 50
    completed: int = 0
    _tiles: dict[Hashable, Tile] = field(default_factory=dict)
    _messages: dict[Hashable, int] = field(default_factory=dict)
    _held: set[Hashable] = field(default_factory=set)

    @property
    def busy(self) -> bool:
        """Whether there is something to do: L{work} is wanted."""
        return len(self._tiles) > len(self._held)

    def receive(self, session: Hashable, data: bytes, now: float) -> list[Effect]:
        """A message came from the user of a session: a tile is asked for, in place of any other."""
        try:
            parameter = Parameter.decode(data)
        except WireError as error:
            return self._drop(session, str(error))
        return self._begin(session, State(parameter, 0), now)

    def resume(self, session: Hashable, cookie: bytes, now: float) -> list[Effect]:
        """A session goes on here, with the cookie that another element left."""
        try:
            state = State.decode(cookie)
        except WireError as error:
            return self._drop(session, str(error))
        return [GoesOn(session, state), *self._begin(session, state, now)]

    def hold(self, session: Hashable, held: bool) -> None:
        """The user of a session takes no more for now, or takes more again."""
        if held and session in self._tiles:
            self._held.add(session)
        else:
            self._held.discard(session)

    def leave(self, session: Hashable, now: float) -> list[Effect]:
        """A session is about to end, or has ended: its tile is no longer computed; what is there of it."""
        tile = self._forget(session)
        if tile is None:
            return []
        points = [Say(session, tile.take(now))] if tile.steps else []
        return [*points, Leave(session, tile.state)]

    def work(self, now: float) -> list[Effect]:
        """One turn, for the tile whose turn it is."""
        session = next((each for each in self._tiles if each not in self._held), None)
        if session is None:
            return []
        tile = self._tiles.pop(session)
        # The next turn is another one's.
        self._tiles[session] = tile
        tile.compute()
        return list(self._tell(session, tile, now))

    # Parts

    def _begin(self, session: Hashable, state: State, now: float) -> list[Effect]:
        self._forget(session)
        self._tiles[session] = Tile(state.parameter, state.index, now)
        self._messages[session] = 0
        return [Leave(session, state)]

    def _tell(self, session: Hashable, tile: Tile, now: float) -> Iterator[Effect]:
        if tile.steps and (tile.complete or len(tile.steps) == MOST_POINTS or now >= tile.sent_at + FRESH):
            yield Say(session, tile.take(now))
            self._messages[session] += 1
        if tile.complete and not tile.steps:
            self._forget(session)
            self.completed += 1
            yield Say(session, COMPLETE)
        elif self._messages[session] >= self.cookie_messages or now >= tile.kept_at + self.cookie_seconds:
            tile.kept_at, self._messages[session] = now, 0
            yield Leave(session, tile.state)

    def _forget(self, session: Hashable) -> Tile | None:
        self._held.discard(session)
        self._messages.pop(session, None)
        return self._tiles.pop(session, None)

    def _drop(self, session: Hashable, why: str) -> list[Effect]:
        self._forget(session)
        return [Drop(session, why)]
