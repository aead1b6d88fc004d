"""Who interrupts a start, or mistypes an endpoint string, wants no traceback: this is imported first."""

from __future__ import annotations

import sys
from typing import Any


def _excepthook(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
    """The status is what it would be, as ever."""
    if issubclass(kind, KeyboardInterrupt):
        return
    from twisted.internet.error import CannotListenError

    from rserpool.core.errors import RSerPoolError

    if issubclass(kind, RSerPoolError | CannotListenError):
        print(f"twistd: {error}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


if sys.excepthook is sys.__excepthook__:
    sys.excepthook = _excepthook
