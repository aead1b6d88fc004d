"""Faces of which each name is loaded when somebody asks for it: who uses one of them does not pay for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(face: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """The C{__getattr__} (PEP 562) of a package.

    @param face: its name.
    @param modules: the module in which each name is.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {face!r} has no attribute {name!r}")
        found = getattr(import_module(modules[name]), name)
        setattr(sys.modules[face], name, found)
        return found

    return load
