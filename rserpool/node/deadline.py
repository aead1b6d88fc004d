"""When a role has something to do by itself: one timer of its loop, which follows the earliest deadline of the role."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from rserpool.node.loop import Loop, Timer

TOO_EARLY: Final = 0.1
"""Seconds before its deadline that a timer may come: it does no harm, and moving it costs more than being awake for it;
but where nothing else goes on, that wakes the process. What is waited for is there by then mostly, as an answer."""


class Deadline:
    """Calls C{due} when it is time, or too early."""

    def __init__(self, loop: Loop, due: Callable[[], object]) -> None:
        self._loop, self._due = loop, due
        self._timer: Timer | None = None
        self._timer_at = 0.0
        # A timer that wakes nobody at the time from which it was put off; a loop need not have one.
        self._alarm: Any = getattr(loop, "alarm", lambda rings: None)(due)

    def wait(self, deadline: float | None) -> None:
        """The role's deadline is this one now, in seconds of the loop's clock; or it has none."""
        if deadline is None:
            return
        alarm = self._alarm
        if alarm is not None:
            if not deadline - TOO_EARLY <= alarm.at <= deadline:
                self._ring(deadline)
        elif self._timer is None or deadline < self._timer_at:
            self._call(deadline)

    def _ring(self, deadline: float) -> None:
        try:
            self._alarm.set(deadline)
        except OSError:
            # This process may have no more descriptors.
            self._alarm = None
            self._call(deadline)

    def _call(self, deadline: float) -> None:
        """Call earlier than it would have been called.

        A call of Twisted's that is cancelled wakes the process all the same when it was due: one that can be moved is.
        """
        self._timer_at = deadline
        seconds, timer = max(0.0, deadline - self._loop.now()), self._timer
        move = getattr(timer, "reset", None)
        if move is not None:
            move(seconds)
            return
        if timer is not None:
            timer.cancel()
        self._timer = self._loop.call_later(seconds, self._called)

    def _called(self) -> None:
        self._timer = None
        self._due()

    def stop(self) -> None:
        """Do not call."""
        if self._alarm is not None:
            self._alarm.stop()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    @property
    def robbed(self) -> bool:
        """Whether somebody has emptied our reactor, as trial does after tests."""
        return (self._timer is not None and not self._timer.active()) or bool(self._alarm and self._alarm.robbed)
