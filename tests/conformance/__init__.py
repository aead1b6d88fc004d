"""Conformance: which test proves which sentence of RFC 5352 to 5356.

C{python -m tests.conformance} compares docs/conformance with what the tests say; C{--update} writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def rfc(number: str, section: str, *sentences: str) -> Callable[[T], T]:
    """Mark a test, or a class of tests, with what it proves.

    @param sentences: words of the sentences, each of which stands in one row of that section only (requirements.txt).
    @return: a decorator that changes nothing. The marks are read in the source, so that no test needs to be importable.
    """
    return lambda test: test
