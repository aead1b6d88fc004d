"""Adds the compiled part of SCTP over UDP (docs/sctp.md), where it can be had; all else stands in setup.cfg."""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import Any

from setuptools import Extension, setup

OLDEST = "cp311"
"""The Python since which it fits, as Py_LIMITED_API of its source says, too."""


def compiled() -> dict[str, Any]:
    """What C{setup} is told of it.

    Nothing with another system or interpreter than it is made for, with a free-threaded one (which has no stable ABI
    yet), and where C{RSERPOOL_PURE} is set: what is built then is the same everywhere. Where it cannot be, for want of
    a compiler or of C{Python.h}, all else is installed without it; with C{RSERPOOL_COMPILED} set that is an error.
    """
    fitting = sys.platform == "linux" and sys.implementation.name == "cpython"
    if os.environ.get("RSERPOOL_PURE") or not fitting or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return {}
    shuttle = Extension(
        "rserpool.sctp.usrsctp._shuttle",
        ["rserpool/sctp/usrsctp/shuttle.c"],
        extra_compile_args=["-O2", "-g0", "-Wall"],
        py_limited_api=True,
        optional=not os.environ.get("RSERPOOL_COMPILED"),
    )
    return {"ext_modules": [shuttle], "options": {"bdist_wheel": {"py_limited_api": OLDEST}}}


setup(**compiled())
