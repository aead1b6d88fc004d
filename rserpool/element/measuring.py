"""What measures values of a policy, again and again: a load is told when it has moved (RFC 5356 section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rserpool.core.policies import FULL_LOAD, ParsedPolicy
from rserpool.core.wire.parameters import PolicyParameter
from rserpool.element.load import share

SAMPLE = 1.0
"""Seconds between two readings of the load."""
CHANGE = 0.05
"""A load that moved by less than this is not registered again before T4."""


class Measuring:
    """Measures until it is stopped.

    @param measured: what measures each value, from 0.0 to 1.0.
    @param changed: called with the policy when a value has moved.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        parsed: ParsedPolicy,
        measured: Mapping[str, Callable[[], float]],
        changed: Callable[[PolicyParameter], object],
    ) -> None:
        self._parsed = parsed
        self._measured = measured
        self._changed = changed
        self._last: dict[str, int] = {}
        self._loop = LoopingCall(self._sample)
        self._loop.clock = reactor
        self._loop.start(SAMPLE, now=False).addErrback(
            lambda failure: self._log.failure("the load cannot be measured any more", failure)
        )

    def stop(self) -> None:
        """Measure no more."""
        if self._loop.running:
            self._loop.stop()

    def _sample(self) -> None:
        values = {field: share(measure()) for field, measure in self._measured.items()}
        if all(abs(values[field] - self._last.get(field, -FULL_LOAD)) < CHANGE * FULL_LOAD for field in values):
            return
        self._last.update(values)
        policy = self._parsed.policy
        self._changed(PolicyParameter(policy.number, policy.encode(tuple({**self._parsed.values, **values}.values()))))
