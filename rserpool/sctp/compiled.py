"""What is compiled of the backends, where it is: without it Python does the same, slower."""

from __future__ import annotations

import os
import struct
import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

PURE = "RSERPOOL_PURE"
"""With this variable of the environment set, nothing compiled is used."""


def fits() -> bool:
    """Whether it is made for an interpreter like this, as setup.py has it."""
    # A free-threaded one has no stable ABI yet, and would take a file of that name all the same.
    return sys.platform == "linux" and sys.implementation.name == "cpython" and "t" not in sys.abiflags


class Part:
    """One extension module.

    @ivar name: how it is imported.
    @ivar source: where a checkout has its source.
    """

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.source = os.path.join(os.path.dirname(__file__), source)

    def look(self) -> tuple[Any, str]:
        """Load it, if it is wanted.

        @return: the module; or C{None}, and why what is there cannot be used (empty if nothing is).
        """
        if os.environ.get(PURE) or not fits():
            return None, ""
        try:
            if self.is_stale():
                return None, f"{self._file()} is older than its source"
            if not _is_whole(self._file()):
                return None, f"{self._file()} is cut off"
            return import_module(self.name), ""
        except ModuleNotFoundError:
            return None, ""
        except ImportError as error:
            return None, str(error)

    def load(self) -> Any:
        """The module; None where it was not built, cannot be loaded, or is not wanted."""
        return self.look()[0]

    def is_stale(self) -> bool:
        """Whether its source is newer, as in a checkout that was brought up to date and not built again.

        It might want to be called in another way.
        """
        try:
            return os.stat(self._file()).st_mtime < os.stat(self.source).st_mtime
        except OSError:
            return False

    def _file(self) -> str:
        spec = find_spec(self.name)
        return "" if spec is None or spec.origin is None else spec.origin


_HEADER = struct.Struct("=40xQ10xHH")
"""Of an ELF file of 64 bits: where its last table begins, how long each entry of that is, and how many there are."""


def _is_whole(file: str) -> bool:
    """Whether a library ends where it says; if it is none, whoever loads it says so.

    The system kills a process that loads one whose end is missing, as after an installation without room on the disk.
    """
    try:
        with open(file, "rb") as library:
            head = library.read(_HEADER.size)
            size = os.fstat(library.fileno()).st_size
    except OSError:
        return True
    if len(head) < _HEADER.size or head[:5] != b"\x7fELF\x02":
        return True
    start, length, number = _HEADER.unpack(head)
    return bool(start + length * number <= size)


MESSAGES = Part("rserpool.sctp.kernel._messages", "kernel/messages.c")
"""Reads several messages of the kernel's SCTP at a time."""
SHUTTLE = Part("rserpool.sctp.usrsctp._shuttle", "usrsctp/shuttle.c")
"""Carries what nearly every packet of SCTP over UDP needs."""
PARTS = (MESSAGES, SHUTTLE)
