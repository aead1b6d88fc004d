"""The compiled part of this backend (shuttle.c), where there is one: without it Python does the same, slower."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

PURE = "RSERPOOL_PURE"
"""With this variable of the environment set, nothing compiled is used."""


def fits() -> bool:
    """Whether it is made for an interpreter like this, as setup.py has it."""
    # A free-threaded one has no stable ABI yet, and would take a file of that name all the same.
    return sys.platform == "linux" and sys.implementation.name == "cpython" and "t" not in sys.abiflags


def compiled() -> Any:
    """The extension module; None where it was not built, or is not wanted."""
    if os.environ.get(PURE) or not fits():
        return None
    try:
        return import_module("rserpool.sctp.usrsctp._shuttle")
    except ImportError:
        return None
