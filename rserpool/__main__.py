"""C{python -m rserpool}: the command C{rserpool}, also where no script of that name is on the path."""

from __future__ import annotations

import sys

from rserpool.cli.start import main

if __name__ == "__main__":
    sys.exit(main())
