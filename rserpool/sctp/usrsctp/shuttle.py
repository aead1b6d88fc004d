"""The compiled part of this backend (shuttle.c), where there is one: without it Python does the same, slower."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

PURE = "RSERPOOL_PURE"
"""With this variable of the environment set, nothing compiled is used."""
NAME = "rserpool.sctp.usrsctp._shuttle"
SOURCE = os.path.splitext(__file__)[0] + ".c"
"""Where a checkout has the source."""


def fits() -> bool:
    """Whether it is made for an interpreter like this, as setup.py has it."""
    # A free-threaded one has no stable ABI yet, and would take a file of that name all the same.
    return sys.platform == "linux" and sys.implementation.name == "cpython" and "t" not in sys.abiflags


def look() -> tuple[Any, str]:
    """Load it, if it is wanted.

    @return: the extension module; or C{None}, and why what is there cannot be used (empty if nothing is).
    """
    if os.environ.get(PURE) or not fits():
        return None, ""
    try:
        if is_stale():
            return None, f"{_file()} is older than its source"
        return import_module(NAME), ""
    except ModuleNotFoundError:
        return None, ""
    except ImportError as error:
        return None, str(error)


def compiled() -> Any:
    """The extension module; None where it was not built, cannot be loaded, or is not wanted."""
    return look()[0]


def is_stale() -> bool:
    """Whether its source is newer, as in a checkout that was brought up to date and not built again.

    It might want to be called in another way.
    """
    try:
        return os.stat(_file()).st_mtime < os.stat(SOURCE).st_mtime
    except OSError:
        return False


def _file() -> str:
    spec = find_spec(NAME)
    return "" if spec is None or spec.origin is None else spec.origin
