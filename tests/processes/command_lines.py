"""Runs many C{twistd} command lines that must end at once, each in a fork of one process that has imported all of it.

C{python -m tests.processes.command_lines} takes a JSON list of argument lists on standard input, and prints a JSON
list of C{[exit status, output]}.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile

from twisted.scripts.twistd import run

import rserpool.tap.ns
import rserpool.tap.pe  # noqa: F401

PATIENCE = 20
"""Seconds until a command line that does not end is killed."""


def outcome(arguments: list[str]) -> tuple[int, str]:
    """Run C{twistd} with these arguments."""
    with tempfile.TemporaryFile() as output:
        pid = os.fork()
        if not pid:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            signal.alarm(PATIENCE)
            sys.argv = ["twistd", *arguments]
            status = 0
            try:
                run()
            except SystemExit as exited:
                status = exited.code if isinstance(exited.code, int) else 1
                if isinstance(exited.code, str):
                    print(exited.code, file=sys.stderr)
            except BaseException:
                sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
                status = 1
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status or 0)
        _, status = os.waitpid(pid, 0)
        output.seek(0)
        return os.waitstatus_to_exitcode(status), output.read().decode()


if __name__ == "__main__":
    print(json.dumps([outcome(arguments) for arguments in json.load(sys.stdin)]))
