"""Tests that need the kernel's SCTP, several hosts or rsplib: C{make lab}, or C{python -m tests.lab.run}."""

from __future__ import annotations

import os
from pathlib import Path

IN_LAB = "RSERPOOL_LAB" in os.environ
"""Whether this process runs in the lab: root of a network of its own, with the kernel's SCTP."""
RESULTS = os.environ.get("RSERPOOL_LAB", "")
"""The folder of the results: what is written there is kept by C{--keep-results}."""
STRANGERS = "strangers.txt"
MEANT = "meant.txt"
"""Where L{tests.lab.test_messages} writes down who sent its messages."""


def strange(address: str) -> None:
    """What comes from and goes to this address need not be well formed: somebody sends garbage there on purpose."""
    if IN_LAB:
        with (Path(RESULTS) / STRANGERS).open("a") as strangers:
            strangers.write(f"{address}\n")


class LabTests:
    """What test cases of the lab inherit first: they are skipped elsewhere."""

    skip = None if IN_LAB else "not in the lab: run make lab"
