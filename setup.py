"""Adds the compiled parts of SCTP (docs/sctp.md), where they can be had; all else stands in setup.cfg."""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import Any

from setuptools import Extension, setup

OLDEST = "cp311"
"""The Python since which they fit, as Py_LIMITED_API of their sources says, too."""
PARTS = {
    "rserpool.sctp.kernel._messages": "rserpool/sctp/kernel/messages.c",
    "rserpool.sctp.usrsctp._shuttle": "rserpool/sctp/usrsctp/shuttle.c",
}
"""As rserpool/sctp/compiled.py has them."""


def compiled() -> dict[str, Any]:
    """What C{setup} is told of them.

    Nothing with another system or interpreter than they are made for, with a free-threaded one (which has no stable ABI
    yet), and where C{RSERPOOL_PURE} is set: what is built then is the same everywhere. Where that cannot be, for want
    of a compiler or of C{Python.h}, all else is installed without them; with C{RSERPOOL_COMPILED} set that is an error.
    """
    fitting = sys.platform == "linux" and sys.implementation.name == "cpython"
    if os.environ.get("RSERPOOL_PURE") or not fitting or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return {}
    parts = [
        Extension(
            name,
            [source],
            extra_compile_args=["-O2", "-g0", "-Wall"],
            py_limited_api=True,
            optional=not os.environ.get("RSERPOOL_COMPILED"),
        )
        for name, source in PARTS.items()
    ]
    return {"ext_modules": parts, "options": {"bdist_wheel": {"py_limited_api": OLDEST}}}


setup(**compiled())
