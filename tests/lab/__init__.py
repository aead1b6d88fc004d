"""Tests that need the kernel's SCTP, several hosts or rsplib: C{make lab}, or C{python -m tests.lab.run}."""

from __future__ import annotations

import os

IN_LAB = "RSERPOOL_LAB" in os.environ
"""Whether this process runs in the lab: root of a network of its own, with the kernel's SCTP."""
RESULTS = os.environ.get("RSERPOOL_LAB", "")
"""The folder of the results: what is written there is kept by C{--keep-results}."""


class LabTests:
    """What test cases of the lab inherit first: they are skipped elsewhere."""

    skip = None if IN_LAB else "not in the lab: run make lab"
