"""How much work something is: counted, so that it is the same on every machine.

What is counted are calls of functions, of Python's and of C's; so loops whose turns call nothing do not count.
C{bench/worst.py} measures the same in time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def calls(work: Callable[[], Any]) -> int:
    """How many calls of functions C{work()} makes."""
    counted = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal counted
        if event in ("call", "c_call"):
            counted += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return counted
