"""A wall clock that jumps when the process gets SIGUSR2: an hour back, then two hours forward."""

from __future__ import annotations

import signal
import time
from typing import Any


def install() -> None:
    """To be called before Twisted is imported."""
    real = time.time
    jumps = [-3600, 3600]
    off = 0

    def jump(number: int, frame: Any) -> None:
        nonlocal off
        off = jumps.pop(0)
        print(f"the clock is {off} s off", flush=True)

    time.time = lambda: real() + off
    signal.signal(signal.SIGUSR2, jump)
