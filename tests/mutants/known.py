"""What docs/mutants.md says of places that no test need notice."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "mutants.md"


def reasons() -> set[tuple[str, str, str]]:
    """The file, and the line before and after."""
    found = set()
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| rserpool/"):
            path, before, after, *_ = (cell.strip("`|").strip("`| ") for cell in line.split(" | "))
            found.add((path, before.replace("\\|", "|"), after.replace("\\|", "|")))
    return found
