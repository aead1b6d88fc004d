"""Who interrupts the start of a subcommand wants no traceback: this is imported first."""

from __future__ import annotations

import sys
from typing import Any


def _excepthook(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
    """The status is that of SIGINT, as ever."""
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _excepthook
