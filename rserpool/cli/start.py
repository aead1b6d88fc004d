"""Where the command C{rserpool} begins: an interrupt ends it without a word, also while it is being imported."""

from __future__ import annotations

import sys


def main() -> int:
    """Run it.

    @return: the exit code.
    """
    try:
        if sys.argv[1:2] == ["demo"]:
            _begin_demo()
        from rserpool.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        return 130


def _begin_demo() -> None:
    """Whoever tries this for the first time sees something at once: what follows takes longer to import."""
    from rserpool.cli.demo.opening import begin

    try:
        begin(sys.argv[2:], sys.stdout)
    except (OSError, AttributeError):
        # Closed, or full: what comes next says so.
        return
