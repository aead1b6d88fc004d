"""The table of policies in docs/operations.md: C{python -m tests.core.policies.documented} writes it."""

from __future__ import annotations

from pathlib import Path

from rserpool.core.policies import POLICIES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "operations.md"
HEADING = "| policy | values | chosen is |\n| --- | --- | --- |\n"


def table() -> str:
    """The table, with its heading; what a registrar fills in itself is left out."""
    return HEADING + "".join(
        f"| `{policy.name}` (`{policy.abbreviation}`) |"
        f" {', '.join(f'`{field}`' for field in policy.fields if field != 'distance')} | {policy.chosen} |\n"
        for policy in POLICIES.values()
    )


def parts() -> tuple[str, str, str]:
    """The page: what stands before the table, the table, and the rest."""
    before, heading, rest = PAGE.read_text().partition(HEADING)
    rows, blank, after = rest.partition("\n\n")
    return before, f"{heading}{rows}\n", f"\n{after}"


if __name__ == "__main__":
    before, _, after = parts()
    PAGE.write_text(before + table() + after)
