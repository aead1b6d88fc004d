"""What a slot's process prints, as lines of the worker's log: so many, and no more."""

from __future__ import annotations

import time

from twisted.logger import Logger

from rserpool.core.handles import printable
from rserpool.sctp.log import LimitedLog

LONGEST_LINE = 1000


class Output:
    """Of one process, standard output and error alike."""

    def __init__(self, log: Logger) -> None:
        self._log = LimitedLog(log, time.monotonic)
        self._rest = b""

    def add(self, data: bytes) -> None:
        """It printed something."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._tell(line)
        self._rest = self._rest[:LONGEST_LINE]

    def end(self) -> None:
        """It prints no more."""
        if self._rest:
            self._tell(self._rest)
        self._rest = b""

    def _tell(self, line: bytes) -> None:
        text = printable(line[:LONGEST_LINE].decode("utf-8", "replace").rstrip())
        if text:
            self._log.warn("a job prints: {line}", line=text)
