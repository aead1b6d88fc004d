"""Ports that RSerPool opens for itself, for reports or its admin interface: they are none of the services beside it."""

from __future__ import annotations

from typing import Any, TypeVar
from weakref import WeakSet

P = TypeVar("P")
_ours: WeakSet[Any] = WeakSet()


def own_port(port: P) -> P:
    """From now on it is known as ours; the same port."""
    _ours.add(port)
    return port


def is_own_port(port: Any) -> bool:
    """Whether it is."""
    return port in _ours
