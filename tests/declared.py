"""The declarations of libusrsctp as cffi has read them: C{python -m tests.declared} writes them, a test compares.

To read them at each start takes as long as half of all that a short command imports.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import cffi

from rserpool.sctp.usrsctp.library import DECLARATIONS

FILE = Path(__file__).resolve().parent.parent / "rserpool" / "sctp" / "usrsctp" / "declared.py"
_HEAD = '''"""What C{library.py} declares, as cffi has read it (ABI mode): C{python -m tests.declared} writes this."""

# ruff: noqa: E501
# fmt: off
'''


def text() -> str:
    """The module."""
    ffi = cffi.FFI()
    ffi.cdef(DECLARATIONS)
    ffi.set_source("rserpool.sctp.usrsctp.declared", None)
    with TemporaryDirectory() as folder:
        file = Path(folder, "declared.py")
        ffi.emit_python_code(str(file))
        return _HEAD + file.read_text().partition("\n")[2]


if __name__ == "__main__":
    FILE.write_text(text())
