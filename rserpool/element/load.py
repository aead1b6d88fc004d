"""Load probes: what a pool element measures to fill in its policy values (RFC 5356 section 3.1)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from rserpool.core.errors import ConfigurationError
from rserpool.core.policies import FULL_LOAD, ParsedPolicy, parse
from rserpool.core.wire.parameters import PolicyParameter
from rserpool.plugins import add_policies, load_probes

STAT = Path("/proc/stat")


class CpuLoad:
    """The part of the host's processors that was busy since the last call, 0.0 to 1.0.

    Where there is no C{/proc/stat}: the load average of the last minute per processor, at most 1.0.
    """

    def __init__(self, stat: Path = STAT) -> None:
        self._stat = stat
        self._busy, self._total = self._read()

    def __call__(self) -> float:
        """The load since the last call."""
        busy, total = self._read()
        if total == 0:
            return min(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        spent = total - self._total
        load = (busy - self._busy) / spent if spent > 0 else 0.0
        self._busy, self._total = busy, total
        return min(1.0, max(0.0, load))

    def _read(self) -> tuple[int, int]:
        try:
            fields = [int(field) for field in self._stat.read_text().partition("\n")[0].split()[1:9]]
        except (OSError, ValueError):
            return 0, 0
        idle = sum(fields[3:5])
        return sum(fields) - idle, sum(fields)


SERVICE = "service"
"""What stands for the load that a service tells of itself: its factory has a method C{load} (0.0 to 1.0)."""


def _untold() -> Callable[[], float]:
    raise ConfigurationError(f"load={SERVICE}: this service tells no load of its own (rserpool-calcapp does)")


PROBES: dict[str, Callable[[], Callable[[], float]]] = {"cpu": CpuLoad, SERVICE: _untold}
"""What may stand for a load in C{--policy least-used:load=NAME}; plugins add to it."""


def parse_policy(text: str) -> ParsedPolicy:
    """Read C{NAME[:FIELD=VALUE,...]} as L{rserpool.core.policies.parse} does, with the policies and probes of plugins.

    @raise ConfigurationError: with a sentence that names the wrong part, also if there is no such probe.
    """
    add_policies()
    parsed = parse(text)
    for name in parsed.probes.values():
        _starting(name)
    return parsed


def probe(name: str) -> Callable[[], float]:
    """A probe of this name, ready to be called.

    @raise ConfigurationError: if there is none.
    """
    return _starting(name)()


def _starting(name: str) -> Callable[[], Callable[[], float]]:
    probes = PROBES | load_probes(tuple(PROBES))
    if name not in probes:
        raise ConfigurationError(f"there is no load probe {name!r}; choose {', '.join(probes)} or a number")
    return probes[name]


def policy_parameter(parsed: ParsedPolicy, measured: Mapping[str, Callable[[], float]]) -> PolicyParameter:
    """A policy with its values, of which some are measured now."""
    values = {**parsed.values, **{field: share(measure()) for field, measure in measured.items()}}
    return PolicyParameter(parsed.policy.number, parsed.policy.encode(tuple(values.values())))


def share(fraction: float) -> int:
    """A part of 1.0 as policies have it, where C{FULL_LOAD} is all."""
    return round(min(1.0, max(0.0, fraction)) * FULL_LOAD)
