"""A timer of the system: it may be moved, to an earlier and to a later time, and does not wake us at the former one.

A call of a reactor's that is put off, or cancelled, wakes the process at the time that it had (C{timerfd_create(2)}).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Any, Final

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

_MONOTONIC: Final = 1
_FLAGS: Final = os.O_NONBLOCK | os.O_CLOEXEC
_NANOSECONDS: Final = 1_000_000_000
_SOON: Final = 1e-6
"""Seconds by which it may ring too early: what it is set to is rounded down."""


class _Times(ctypes.Structure):
    """C{struct itimerspec}: the time between two, and until the first one."""

    _fields_ = [(name, ctypes.c_long) for name in ("_every", "_every_ns", "seconds", "nanoseconds")]


@implementer(IReadDescriptor)
class Alarm:
    """One that calls C{rings} when its time has come.

    @ivar at: when that is, by the system's monotonic clock; infinity if it is not set.
    """

    def __init__(self, reactor: Any, rings: Callable[[], object]) -> None:
        self._reactor = reactor
        self._rings = rings
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._set_time = self._libc.timerfd_settime
        self._times = _Times()
        self._pointer = ctypes.byref(self._times)
        self._fd = -1
        self.at = inf

    def __bool__(self) -> bool:
        """Whether it is set."""
        return self.at != inf

    @property
    def robbed(self) -> bool:
        """Whether it is set, and somebody has emptied the reactor."""
        return bool(self) and self not in self._reactor.getReaders()

    def set(self, at: float) -> None:
        """Ring then, and not when it would have rung.

        @raise OSError: if the system has no more descriptors for this process.
        """
        if self._fd < 0:
            self._fd = self._libc.timerfd_create(_MONOTONIC, _FLAGS)
            if self._fd < 0:
                raise OSError(ctypes.get_errno(), "no timer of the system")
            self._reactor.addReader(self)
        self.at = at
        times, seconds = self._times, max(0, int(at))
        # Zeros would switch it off.
        times.seconds, times.nanoseconds = seconds, max(1, int((at - seconds) * _NANOSECONDS))
        self._set_time(self._fd, 1, self._pointer, None)

    def listen(self) -> None:
        """Ring when it is time, although somebody has emptied the reactor, as trial does after tests."""
        if self:
            self._reactor.addReader(self)

    def stop(self) -> None:
        """Do not ring."""
        self.at = inf
        if self._fd >= 0:
            self._reactor.removeReader(self)
            os.close(self._fd)
            self._fd = -1

    def fileno(self) -> int:
        return self._fd

    def logPrefix(self) -> str:
        return "alarm"

    def doRead(self) -> None:
        # It may have been put off after the reactor was told that it rings. Setting it silences it: nothing is read.
        if monotonic() >= self.at - _SOON:
            self.at = inf
            self._rings()
            if self.at == inf:
                self.stop()

    def connectionLost(self, reason: Failure) -> None:
        self.stop()
