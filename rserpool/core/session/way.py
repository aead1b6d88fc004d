"""The way of a session from element to element: which one is tried next, and why none is left (RFC 5352 section 3.5).

The state machine is L{rserpool.core.session.failover}, the order L{rserpool.core.session.successors}; here both become
effects.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from rserpool.core.errors import RSerPoolError, SessionEnded, UnknownPool
from rserpool.core.session import failover
from rserpool.core.session.effects import Dial, HangUp, Report, Resolve, SayGoodbye, SessionEffect
from rserpool.core.session.failover import Action, Timers
from rserpool.core.session.successors import Successors
from rserpool.core.wire.parameters import PoolElementParameter


class Way(ABC):
    """What a session is as long as nothing is said over it.

    @ivar last: who served it last.
    @ivar cookie: the last cookie that an element left here.
    """

    def __init__(self, handle: bytes, timers: Timers) -> None:
        self.handle = handle
        self.last: PoolElementParameter | None = None
        self.cookie: bytes | None = None
        self._timers = timers
        self._state: failover.State = failover.Ended()
        self._successors = Successors(handle)
        self._tried: dict[str, str] = {}
        self._reason = ""

    @property
    def state(self) -> failover.State:
        """How far it is."""
        return self._state

    def open(self, now: float) -> list[SessionEffect]:
        """Find the first element."""
        self._state, actions = failover.begin(now, self._timers)
        return self._perform(actions, now)

    def resolved(self, elements: Sequence[PoolElementParameter], now: float) -> list[SessionEffect]:
        """The pool is resolved."""
        if not isinstance(self._state, failover.Resolving):
            return []
        self._successors.resolved(elements)
        return self._candidates(now)

    def unresolved(self, error: RSerPoolError, now: float) -> list[SessionEffect]:
        """The pool could not be resolved."""
        if not isinstance(self._state, failover.Resolving):
            return []
        self._tried["the registrar"] = str(error)
        if isinstance(error, UnknownPool):
            if self.last is None:
                self._reason = str(error)
                return self._step(failover.Hopeless(), now)
            self._successors.resolved(())
            return self._candidates(now)
        return self._step(failover.Unresolved(), now)

    @abstractmethod
    def _start(self, now: float) -> list[SessionEffect]:
        """An element has accepted: say what is to be said first."""

    @abstractmethod
    def _over(self, error: SessionEnded | None) -> list[SessionEffect]:
        """There is no way any more."""

    def _candidates(self, now: float) -> list[SessionEffect]:
        candidates = self._successors.candidates()
        hopeless = self._successors.hopeless()
        if hopeless is not None:
            if not getattr(self._state, "fresh", False):
                # Is it so, or is that what we knew some time ago?
                self._state = failover.Resolving(self._state.deadline, self._timers.first_pause, True)  # type: ignore[union-attr]
                return self._perform((Action.RESOLVE_FRESH,), now)
            self._reason = hopeless
            return self._step(failover.Hopeless(), now)
        return self._step(failover.Candidates(candidates), now)

    def _step(self, event: failover.Event, now: float) -> list[SessionEffect]:
        before = self._state
        self._state, actions = failover.step(before, event, now, self._timers)
        return self._perform(actions, now, getattr(before, "element", 0))

    def _perform(self, actions: failover.Actions, now: float, before: int = 0) -> list[SessionEffect]:
        effects: list[SessionEffect] = []
        for action in actions:
            match action:
                case Action.RESOLVE | Action.RESOLVE_FRESH if isinstance(self._state, failover.Resolving):
                    effects.append(Resolve(self._state.deadline - now, action is Action.RESOLVE_FRESH))
                case Action.CONNECT if isinstance(self._state, failover.Connecting):
                    effects.append(Dial(self._successors[self._state.element], self.cookie is not None))
                case Action.HANG_UP:
                    effects.append(HangUp())
                case Action.SAY_GOODBYE:
                    effects.append(SayGoodbye())
                case Action.REPORT:
                    effects.append(Report(before))
                case Action.START:
                    effects += self._start(now)
                case Action.END:
                    effects += self._over(SessionEnded(self._why()))
        return effects

    def _overdue(self, now: float) -> list[SessionEffect]:
        """The state's deadline may have come."""
        when = failover.deadline(self._state)
        if when is None or now < when:
            return []
        if isinstance(self._state, failover.Connecting):
            self._try_failed(self._state.element, f"no answer within {self._timers.attempt:g} s")
        return self._step(failover.TimeOut(), now)

    def _try_failed(self, identifier: int, reason: str) -> None:
        self._tried[name(self._successors[identifier])] = reason

    def _why(self) -> str:
        pool = self.handle.decode("utf-8", "backslashreplace")
        if self._reason:
            return f"pool {pool!r}: {self._reason}"
        tried = "; ".join(f"{who}: {why}" for who, why in self._tried.items())
        return f"no element of pool {pool!r} could be used for {self._timers.patience:g} s: {tried or 'none was found'}"


def name(element: PoolElementParameter) -> str:
    """An element in a few words."""
    transport = element.user_transport
    return f"element 0x{element.identifier:08x} at {', '.join(transport.addresses)}:{getattr(transport, 'port', 0)}"
