"""Runs a benchmark in the lab, where the kernel has SCTP: C{python -m bench.lab [--seconds S] NAME [options of NAME]}.

The lab is that of C{tests.lab}: this machine, or a guest on one processor, where no absolute figure means anything.
It ends after 1,800 seconds, or C{S}, whatever happens. Nothing is captured. The guest has no place for files but
C{/run}: C{--json} alone writes to the screen.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

from tests.lab import machine
from tests.lab.run import adopt, bounded, interrupted

TIMEOUT = 1800.0


def main(arguments: list[str]) -> int:
    """Run it there, and return its exit status."""
    longest = TIMEOUT
    if arguments[:1] == ["--seconds"]:
        longest, arguments = float(arguments[1]), arguments[2:]
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, interrupted)
    adopt()
    os.environ["LAB_CAPTURE"] = "none"
    command = [sys.executable, "-m", f"bench.{arguments[0]}", *arguments[1:]]
    results = Path(tempfile.mkdtemp(prefix="rserpool-bench-")).resolve()
    try:
        if machine.kernel_has_sctp() and machine.may_make_networks():
            environment = machine.environment(results)
            bounded(machine.here(results, command), seconds=longest, environment=environment)
        else:
            home = {"HOME": str(results), "TMPDIR": machine.memory_place(), "PATH": machine.PATH}
            core = max(os.sched_getaffinity(0))
            bounded(machine.guest(results, command), seconds=longest, environment=home, core=core)
        status = results / "status"
        return int(status.read_text()) if status.exists() else 1
    except machine.LabUnavailable as error:
        print(f"lab: {error}", file=sys.stderr)
        return 2
    finally:
        shutil.rmtree(results, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
