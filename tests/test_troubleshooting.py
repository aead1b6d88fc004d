"""docs/troubleshooting.md has every warning and error that the package can log, and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import rserpool

ROOT = Path(rserpool.__file__).parent
PAGE = ROOT.parent / "docs" / "troubleshooting.md"
LEVELS = ("warn", "error", "critical", "failure")
LOGS = re.compile(r"\b_?(log|limited|counted|lines|_log|_limited|_lines)$")
WRAPPERS = ("sctp/log.py", "node/counting.py")
"""They pass on what others say."""
SPOKEN = {
    "compute/submitters.py": ("audit: {why}: {job} of {where} refused",),
    "element/attending.py": (
        "{pool}: nobody listens on {place}: left the pool until somebody does",
        "{pool}: nobody listens on {place}: it is registered as soon as somebody does",
    ),
    "security/telling.py": ("TLS with {peer} failed: {why}", "{more} more TLS handshakes failed within a minute"),
    "session/links.py": ("{peer}: {error}",),
}
"""What is said where the call itself does not show it."""


def said() -> Iterator[tuple[str, str]]:
    """Where, and in which words."""
    for path in sorted(ROOT.rglob("*.py")):
        where = str(path.relative_to(ROOT))
        if where in WRAPPERS:
            continue
        yield from ((where, text) for text in SPOKEN.get(where, ()))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr not in LEVELS or not LOGS.search(ast.unparse(node.func.value)):
                continue
            words = [each.value for each in node.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if words:
                # Counted and limited logs have a kind before the words.
                yield where, words[-1]
            elif where not in SPOKEN:
                yield where, f"line {node.lineno}: say it in the call, or here"


class PageTests(SynchronousTestCase):
    def test_all_that_can_be_logged(self) -> None:
        page = PAGE.read_text(encoding="utf-8")
        missing = sorted({f"{where}: {text}" for where, text in said() if f"`{text}`" not in page})
        self.assertEqual([], missing, "docs/troubleshooting.md does not have these")

    def test_nothing_else(self) -> None:
        known = {text for _, text in said()}
        lines = PAGE.read_text(encoding="utf-8").splitlines()
        listed = [line.split("`")[1] for line in lines if line.startswith(("| `", "- `"))]
        self.assertEqual([], [text for text in listed if text not in known], "nobody says this any more")
        self.assertEqual(len(listed), len(set(listed)))

    def test_each_has_a_cure(self) -> None:
        for line in PAGE.read_text(encoding="utf-8").splitlines():
            if line.startswith("| `"):
                cells = [cell.strip() for cell in re.sub(r"`[^`]*`", "x", line).strip("| ").split("|")]
                self.assertEqual(4, len(cells), line)
                self.assertTrue(all(cells), line)
