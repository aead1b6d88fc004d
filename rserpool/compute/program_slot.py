"""A slot that runs a program: a job on its standard input, the result on its standard output."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from rserpool.compute.function_slot import ProcessSlot
from rserpool.compute.slots import Owner


class ProgramSlot(ProcessSlot):
    """Runs a program for each job, and ends with the job all that it started: L{rserpool.job.program} does it.

    @param command: the program and its arguments.
    """

    def __init__(
        self, reactor: Any, owner: Owner, command: Sequence[str], environment: Mapping[str, str] = os.environ
    ) -> None:
        super().__init__(reactor, owner, ("rserpool.job.program", *command), environment)

    def kill(self) -> None:
        """End at once: the process sees to its program, and all that this has started."""
        self._link.close()
