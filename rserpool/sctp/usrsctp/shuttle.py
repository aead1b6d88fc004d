"""The compiled part of this backend (shuttle.c), where there is one: without it Python does the same, slower."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

PURE = "RSERPOOL_PURE"
"""With this variable of the environment set, nothing compiled is used."""


def compiled() -> Any:
    """The extension module; None where it was not built, or is not wanted."""
    if os.environ.get(PURE):
        return None
    try:
        return import_module("rserpool.sctp.usrsctp._shuttle")
    except ImportError:
        return None
