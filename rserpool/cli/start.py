"""Where the command C{rserpool} begins: an interrupt ends it without a word, also while it is being imported."""

from __future__ import annotations


def main() -> int:
    """Run it.

    @return: the exit code.
    """
    try:
        from rserpool.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        return 130
