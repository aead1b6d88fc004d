"""C{python -m tests.conformance [--update]}: is the table whole, and does docs/conformance say so?"""

from __future__ import annotations

import sys

from tests.conformance.pages import DIRECTORY, pages
from tests.conformance.table import Table


def main(arguments: list[str]) -> int:
    """Say what is wrong; with --update, write the pages first. Return 1 if something is wrong."""
    table = Table()
    made = pages(table)
    if "--update" in arguments:
        DIRECTORY.mkdir(exist_ok=True)
        for name, text in made.items():
            (DIRECTORY / name).write_text(text, encoding="utf-8")
    problems = table.problems + [
        f"docs/conformance/{name} is out of date: python -m tests.conformance --update"
        for name, text in made.items()
        if not (DIRECTORY / name).is_file() or (DIRECTORY / name).read_text(encoding="utf-8") != text
    ]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
