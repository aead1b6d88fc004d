"""The example in docs/testing.md runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase, TestCase

ROOT = Path(__file__).resolve().parent.parent.parent


class DocumentedTests(SynchronousTestCase):
    """Programs in the documentation."""

    def test_example(self) -> None:
        """It passes."""
        (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "testing.md").read_text(), re.DOTALL)
        names: dict[str, Any] = {"__name__": "documented"}
        exec(compile(program, "docs/testing.md", "exec"), names)
        result = TestCase().defaultTestResult()
        names["ShoutTests"]("test_failover").run(result)
        self.assertEqual((1, []), (result.testsRun, [text for _, text in (*result.errors, *result.failures)]))
